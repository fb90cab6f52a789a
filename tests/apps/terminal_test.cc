#include "apps/program.h"

#include "hesse/report/json.h"
#include "hesse/report/terminal.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

namespace {

namespace fs = std::filesystem;

bool have(const char* program) {
  return std::system(fmt::format("command -v {} > /dev/null 2>&1", program).c_str()) == 0;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

/// What `hesse ARGUMENTS` writes to a terminal of `columns` columns, on either stream, without carriage returns.
std::string on_terminal(const ScratchFolder& folder, const std::string& arguments, int columns,
                        const std::string& environment = "") {
  write_file(folder / "line.sh",
             fmt::format("stty cols {} rows 50\n{} '{}' {}\n", columns, environment, HESSE_PROGRAM, arguments));
  const std::string command =
      fmt::format("cd '{0}' && TERM=xterm LC_ALL=C.UTF-8 script -qec 'sh line.sh' /dev/null > out.txt < /dev/null",
                  folder.path().string());
  CHECK(std::system(command.c_str()) == 0);
  std::string text = read_file(folder / "out.txt");
  std::erase(text, '\r');
  fs::remove(folder / "line.sh");
  fs::remove(folder / "out.txt");
  return text;
}

/// Every command with arguments under which it does a little work.
std::vector<std::string> every_command() {
  return {"compare --problem rosenbrock --optimizer lbfgs --optimizer gd:lr=1e-4 --budget 5steps",
          "tune --problem quadratic:n=4 --optimizer gd --trials 2 --repetitions 1 --budget 5steps",
          "sweep --problem quadratic:n=4 --optimizer 'gd:lr=1e-3|1e-2' --budget 5steps",
          "train --problem rosenbrock --optimizer lbfgs --budget 5steps --output run",
          "resume run",
          "report run --output run.html",
          "spectrum --problem rosenbrock",
          "classify --problem rosenbrock",
          "sharpness --problem quadratic:n=4",
          "landscape --problem quadratic:n=4 --directions random --points 5",
          "constrained hs71",
          "check-derivatives --problem rosenbrock",
          "validate --problem rosenbrock",
          "verify trust-region",
          "profile --optimizer lbfgs --problem rosenbrock --repetitions 1",
          "diagnose --problem rosenbrock --optimizer gd:lr=1e-4 --steps 5 --overfit-steps 5",
          "find-lr --problem rosenbrock --optimizer gd --steps 20",
          "schedule cosine",
          "list",
          "describe lbfgs",
          "data",
          "doctor",
          "completion",
          "man train"};
}

/// COMPREPLY of the words, the last of which is being typed, as bash splits them.
std::vector<std::string> completed(const ScratchFolder& folder, const std::vector<std::string>& words) {
  std::string quoted;
  for (const std::string& word : words) quoted += fmt::format(" '{}'", word);
  write_file(folder / "complete.sh",
             fmt::format("source '{}'\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_hesse\n"
                         "((${{#COMPREPLY[@]}} == 0)) || printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
                         (folder / "hesse.bash").string(), quoted, words.size() - 1));
  const std::string out = (folder / "words.txt").string();
  CHECK(std::system(fmt::format("cd '{}' && bash --norc -u complete.sh > '{}'", folder.path().string(), out).c_str()) ==
        0);
  return lines_of(read_file(out));
}

bool among(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

TEST_CASE("every command takes --json and prints one JSON value and nothing else, and --quiet, and is covered here") {
  const ScratchFolder folder;
  std::vector<std::string> names;
  for (const std::string& line : every_command()) {
    names.push_back(line.substr(0, line.find(' ')));
    const auto r = run_hesse(folder, line + " --json --quiet");
    CAPTURE(line, r.err);
    CHECK(r.exit_code != 2);
    CHECK_NOTHROW(parse_json(r.out, "stdout"));
    CHECK(r.err.empty());
  }
  for (const std::string& line : lines_of(run_hesse(folder, "--help").out)) {
    if (!line.starts_with("  ")) continue;
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    CAPTURE(name);
    CHECK(among(names, name));
  }
}

TEST_CASE("no table, help or description is wider than the terminal, and a wide one loses nothing") {
  if (!have("script")) return;
  const ScratchFolder folder;
  for (const int columns : {60, 100}) {
    for (const char* line :
         {"list", "describe kfac", "data", "sweep --help", "constrained hs71",
          "compare --problem rosenbrock --optimizer lbfgs:memory=20 --optimizer gd:lr=1e-4 --budget 5steps --quiet "
          "--repetitions 2",
          "sweep --problem quadratic:n=4 --optimizer 'gd:lr=1e-3|1e-2' --budget 5steps --quiet",
          "train --problem rosenbrock --dry-run", "spectrum --problem quadratic:n=9 --plot",
          "landscape --problem quadratic:n=4 --directions random --points 9 --plot --output slice"}) {
      fs::remove_all(folder / "slice");
      const std::string text = on_terminal(folder, line, columns, "NO_COLOR=1");
      REQUIRE_FALSE(text.empty());
      for (const std::string& row : lines_of(text)) {
        CAPTURE(columns, line, row);
        // Paths of records are not broken, so that they can be copied.
        const bool table_or_text = row.find("records") == std::string::npos;
        if (table_or_text) CHECK(display_width(row) <= columns);
      }
    }
  }
  // At 60 columns the longest meaning is there, word for word.
  std::string wide = on_terminal(folder, "describe kfac", 1000, "NO_COLOR=1");
  std::string narrow = on_terminal(folder, "describe kfac", 60, "NO_COLOR=1");
  const auto letters = [](std::string text) {
    std::string out;
    for (const char c : text) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  CHECK(letters(wide) == letters(narrow));
}

TEST_CASE("NO_COLOR takes away every escape that colours, on a terminal and off it") {
  if (!have("script")) return;
  const ScratchFolder folder;
  const std::string line = "train --problem rosenbrock --optimizer lbfgs --gradient-tolerance 1e-8 --budget 500steps";
  const auto colours = [](const std::string& text) {
    // "\033[K" erases a line; what ends in 'm' colours.
    for (auto at = text.find("\033["); at != std::string::npos; at = text.find("\033[", at + 1)) {
      if (text[text.find_first_not_of("0123456789;", at + 2)] == 'm') return true;
    }
    return false;
  };
  CHECK(colours(on_terminal(folder, line, 80)));
  CHECK_FALSE(colours(on_terminal(folder, line, 80, "NO_COLOR=1")));
  CHECK(run_hesse(folder, "list").out.find('\033') == std::string::npos);
}

TEST_CASE("the last line of the progress says why a run ended, also when the method threw") {
  const ScratchFolder folder;
  const auto last = [&](const std::string& line) {
    const auto rows = lines_of(run_hesse(folder, line).err);
    return rows.empty() ? std::string() : rows.back();
  };
  CHECK_THAT(last("train --problem rosenbrock --optimizer lbfgs --gradient-tolerance 1e-8 --budget 500steps"),
             Contains("gradient norm"));
  CHECK_THAT(last("train --problem rosenbrock --optimizer gd:lr=1e-4 --budget 5steps"), Contains("5 steps"));
  CHECK_THAT(last("train --problem rosenbrock --optimizer gd:lr=1 --budget 50steps"), Contains("diverged"));
}

TEST_CASE("a plot in the terminal is asked for by --plot, and is no JSON") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "train --problem rosenbrock --plot --json").exit_code == 2);
  CHECK(folder.count() == 0);
  if (!have("gnuplot")) return;
  for (const char* line : {"train --problem rosenbrock --optimizer lbfgs --budget 20steps",
                           "compare --problem rosenbrock --optimizer lbfgs --optimizer gd:lr=1e-4 --budget 20steps",
                           "spectrum --problem quadratic:n=9", "spectrum --problem quadratic:n=50 --density",
                           "landscape --problem quadratic:n=4 --directions random --points 9",
                           "landscape --problem quadratic:n=4 --directions random --dimensions 1 --points 9"}) {
    const auto plain = run_hesse(folder, std::string(line) + " --quiet");
    const auto plotted = run_hesse(folder, std::string(line) + " --quiet --plot");
    CAPTURE(line, plotted.out, plotted.err);
    CHECK(plotted.exit_code == plain.exit_code);
    CHECK(lines_of(plotted.out).size() >= lines_of(plain.out).size() + 8);
  }
  // Without gnuplot the run is as good, and says what is missing.
  fs::create_directory(folder / "empty");
  const auto without = run_hesse(folder, "train --problem rosenbrock --budget 5steps --quiet --plot",
                                 fmt::format("export PATH='{}'", (folder / "empty").string()));
  CHECK(without.exit_code == 0);
  CHECK_THAT(without.err, Contains("warning: no plot") && Contains("gnuplot"));
}

TEST_CASE("bash completes commands, options, choices, names, keys and their values") {
  if (!have("bash")) return;
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "completion bash --output hesse.bash").exit_code == 0);
  CHECK(run_hesse(folder, "completion bash").out == read_file(folder / "hesse.bash"));
  CHECK(std::system(fmt::format("bash -n '{}'", (folder / "hesse.bash").string()).c_str()) == 0);

  CHECK(completed(folder, {"hesse", "sw"}) == std::vector<std::string>{"sweep"});
  CHECK(completed(folder, {"hesse", ""}).size() >= 20);
  CHECK(completed(folder, {"hesse", "train", "--rob"}).empty());
  CHECK(completed(folder, {"hesse", "train", "--prec"}) == std::vector<std::string>{"--precision"});
  CHECK(completed(folder, {"hesse", "train", "--precision", ""}) == std::vector<std::string>{"float", "double"});
  // bash makes words of '=' and ':'.
  CHECK(completed(folder, {"hesse", "train", "--precision", "=", "d"}) == std::vector<std::string>{"double"});
  CHECK(completed(folder, {"hesse", "train", "--problem", "rosen"}) == std::vector<std::string>{"rosenbrock"});
  CHECK(among(completed(folder, {"hesse", "train", "--problem", "mlp", ":", ""}), "data="));
  CHECK(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "hid"}) == std::vector<std::string>{"hidden="});
  CHECK(among(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "dig"}), "digits"));
  CHECK(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "digits,hid"}) ==
        std::vector<std::string>{"digits,hidden="});
  CHECK(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "digits,activation", "=", "ta"}) ==
        std::vector<std::string>{"tanh"});
  CHECK(completed(folder, {"hesse", "train", "--optimizer", "adam", ":", "lr", "=", "1e-3+cosi"}) ==
        std::vector<std::string>{"1e-3+cosine"});
  CHECK(among(completed(folder, {"hesse", "train", "--optimizer", "adam+clip-norm", ":", ""}), "max="));
  CHECK(completed(folder, {"hesse", "describe", "rosen"}) == std::vector<std::string>{"rosenbrock"});
  CHECK(completed(folder, {"hesse", "list", "sched"}) == std::vector<std::string>{"schedules"});
  CHECK(completed(folder, {"hesse", "verify", "trust"}) == std::vector<std::string>{"trust-region"});
  CHECK(completed(folder, {"hesse", "man", "lands"}) == std::vector<std::string>{"landscape"});
  fs::create_directory(folder / "some-run");
  CHECK(completed(folder, {"hesse", "resume", "some"}) == std::vector<std::string>{"some-run"});
  CHECK(completed(folder, {"hesse", "spectrum", "--at", "some"}) == std::vector<std::string>{"some-run"});
  CHECK(completed(folder, {"hesse", "report", "some"}) == std::vector<std::string>{"some-run"});
  CHECK(completed(folder, {"hesse", "report", "--run", "some"}) == std::vector<std::string>{"some-run"});
  // A data set has options of its own, and a file is completed as files are.
  CHECK(among(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "digits", ":", "te"}),
              "test_fraction="));
  CHECK(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "file", ":", "path", "=", "some"}) ==
        std::vector<std::string>{"some-run"});
  CHECK(completed(folder, {"hesse", "train", "--problem", "mlp", ":", "data", "=", "file", ":", "label_kind", "=",
                           "r"}) == std::vector<std::string>{"real"});
  CHECK(completed(folder, {"hesse", "schedule", "warmup+cos"}) == std::vector<std::string>{"warmup+cosine"});
  CHECK(among(completed(folder, {"hesse", "schedule", "warmup+step", ":", ""}), "gamma="));
  CHECK(completed(folder, {"hesse", "train", "--curvature-measures", "top,bot"}) ==
        std::vector<std::string>{"top,bottom"});
  CHECK(completed(folder, {"hesse", "sharpness", "--measures", "trace,kes"}) ==
        std::vector<std::string>{"trace,keskar"});
  CHECK(completed(folder, {"hesse", "landscape", "--directions", "eig"}) == std::vector<std::string>{"eigenvectors"});
  CHECK(completed(folder, {"hesse", "validate", "--suite", "reg"}) == std::vector<std::string>{"regression"});
  CHECK(completed(folder, {"hesse", "validate", "--ceres", "subs"}) == std::vector<std::string>{"subspace-dogleg"});
  CHECK(completed(folder, {"hesse", "validate", "--optimizer", "au"}) == std::vector<std::string>{"auto"});
  CHECK(completed(folder, {"hesse", "profile", "--optimizer", "ceres-do"}) == std::vector<std::string>{"ceres-dogleg"});
  CHECK(among(completed(folder, {"hesse", "profile", "--optimizer", "lbfgs", ":", ""}), "memory="));
  CHECK(completed(folder, {"hesse", "train", "--budget", "10ep"}) == std::vector<std::string>{"10epochs"});
  CHECK(completed(folder, {"hesse", "train", "--budget", "10epochs,3se"}) ==
        std::vector<std::string>{"10epochs,3seconds"});
  CHECK(completed(folder, {"hesse", "train", "--budget", "ep"}).empty());
  // A switch takes no value, so what follows is an option again.
  CHECK(among(completed(folder, {"hesse", "train", "--escape", "--see"}), "--seed"));
}

TEST_CASE("every command has a manual page that names all its options and that troff takes without a warning") {
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "man --output pages").exit_code == 0);
  const std::string overview = read_file(folder / "pages" / "hesse.1");
  for (const std::string& line : every_command()) {
    const std::string name = line.substr(0, line.find(' '));
    const fs::path page = folder / "pages" / fmt::format("hesse-{}.1", name);
    CAPTURE(name);
    REQUIRE(fs::exists(page));
    CHECK(run_hesse(folder, "man " + name).out == read_file(page));
    std::string dashes;
    for (const char c : name) dashes += c == '-' ? "\\-" : std::string(1, c);
    CHECK_THAT(overview, Contains(fmt::format(".BR hesse\\-{} (1)", dashes)));
    if (have("groff")) {
      const auto out = (folder / "out.txt").string();
      CHECK(std::system(fmt::format("groff -man -Tascii -P-cbuo -ww '{}' > '{}' 2>&1", page.string(), out).c_str()) ==
            0);
      const std::string text = read_file(out);
      CHECK_THAT(text, !Contains("troff:"));
      for (const Json& command : parse_json(run_hesse(folder, fmt::format("man {} --json", name)).out, "stdout")) {
        for (const Json& option : command["options"]) {
          CHECK_THAT(text, Contains("--" + option["name"].get<std::string>()));
        }
      }
    }
  }
  if (have("man")) {
    const auto out = (folder / "out.txt").string();
    for (const char* page : {"hesse.1", "hesse-sharpness.1"}) {
      CHECK(std::system(fmt::format("LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l '{}' 2> '{}' > /dev/null",
                                    (folder / "pages" / page).string(), out)
                            .c_str()) == 0);
      CAPTURE(page);
      CHECK(read_file(out).empty());
    }
  }
  CHECK(run_hesse(folder, "man trian").exit_code == 2);
}

TEST_CASE("wherever a name is typed the nearest one is suggested") {
  const ScratchFolder folder;
  for (const auto& [line, right] : std::vector<std::pair<std::string, std::string>>{
           {"swep", "sweep"},
           {"train --probem x", "problem"},
           {"train --problem rosenbrok", "rosenbrock"},
           {"train --problem rosenbrock --optimizer adm", "adam"},
           {"train --problem rosenbrock --optimizer adam:bta1=0.9", "beta1"},
           {"train --problem rosenbrock --optimizer gd+cosin", "cosine"},
           {"train --problem rosenbrock --optimizer newton+cubc", "cubic"},
           {"train --problem mlp:data=digts", "digits"},
           {"train --problem mlp:data=gaussian-blobs,activation=tanhh", "tanh"},
           {"train --problem mlp:data=gaussian-blobs:sampels=5", "samples"},
           {"train --problem rosenbrock --precision doble", "double"},
           {"train --problem rosenbrock --budget 5epoch5", "epochs"},
           {"sweep --problem rosenbrock --optimizer 'admw:lr=1|2'", "adamw"},
           {"sweep --problem rosenbrock --optimizer gd --sampling randm", "random"},
           {"spectrum --problem rosenbrock --curvature hesian", "hessian"},
           {"spectrum --problem mlp:data=gaussian-blobs --block layr1", "layer1"},
           {"landscape --problem rosenbrock --directions eigenvectrs", "eigenvectors"},
           {"sharpness --problem rosenbrock --measures trce", "trace"},
           {"validate --suite nst", "nist"},
           {"verify trust-regon", "trust-region"},
           {"validate --problem rosenbrock --ceres doglg", "dogleg"},
           {"profile --optimizer ceres-lbfg --problem rosenbrock", "ceres-lbfgs"},
           {"constrained hs710", "hs71"},
           {"schedule cosin", "cosine"},
           {"list problms", "problems"},
           {"describe lbfg", "lbfgs"},
           {"data verfy", "verify"},
           {"data --name digts", "digits"},
           {"man trian", "train"},
           {"completion bsh", "bash"}}) {
    const auto r = run_hesse(folder, line);
    CAPTURE(line, r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK_THAT(r.err, Contains(fmt::format("did you mean '{}'?", right)));
    CHECK(folder.count() == 0);
  }
}

TEST_CASE("a point that is not there is named, whether a problem is given or not") {
  const ScratchFolder folder;
  for (const char* line : {"spectrum --at no-such-run", "classify --at no-such-run --problem rosenbrock",
                           "sharpness --at no-such-run", "landscape --at no-such-run"}) {
    const auto r = run_hesse(folder, line);
    CAPTURE(line, r.err);
    CHECK(r.exit_code == 2);
    CHECK_THAT(r.err, Contains("--at: there is no 'no-such-run'"));
    CHECK(folder.count() == 0);
  }
}

TEST_CASE("doctor solves a problem, draws by every terminal and writes where records go, and leaves nothing") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "doctor --json", fmt::format("export HESSE_DATA_DIR='{}'", (folder / "c").string()));
  CHECK(folder.count() == 0);
  std::vector<std::string> good;
  for (const Json& finding : parse_json(r.out, "stdout")) {
    if (finding["good"].get<bool>()) good.push_back(finding["what"]);
  }
  for (const char* what : {"solver", "records", "data cache"}) CHECK(among(good, what));
  if (have("gnuplot")) CHECK(among(good, "gnuplot"));
  // Several processes need what starts them.
  fs::create_directory(folder / "no-programs");
  const auto alone =
      run_hesse(folder, "doctor --json", fmt::format("export PATH='{}'", (folder / "no-programs").string()));
  for (const Json& finding : parse_json(alone.out, "stdout")) {
    if (finding["what"] == "MPI") CHECK_FALSE(finding["good"].get<bool>());
  }
  if (::geteuid() == 0) return;  // whom no permission stops
  fs::create_directory(folder / "closed");
  fs::permissions(folder / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  const auto closed = run_hesse(folder, "doctor", fmt::format("cd '{}'", (folder / "closed").string()));
  CHECK(closed.exit_code == 1);
  CHECK_THAT(closed.out, Contains("fault    records"));
  fs::permissions(folder / "closed", fs::perms::owner_all);
}
