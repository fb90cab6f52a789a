#include "apps/checkpoint_bits.h"
#include "apps/program.h"

#include "hesse/core/error.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"
#include "hesse/problems/problem.h"
#include "hesse/report/json.h"
#include "hesse/report/trace.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

using namespace hesse;
using Catch::Matchers::Contains;
using test::checkpoint_bits;
using test::hesse_signalled;
using test::hesse_signalled_when;
using test::run_hesse;
using test::ScratchFolder;

namespace {

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("a run that converges says so, exits with 0, and leaves its records") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "train --problem rosenbrock --optimizer lbfgs --budget 200steps --gradient-tolerance 1e-8 "
                           "--output run --json");
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["termination"] == "gradient");
  CHECK(json["gradient_norm"].get<double>() <= 1e-8);
  CHECK(json["value"].get<double>() <= 1e-16);
  for (const char* file : {"run.json", "trace.csv", "checkpoint.safetensors"}) {
    CHECK(std::filesystem::exists(folder / "run" / file));
  }
}

TEST_CASE("exit codes tell a missed target and a divergence") {
  const ScratchFolder folder;
  CHECK(
      run_hesse(folder, "train --problem rosenbrock --optimizer gd:lr=1e-4 --budget 5steps --target 1e-9").exit_code ==
      1);
  CHECK(run_hesse(folder, "train --problem rosenbrock --optimizer lbfgs --budget 500steps --target 1e-9").exit_code ==
        0);
  const auto diverged = run_hesse(folder, "train --problem rosenbrock --optimizer gd:lr=1 --budget 50steps");
  CHECK(diverged.exit_code == 3);
  CHECK_THAT(diverged.out, Contains("diverged at step"));
}

TEST_CASE("one diverging method leaves the bits of the others as they are") {
  const ScratchFolder folder;
  const std::string common =
      "compare --problem rosenbrock:n=6 --budget 30steps --repetitions 2 --optimizer lbfgs "
      "--optimizer nesterov:lr=1e-4 ";
  const auto with = run_hesse(folder, common + "--optimizer gd:lr=10 --output with --json");
  CHECK(with.exit_code == 0);
  CHECK(run_hesse(folder, common + "--output without").exit_code == 0);
  for (const char* run : {"lbfgs/seed-1", "lbfgs/seed-2", "nesterov_lr=1e-4/seed-1"}) {
    CHECK(checkpoint_bits(folder / "with" / run) == checkpoint_bits(folder / "without" / run));
  }
  const Json json = parse_json(with.out, "stdout");
  CHECK(json["runs"].size() == 6);
  CHECK(json["runs"][4]["termination"] == "non-finite");
  CHECK(json["runs"][0]["termination"] != "non-finite");
}

TEST_CASE("every optimizer ends in the same bits for any number of threads") {
  const ScratchFolder folder;
  for (const auto& entry : optimizers().entries()) {
    if (entry.name == "gauss-newton") continue;  // needs residuals
    std::string one;
    for (const int n : {1, 2, 3, 4, 8}) {
      const std::string output = fmt::format("{}-{}", entry.name, n);
      const auto r =
          run_hesse(folder, fmt::format("train --problem mlp:data=gaussian-blobs,hidden=20 --optimizer {} --budget "
                                        "3epochs --batch-size 50 --threads {} --output {}",
                                        entry.name, n, output));
      CAPTURE(entry.name, n, r.err);
      CHECK(r.exit_code == 0);
      const std::string now = checkpoint_bits(folder / output);
      if (n == 1) one = now;
      CHECK(now == one);
    }
  }
}

TEST_CASE("killed at any moment and resumed, every optimizer ends in the bits of the uninterrupted run") {
  const ScratchFolder folder;
  for (const auto& entry : optimizers().entries()) {
    if (entry.name == "gauss-newton") continue;  // needs residuals
    const std::vector<std::string> train = {"train",
                                            "--problem",
                                            "mlp:data=gaussian-blobs,hidden=20",
                                            "--optimizer",
                                            entry.name,
                                            "--budget",
                                            "40epochs",
                                            "--batch-size",
                                            "50",
                                            "--checkpoint-seconds",
                                            "1e-4",
                                            "--output"};
    auto whole = train;
    whole.push_back(entry.name + "-whole");
    CAPTURE(entry.name);
    CHECK(hesse_signalled(folder, whole, 0, 0) == 0);
    auto first = train;
    first.push_back(entry.name + "-killed");
    hesse_signalled(folder, first, SIGKILL, 60);
    for (int k = 0; k < 4; ++k) {
      if (std::filesystem::exists(folder / (entry.name + "-killed") / "run.json")) {
        hesse_signalled(folder, {"resume", entry.name + "-killed"}, SIGKILL, 40 + 13 * k);
      }
    }
    const bool begun = std::filesystem::exists(folder / (entry.name + "-killed") / "run.json");
    CHECK(hesse_signalled(folder, begun ? std::vector<std::string>{"resume", entry.name + "-killed"} : first, 0, 0) ==
          0);
    CHECK(checkpoint_bits(folder / (entry.name + "-whole")) == checkpoint_bits(folder / (entry.name + "-killed")));
  }
}

TEST_CASE("an interrupt ends the run after its step with 130 or 143, and resuming completes it") {
  const ScratchFolder folder;
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string output = fmt::format("run-{}", code);
    CHECK(hesse_signalled_when(folder,
                               {"train", "--problem", "mlp:data=gaussian-blobs,hidden=20", "--optimizer", "adam",
                                "--budget", "1000000steps,1s", "--output", output},
                               signal, [&] { return std::filesystem::exists(folder / output / "run.json"); }) == code);
    CHECK(std::filesystem::exists(folder / output / "checkpoint.safetensors"));
    CHECK_FALSE(parse_json(read_file(folder / output / "run.json"), "run.json")["verdict"].is_object());
    CHECK(run_hesse(folder, "resume " + output).exit_code == 0);
    CHECK(parse_json(read_file(folder / output / "run.json"), "run.json")["verdict"].is_object());
  }
}

TEST_CASE("a disk without room ends the program with 1, blames no method, and the run goes on when there is room") {
  const ScratchFolder folder;
  const std::string settings =
      "--problem mlp:data=gaussian-blobs,hidden=400 --optimizer adam --optimizer sgd --budget 30epochs "
      "--checkpoint-seconds 1e-3 --quiet ";
  CHECK(run_hesse(folder, "compare " + settings + "--output whole").exit_code == 0);
  // What is not a checkpoint is smaller than the limit of 8 or 16 kB (a shell's blocks have 512 or 1024 bytes).
  REQUIRE(std::filesystem::file_size(folder / "whole" / "adam" / "seed-1" / "checkpoint.safetensors") > 16384);
  REQUIRE(std::filesystem::file_size(folder / "whole" / "adam" / "seed-1" / "trace.csv") < 8192);
  const auto r = run_hesse(folder, "compare " + settings + "--output run", "ulimit -f 16");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 1);
  CHECK(lines(r.err) == 1);
  CHECK_THAT(r.err, Contains("checkpoint.safetensors") && Contains("File too large") && Contains("hesse resume run"));
  CHECK(parse_json(read_file(folder / "run" / "adam" / "seed-1" / "run.json"), "run.json")["verdict"].is_null());
  CHECK(run_hesse(folder, "resume run").exit_code == 0);
  for (const char* run : {"adam/seed-1", "sgd/seed-1"}) {
    CHECK(checkpoint_bits(folder / "run" / run) == checkpoint_bits(folder / "whole" / run));
  }
}

TEST_CASE("what cannot be printed is no success") {
  const ScratchFolder folder;
  for (const char* command : {"list", "describe adam", "train --help", "spectrum --problem rosenbrock --json"}) {
    const auto r =
        run_hesse(folder, fmt::format("{} >/dev/full 2>message; code=$?; (cat message; exit $code)", command));
    CAPTURE(command);
    CHECK(r.exit_code == 1);
    CHECK_THAT(r.out, Contains("standard output cannot be written"));
  }
}

TEST_CASE("an output folder that cannot be made is refused before any work, and nothing is left behind") {
  const ScratchFolder folder;
  write_file(folder / "file", "x");
  std::filesystem::create_directory(folder / "full");
  write_file(folder / "full" / "kept", "x");
  for (const char* command :
       {"train --problem rosenbrock", "compare --problem rosenbrock --optimizer gd", "spectrum --problem rosenbrock",
        "classify --problem rosenbrock", "find-lr --problem rosenbrock --optimizer gd",
        "diagnose --problem rosenbrock --optimizer gd"}) {
    for (const std::string& output :
         {std::string("file"), std::string("file/x"), std::string("full"), std::string(300, 'a')}) {
      const auto r = run_hesse(folder, fmt::format("{} --output {}", command, output));
      CAPTURE(command, output, r.out, r.err);
      CHECK(r.exit_code == 2);
      CHECK(r.out.empty());
      CHECK(lines(r.err) == 1);
      CHECK_THAT(r.err, Contains(output) && Contains("name another"));
      CHECK(folder.count() == 2);
    }
  }
}

TEST_CASE("a record that was altered is refused before any work, and keeps no verdict of a failure") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "train --problem rosenbrock --optimizer gd:lr=1e-4 --budget 5steps --output run").exit_code ==
        0);
  CHECK(
      run_hesse(folder, "compare --problem rosenbrock --optimizer gd:lr=1e-4 --budget 5steps --output all").exit_code ==
      0);
  const Json run = parse_json(read_file(folder / "run" / "run.json"), "run.json");
  const Json all = parse_json(read_file(folder / "all" / "comparison.json"), "comparison.json");
  const auto refused = [&](const char* file, const Json& json, const std::string& part) {
    const ScratchFolder other;
    write_file(other / file, json_text(json));
    const auto r = run_hesse(other, "resume .");
    CAPTURE(json_text(json, false), r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK(lines(r.err) == 1);
    CHECK_THAT(r.err, Contains(part));
    CHECK(other.count() == 1);
    CHECK(read_file(other / file) == json_text(json));
  };
  for (const auto& [name, value] : {std::pair{"batch_size", "-1"},
                                    {"gradient_tolerance", "-1"},
                                    {"checkpoint_seconds", "-1"},
                                    {"target", "nan"},
                                    {"trace_rows", "0"},
                                    {"save_every", "-1"}}) {
    Json altered = run;
    altered["verdict"] = nullptr;
    altered["settings"][name] = value;
    refused("run.json", altered, name);
  }
  Json half = run;
  half["verdict"] = nullptr;
  half["precision"] = "half";
  refused("run.json", half, "precision");
  for (const auto& [name, value] : {std::pair<const char*, Json>{"batch_size", -1},
                                    {"gradient_tolerance", -1.0},
                                    {"checkpoint_seconds", -1.0},
                                    {"trace_rows", 0},
                                    {"target", "nan"},
                                    {"precision", "half"}}) {
    Json altered = all;
    altered[name] = value;
    refused("comparison.json", altered, name);
  }
}

TEST_CASE("a run's trace is drawn on request, telemetry included") {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) return;
  const ScratchFolder folder;
  const std::string train = "train --problem mlp:data=gaussian-blobs --optimizer kfac --budget 4epochs --quiet";
  CHECK(run_hesse(folder, train + " --figures --trace-rows 2 --output drawn").exit_code == 0);
  for (const char* figure : {"train_value", "test_loss", "damping", "condition"}) {
    CHECK(std::filesystem::exists(folder / "drawn" / "figures" / fmt::format("{}_by_steps.svg", figure)));
  }
  // Two rows an epoch of several batches, and the start.
  const Trace trace = read_trace(folder / "drawn" / "trace.csv");
  CHECK(trace.rows.size() == 9);
  CHECK(run_hesse(folder, train + " --output plain").exit_code == 0);
  CHECK(!std::filesystem::exists(folder / "plain" / "figures"));
  CHECK(read_trace(folder / "plain" / "trace.csv").rows.size() == 5);
}

TEST_CASE("sets that nobody fetched are no fault of the cache or of the machine, a damaged one is") {
  const ScratchFolder folder;
  const std::string cache = fmt::format("export HESSE_DATA_DIR='{}'", (folder / "cache").string());
  CHECK(run_hesse(folder, "data verify", cache).exit_code == 0);
  CHECK(run_hesse(folder, "data verify --name mnist", cache).exit_code == 2);
  CHECK(run_hesse(folder, "doctor", cache).exit_code == 0);
  std::filesystem::create_directories(folder / "cache" / "digits");
  write_file(folder / "cache" / "digits" / "digits.csv.gz", "x");
  const auto r = run_hesse(folder, "data verify", cache);
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.out, Contains("corrupt"));
}

TEST_CASE("bad input is one line that names what is wrong and what to do, exit code 2, and nothing written") {
  const ScratchFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "Usage"},
      {"trian", "did you mean 'train'?"},
      {"train", "no problem is given"},
      {"train --problem rosenbrok", "did you mean 'rosenbrock'?"},
      {"train --problem rosenbrock:c=1", "has no option 'c'"},
      {"train --problem rosenbrock:a=1,a=2", "given twice"},
      {"train --problem rosenbrock --optimizer adm", "did you mean 'adam'?"},
      {"train --problem rosenbrock --optimizer adam:lr=0", "lr: 0 is out of range"},
      {"train --problem rosenbrock --optimizer adam:lr=nan", "not a finite number"},
      {"train --problem rosenbrock --optimizer adam:lr=", "not a finite number"},
      {"train --problem rosenbrock --optimizer adam:beta1=1", "[0, 1)"},
      {"train --problem rosenbrock --optimizer sgd:form=averaged,nesterov=true", "needs form=classical"},
      {"train --problem rosenbrock --budget 10", "not a unit"},
      {"train --problem rosenbrock --budget 10parsecs", "not a unit"},
      {"train --problem rosenbrock --budget -1steps", "not positive"},
      {"train --problem rosenbrock --budget 0.5steps", "not a whole number"},
      {"resume", "name the folder"},
      {"train --problem rosenbrock --seed -1", "seed: -1 is out of range"},
      {"train --problem rosenbrock --seed 1.5", "not a whole number"},
      {"train --problem rosenbrock --seed 9223372036854775808", "not a whole number"},
      {"train --problem rosenbrock --sed 1", "did you mean 'seed'?"},
      {"train --problem rosenbrock --seed 1 --seed 2", "given twice"},
      {"train --problem rosenbrock --precision half", "choose one of float, double"},
      {"train --problem rosenbrock --threads 0.5", "not a whole number"},
      {"train --problem mlp:data=nowhere", "nowhere"},
      {"train --problem mlp:data=./nowhere.csv", "nowhere.csv"},
      {"train --problem mlp:hidden=12-", "ends in '-'"},
      {"train --problem mlp:hidden=0", "out of range"},
      {"train --problem rosenbrock --optimizer gd+cosin", "did you mean 'cosine'?"},
      {"train --problem rosenbrock --optimizer gd+cosine+cosine", "named twice"},
      {"train --problem rosenbrock --optimizer lbfgs+cosine", "no learning rate"},
      {"train --problem rosenbrock --optimizer gd+", "missing"},
      {"train --problem rosenbrock --optimizer gd+clip-norm:max=0", "out of range"},
      {"constrained hs710", "did you mean 'hs71'?"},
      {"constrained hs71 --method newton-kkt", "inequalities or bounds"},
      {"constrained hs71 --method simplex", "choose one of"},
      {"diagnose", "no problem is given"},
      {"diagnose --problem rosenbrock --optimizer adm", "did you mean 'adam'?"},
      {"find-lr", "no problem is given"},
      {"find-lr --problem rosenbrock --optimizer lbfgs", "no learning rate"},
      {"find-lr --problem rosenbrock --low 1 --high 0.1", "0 < low < high"},
      {"find-lr --problem rosenbrock --steps 3", "out of range"},
      {"schedule", "name one"},
      {"schedule cosin", "did you mean 'cosine'?"},
      {"schedule cosine --run 0", "out of range"},
      {"compare --problem rosenbrock", "no optimizer is given"},
      {"compare --problem rosenbrock --optimizer gd --optimizer gd", "given twice"},
      {"compare --problem rosenbrock --optimizer gd --repetitions 0", "out of range"},
      {"compare --problem rosenbrock --optimizer gd --trials -1", "out of range"},
      {"resume nowhere", "nowhere"},
      {"spectrum --problem rosenbrock --at nowhere", "nowhere"},
      {"list problms", "did you mean 'problems'?"},
      {"describe adm", "did you mean 'adam'?"},
      {"data verify --name digts", "did you mean 'digits'?"},
      {"train --config nowhere.ini", "no such specification file"},
  };
  for (const auto& [arguments, part] : cases) {
    const auto r = run_hesse(folder, arguments);
    CAPTURE(arguments, r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK_THAT(r.err, Contains(part));
    if (!arguments.empty()) CHECK(lines(r.err) == 1);
    CHECK(folder.count() == 0);
  }
}

namespace {

/// Whether a number lies in a range as help and `describe` print it: "[a, b)", ">= a", "> a", "". A choice
/// or a list of sizes contains none.
bool in_range(const std::string& range, double value) {
  double low = 0;
  double high = 0;
  char open = 0;
  char close = 0;
  if (std::sscanf(range.c_str(), "%c%lf, %lf%c", &open, &low, &high, &close) == 4) {
    return (open == '[' ? value >= low : value > low) && (close == ']' ? value <= high : value < high);
  }
  if (std::sscanf(range.c_str(), ">= %lf", &low) == 1) return value >= low;
  if (std::sscanf(range.c_str(), "> %lf", &low) == 1) return value > low;
  if (std::sscanf(range.c_str(), "<= %lf", &low) == 1) return value <= low;
  if (std::sscanf(range.c_str(), "< %lf", &low) == 1) return value < low;
  return range.empty();
}

/// Texts that an option of this type and range must refuse.
std::vector<std::string> bad_values(const std::string& type, const std::string& range) {
  std::vector<std::string> bad;
  if (type == "text" || type == "texts" || type == "file") return bad;
  for (const char* text : {"word", "nan", "inf"}) {
    if (type != "choice" || (" " + range + " ").find(fmt::format(" {} ", text)) == std::string::npos)
      bad.emplace_back(text);
  }
  if (type == "switch") return bad;
  for (const char* text : {"-1", "0", "1e308", "9223372036854775808"}) {
    const bool whole = std::string_view(text) == "-1" || std::string_view(text) == "0";
    const bool fits = (type == "number" || (type == "whole number" && whole)) && in_range(range, std::atof(text));
    if (!fits && !(type == "sizes" && whole)) bad.emplace_back(text);
  }
  return bad;
}

struct HelpOption {
  std::string name;
  std::string type;
  std::string range;
};

/// The options that a command's help shows.
std::vector<HelpOption> options_of(const std::string& help) {
  std::vector<HelpOption> options;
  std::istringstream stream(help);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with("  --")) continue;
    const auto end = line.find(' ', 4);
    HelpOption option{line.substr(4, end - 4), "switch", ""};
    if (const auto open = line.find('<'); open == end + 1)
      option.type = line.substr(open + 1, line.find('>') - open - 1);
    const auto open = line.rfind(" [");
    // What follows the meaning: " [range]", then " (default ...)".
    const auto close =
        line.find_last_of("])", line.find(" (default") == std::string::npos ? line.size() : line.find(" (default"));
    if (open != std::string::npos && close != std::string::npos && close > open) {
      option.range = line.substr(open + 2, close - open - 2);
      // "[[0, 5]]" and "[(0, 1)]" keep their own brackets.
      if (!option.range.empty() && (option.range[0] == '[' || option.range[0] == '(')) {
        option.range = line.substr(open + 2, line.find_first_of("])", open + 3) - open - 1);
      }
    }
    options.push_back(option);
  }
  return options;
}

}  // namespace

TEST_CASE("every option of every command refuses what lies outside the range that its help shows") {
  const ScratchFolder folder;
  int refused = 0;
  // Commands with an option of the same name, type and range read it by the same function: all its values are tried at
  // the first, and one at the others.
  std::set<std::string> seen;
  std::size_t commands = 0;
  for (const char* text : {"compare --problem rosenbrock --optimizer gd",
                           "train --problem rosenbrock --optimizer gd",
                           "resume nowhere",
                           "tune --problem rosenbrock --optimizer gd",
                           "sweep --problem rosenbrock --optimizer gd",
                           "spectrum --problem rosenbrock",
                           "classify --problem rosenbrock",
                           "sharpness --problem rosenbrock",
                           "landscape --problem rosenbrock",
                           "constrained hs71",
                           "check-derivatives --problem rosenbrock",
                           "validate --problem rosenbrock",
                           "verify products",
                           "profile --problem rosenbrock --optimizer lbfgs",
                           "diagnose --problem rosenbrock --optimizer gd",
                           "find-lr --problem rosenbrock --optimizer gd",
                           "report nowhere",
                           "schedule cosine",
                           "list",
                           "describe adam",
                           "data list",
                           "doctor",
                           "completion",
                           "man train"}) {
    ++commands;
    const std::string command = text;
    const auto help = run_hesse(folder, command.substr(0, command.find(' ')) + " --help");
    REQUIRE(help.exit_code == 0);
    const auto options = options_of(help.out);
    REQUIRE(!options.empty());
    for (const HelpOption& option : options) {
      if (option.name == "help") continue;
      std::vector<std::string> bad = bad_values(option.type, option.range);
      bad.emplace_back("");
      if (!seen.insert(option.name + option.type + option.range).second) bad.erase(bad.begin(), bad.end() - 1);
      for (const std::string& value : bad) {
        const auto r = run_hesse(folder, fmt::format("{} '--{}={}'", command, option.name, value));
        CAPTURE(command, option.name, option.type, option.range, value, r.out, r.err);
        CHECK(r.exit_code == 2);
        CHECK(lines(r.err) == 1);
        CHECK_THAT(r.err, Contains(option.name));
        CHECK(folder.count() == 0);
        ++refused;
      }
    }
  }
  CHECK(refused > 400);
  CHECK(commands == static_cast<std::size_t>(lines(run_hesse(folder, "--help").out)) - 6);
}

TEST_CASE("every setting of every optimizer and problem refuses what lies outside the range that describe shows") {
  int refused = 0;
  const auto refuses = [&](const auto& entry, const auto& make) {
    for (const OptionInfo& option : entry.options) {
      for (const std::string& value : bad_values(option.type, option.range)) {
        const std::string text = fmt::format("{}:{}={}", entry.name, option.name, value);
        CAPTURE(text, option.type, option.range);
        ++refused;
        try {
          make(parse_spec(text));
          FAIL_CHECK("accepted");
        } catch (const Error& e) {
          CHECK_THAT(e.what(), Contains(option.name));
          CHECK_THAT(e.what(), !Contains("\n"));
        }
      }
    }
  };
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  for (const auto& entry : optimizers().entries()) {
    refuses(entry, [&](const Spec& spec) { optimizers().make(spec, {f, 0}); });
  }
  for (const auto& entry : modifiers().entries()) {
    refuses(entry, [&](const Spec& spec) {
      ModifierContext context{f, 0, make_optimizer("momentum", {f, 0})};
      modifiers().make(spec, context);
    });
  }
  for (const auto& entry : problems().entries()) {
    refuses(entry, [&](const Spec& spec) { problems().make(spec, {}); });
  }
  CHECK(refused > 200);
}

TEST_CASE("find-lr writes its sweep, draws it, and says when there is nothing to find") {
  const ScratchFolder folder;
  const auto r =
      run_hesse(folder, "find-lr --problem mlp:data=gaussian-blobs,hidden=20 --optimizer adam --output lr --json");
  CAPTURE(r.err);
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["begins"].get<double>() < json["least"].get<double>());
  CHECK(json["rate"].size() == json["smoothed"].size());
  CHECK(read_file(folder / "lr" / "lr.json") == r.out);
  CHECK_THAT(read_file(folder / "lr" / "lr.svg"), Contains("<svg"));
  CHECK(run_hesse(folder, "find-lr --problem rosenbrock --optimizer gd --low 1e3 --high 1e4").exit_code == 1);
}

TEST_CASE("diagnose finds a sound problem sound, and a planted fault is its exit status") {
  const ScratchFolder folder;
  const std::string sound = "diagnose --problem mlp:data=gaussian-blobs,hidden=20 --optimizer ";
  const auto good = run_hesse(folder, sound + "adam:lr=1e-2 --output report --json");
  CAPTURE(good.out, good.err);
  CHECK(good.exit_code == 0);
  CHECK(parse_json(good.out, "stdout")["checks"].size() == 9);
  CHECK(read_file(folder / "report" / "diagnosis.json") == good.out);
  const auto bad = run_hesse(folder, sound + "sgd:lr=1e-9");
  CHECK(bad.exit_code == 1);
  CHECK_THAT(bad.out, Contains("in all: bad"));
  CHECK(run_hesse(folder, "diagnose --problem rosenbrock --optimizer lbfgs").exit_code == 0);
}

TEST_CASE("constrained solves all its problems, and one with its multipliers") {
  const ScratchFolder folder;
  const auto all = run_hesse(folder, "constrained --json");
  CHECK(all.exit_code == 0);
  CHECK(parse_json(all.out, "stdout").size() >= 15);
  CHECK(run_hesse(folder, "constrained").exit_code == 0);
  const auto one = run_hesse(folder, "constrained hs71 --json");
  CHECK(one.exit_code == 0);
  const Json json = parse_json(one.out, "stdout");
  CHECK(json["value"].get<double>() == Approx(17.0140173).epsilon(1e-8));
  CHECK(json["multipliers"]["lower"].size() == 4);
  CHECK(json["second_order"] == "strict local minimum");
  CHECK_THAT(run_hesse(folder, "constrained hs71").out, Contains("known to be 17.01"));
  CHECK(run_hesse(folder, "constrained hs71 --max-iterations 1").exit_code == 1);
  for (const char* method : {"projected-gradient", "projected-newton", "projected-newton --quasi-newton"}) {
    const auto r = run_hesse(folder, fmt::format("constrained simplex-least-squares --method {} --json", method));
    CAPTURE(method, r.err);
    CHECK(r.exit_code == 0);
    double sum = 0;
    const Json solved = parse_json(r.out, "stdout");
    for (const auto& x : solved["x"]) sum += x.get<double>();
    CHECK(sum == Approx(1).epsilon(1e-12));
  }
  CHECK(run_hesse(folder, "constrained hs71 --method projected-newton").exit_code == 2);
}

TEST_CASE("every schedule can be drawn, and the numbers are those of its formula") {
  const ScratchFolder folder;
  for (const auto& entry : schedules().entries()) {
    const auto r = run_hesse(folder, fmt::format("schedule {} --run 40 --lr 0.5 --json", entry.name));
    CAPTURE(entry.name, r.err);
    CHECK(r.exit_code == 0);
    const Json json = parse_json(r.out, "stdout");
    REQUIRE(json["rate"].size() == 40);
    const Schedule schedule = schedules().make(parse_spec(entry.name), {});
    for (std::int64_t step = 0; step < 40; ++step) {
      CHECK(json["rate"][static_cast<std::size_t>(step)].get<double>() ==
            0.5 * schedule({step, static_cast<double>(step) / 40}).rate);
    }
    CHECK(run_hesse(folder, fmt::format("schedule {} --run 3", entry.name)).exit_code == 0);
  }
  const auto momentum = run_hesse(folder, "schedule nag-momentum");
  CHECK_THAT(momentum.out, Contains("learning rate"));
  CHECK(lines(momentum.out) > 2 * 18);
  CHECK(run_hesse(folder, "schedule one-cycle --output course.svg").exit_code == 0);
  CHECK_THAT(read_file(folder / "course.svg"), Contains("<svg"));
}

TEST_CASE("a switch takes no word from the command line, and a value in a file") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "describe --json adam");
  CHECK(r.exit_code == 0);
  CHECK(parse_json(r.out, "stdout")[0]["name"] == "adam");
  write_file(folder / "list.ini", "json = true\nkind = data\n");
  CHECK_NOTHROW(parse_json(run_hesse(folder, "list --config list.ini").out, "stdout"));
}

TEST_CASE("a specification file and the command line share one grammar, and the command line wins") {
  const ScratchFolder folder;
  write_file(folder / "spec.ini",
             "problem = rosenbrock:n=4\noptimizer = lbfgs:memory=5\noptimizer = newton-cg\nbudget = 3steps\n");
  const auto r = run_hesse(folder, "compare --config spec.ini --budget 4steps --output run --json");
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["methods"].size() == 2);
  CHECK(json["budget"] == "4steps");
  CHECK(json["runs"][0]["steps"] == 4);
  write_file(folder / "marked.ini", "\xEF\xBB\xBFproblem = rosenbrock\r\nbudget = 2steps\r\n");
  CHECK(run_hesse(folder, "train --config marked.ini").exit_code == 0);
  write_file(folder / "empty.ini", "");
  CHECK_THAT(run_hesse(folder, "train --config empty.ini").err, Contains("no problem is given"));
  write_file(folder / "helpless.ini", "problem = rosenbrock\nhelp = true\n");
  CHECK_THAT(run_hesse(folder, "train --config helpless.ini").err, !Contains("did you mean"));
  write_file(folder / "bad.ini", "problm = rosenbrock\n");
  const auto bad = run_hesse(folder, "compare --config bad.ini");
  CHECK(bad.exit_code == 2);
  CHECK_THAT(bad.err, Contains("bad.ini") && Contains("did you mean 'problem'?"));
}

TEST_CASE("everything that list names can be described, with the options that build it") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "list --json");
  CHECK(r.exit_code == 0);
  const Json all = parse_json(r.out, "stdout");
  CHECK(all.size() >= problems().entries().size() + optimizers().entries().size());
  for (const auto& entry : all) {
    const auto d = run_hesse(folder, fmt::format("describe {} --json", entry["name"].get<std::string>()));
    CHECK(d.exit_code == 0);
    CHECK(parse_json(d.out, "stdout")[0]["options"].is_array());
  }
}

TEST_CASE("derivatives of every analytic problem and of networks are right, in double and in float") {
  const ScratchFolder folder;
  for (const char* problem : {"rosenbrock", "rosenbrock:n=20", "beale", "himmelblau:start=random",
                              "styblinski-tang:n=5", "mlp:data=gaussian-blobs,hidden=8-6,activation=gelu,l2=0.1"}) {
    for (const char* precision : {"double", "float"}) {
      const auto r =
          run_hesse(folder, fmt::format("check-derivatives --problem {} --precision {}", problem, precision));
      CAPTURE(problem, precision, r.out, r.err);
      CHECK(r.exit_code == 0);
    }
  }
}

TEST_CASE("the trace and the density of a spectrum come with intervals that hold the exact figures") {
  const ScratchFolder folder;
  // So few parameters that the dense solver gives all eigenvalues.
  const auto r = run_hesse(folder,
                           "spectrum --problem softmax-regression:data=gaussian-blobs,l2=0.1,l2_biases=true --top 1000 "
                           "--bottom 0 --trace --products 6 --density --probes 40 --steps 60 --output s --json");
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  double trace = 0;
  double squares = 0;
  double positive = 0;
  for (const Json& pair : json["largest"]) {
    const double value = pair["value"];
    trace += value;
    squares += value * value;
    positive += value > 1e-3 * static_cast<double>(json["largest"][0]["value"]) ? 1 : 0;
  }
  const auto holds = [&](const char* key, double exact) {
    const double value = json[key]["value"];
    const double error = json[key]["standard_error"];
    CAPTURE(key, value, error, exact);
    // Five times the error, as Student's distribution with five degrees of freedom asks for more than four.
    CHECK(std::abs(value - exact) <= 9 * error + 1e-9 * exact);
  };
  holds("trace", trace);
  holds("frobenius_square", squares);
  holds("positive", positive);
  holds("negative", 0);
  CHECK(std::filesystem::exists(folder / "s" / "density.csv"));
  CHECK(lines(read_file(folder / "s" / "density.csv")) == 401);
}

TEST_CASE("the spectrum at a minimum found by a run is that of the closed form") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder,
                  "train --problem rosenbrock --optimizer newton-cg --gradient-tolerance 1e-10 --budget 200steps "
                  "--output run")
            .exit_code == 0);
  const auto r = run_hesse(folder, "spectrum --at run --top 1 --bottom 1 --json");
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  // H = [802, -400; -400, 200] at (1, 1): trace 1002, determinant 400.
  const double top = 501 + std::sqrt(501.0 * 501.0 - 400);
  // At |g| <= 1e-10 the point is off by 1e-10 / 0.4, and H by a few thousand times that.
  CHECK(std::abs(json["largest"][0]["value"].get<double>() - top) <= 1e-5);
  CHECK(std::abs(json["smallest"][0]["value"].get<double>() - 400 / top) <= 1e-5);
}

TEST_CASE("help is quick to find and exits with 0") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "--help").exit_code == 0);
  CHECK(run_hesse(folder, "--version").exit_code == 0);
  for (const char* command :
       {"compare", "train", "resume", "spectrum", "check-derivatives", "list", "describe", "data", "doctor"}) {
    const auto r = run_hesse(folder, fmt::format("{} --help", command));
    CHECK(r.exit_code == 0);
    CHECK_THAT(r.out, Contains("Usage: hesse"));
  }
}

TEST_CASE("a run says what kind of point it came to, and with --escape it goes on from a maximum") {
  const ScratchFolder folder;
  // Undamped, Newton's iteration goes to the maximum of x^4 - 4 x^2 + x from |x| < 0.8, a third of the starts.
  int maxima = 0;
  for (int seed = 1; seed <= 12 && maxima == 0; ++seed) {
    const std::string line = fmt::format(
        "train --problem double-well:start=random --optimizer newton:indefinite=keep+undamped --seed {} "
        "--gradient-tolerance 1e-9 --budget 200steps --json --output ",
        seed);
    const Json plain = parse_json(run_hesse(folder, line + fmt::format("plain-{}", seed)).out, "stdout");
    if (plain["kind"] != "maximum") continue;
    ++maxima;
    CHECK(plain["escapes"] == 0);
    const Json gone = parse_json(run_hesse(folder, line + fmt::format("escape-{} --escape", seed)).out, "stdout");
    CHECK(gone["kind"] == "minimum");
    CHECK(gone["escapes"] >= 1);
    CHECK(gone["value"].get<double>() < plain["value"].get<double>());
  }
  CHECK(maxima == 1);
}
