#include "apps/program.h"

#include "hesse/experiment/sweep.h"
#include "hesse/report/folder_lock.h"
#include "hesse/report/json.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace hesse;
using Catch::Matchers::Contains;
using test::hesse_signalled;
using test::hesse_signalled_when;
using test::Printed;
using test::run_hesse;
using test::ScratchFolder;

namespace {

namespace fs = std::filesystem;

/// Names of the cells that are there.
std::vector<std::string> cells(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder / "cells")) return names;
  for (const auto& entry : fs::directory_iterator(folder / "cells")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// When each record was last written.
std::vector<fs::file_time_type> times(const fs::path& folder) {
  std::vector<fs::file_time_type> out;
  for (const std::string& name : cells(folder))
    out.push_back(fs::last_write_time(folder / "cells" / name / "run.json"));
  return out;
}

/// Whether a cell has begun.
bool begun(const fs::path& folder) {
  const auto names = cells(folder);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return fs::exists(folder / "cells" / name / "trace.csv"); });
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

SweepSettings small_sweep() {
  SweepSettings settings;
  settings.run.budget = "5steps";
  settings.problems = {"rosenbrock"};
  settings.methods = {"gd:lr=1e-4|1e-3"};
  return settings;
}

const std::string kSmall =
    "sweep --problem quadratic:n=4,condition=10 --optimizer 'gd:lr=log(1e-3:1e-1:3)' "
    "--optimizer lbfgs --budget 20steps --quiet ";

}  // namespace

TEST_CASE("a cell is its content: order and spelling of what is asked for change no name") {
  const ScratchFolder folder;
  const auto names = [&](std::vector<std::string> problems, std::vector<std::string> methods, const char* budget) {
    SweepSettings settings;
    settings.run.budget = budget;
    settings.problems = std::move(problems);
    settings.methods = std::move(methods);
    std::vector<std::string> out;
    for (const SweepCell& cell : plan_sweep(settings, folder.path()).cells) out.push_back(cell.name);
    std::sort(out.begin(), out.end());
    return out;
  };
  const auto reference =
      names({"rosenbrock", "quadratic:n=4,condition=10"}, {"gd:lr=1e-3|1e-2", "lbfgs:memory=5"}, "10steps,2s");
  CHECK(reference.size() == 6);
  CHECK(names({"quadratic:condition=1e1,n=4", "rosenbrock:a=1"}, {"lbfgs:memory=5", "gd:lr=0.01|0.001"},
              "2s,10steps") == reference);
  // A default that is written out is the default, and so is what is asked for twice.
  CHECK(names({"rosenbrock"}, {"lbfgs"}, "5steps") == names({"rosenbrock"}, {"lbfgs:memory=10", "lbfgs"}, "5steps"));
  CHECK(names({"rosenbrock"}, {"lbfgs"}, "5steps") != names({"rosenbrock"}, {"lbfgs"}, "6steps"));
  CHECK(names({"mlp:data=two-moons:samples=50:noise=0.2"}, {"adam"}, "1steps") ==
        names({"mlp:data=two-moons:noise=0.2:samples=50"}, {"adam"}, "1steps"));
  // What goes around a step goes around it in this order.
  CHECK(names({"rosenbrock"}, {"gd+clip-norm+clip-value"}, "5steps") !=
        names({"rosenbrock"}, {"gd+clip-value+clip-norm"}, "5steps"));
}

TEST_CASE("whatever changes the bits of a run changes the name of its cell and what does not leaves it") {
  const ScratchFolder folder;
  const auto name = [&](const std::function<void(SweepSettings&)>& change) {
    SweepSettings settings = small_sweep();
    settings.methods = {"gd:lr=1e-3"};
    change(settings);
    return plan_sweep(settings, folder.path()).cells.at(0).name;
  };
  std::vector<std::string> seen = {name([](SweepSettings&) {})};
  const auto differs = [&](const std::function<void(SweepSettings&)>& change) {
    const std::string now = name(change);
    CHECK(std::find(seen.begin(), seen.end(), now) == seen.end());
    seen.push_back(now);
  };
  differs([](SweepSettings& s) { s.seed = 2; });
  differs([](SweepSettings& s) { s.methods = {"gd:lr=2e-3"}; });
  differs([](SweepSettings& s) { s.methods = {"gd:lr=1e-3,batch=16"}; });
  differs([](SweepSettings& s) { s.methods = {"gd:lr=1e-3+cosine"}; });
  differs([](SweepSettings& s) { s.problems = {"rosenbrock:b=50"}; });
  differs([](SweepSettings& s) { s.run.precision = Precision::float64; });
  differs([](SweepSettings& s) { s.run.budget = "5steps,1s"; });
  differs([](SweepSettings& s) { s.run.target = 1e-3; });
  differs([](SweepSettings& s) { s.run.gradient_tolerance = 1e-3; });
  differs([](SweepSettings& s) { s.run.escape = true; });
  differs([](SweepSettings& s) { s.run.curvature_every = 2; });
  differs([](SweepSettings& s) {
    s.run.curvature_every = 2;
    s.run.curvature_measures = "trace";
  });
  CHECK(name([](SweepSettings& s) { s.run.checkpoint_seconds = 7; }) == seen.front());
  CHECK(name([](SweepSettings& s) { s.repetitions = 5; }) == seen.front());
}

TEST_CASE("the record that a run leaves specifies the cell that planned it") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "sweep --problem mlp:data=gaussian-blobs,hidden=4 --optimizer "
                           "'adam:batch=16,full_batch_at=4,lr=1e-2+clip-norm:max=1+cosine' --budget 1epochs "
                           "--target -3 --output s --json");
  CAPTURE(r.err);
  CHECK(r.exit_code == 1);  // the target is out of reach
  const auto names = cells(folder / "s");
  REQUIRE(names.size() == 1);
  const RunRecord record = read_run_record(folder / "s" / "cells" / names[0] / "run.json");
  CHECK(cell_name(cell_specification(record)) == names[0]);
  CHECK(record.verdict);
}

TEST_CASE("a sweep runs every cell once, a second one none, and --fresh all of them") {
  const ScratchFolder folder;
  const auto first = run_hesse(folder, kSmall + "--output s -j 2 --json");
  CAPTURE(first.err);
  CHECK(first.exit_code == 0);
  CHECK(cells(folder / "s").size() == 4);
  const auto before = times(folder / "s");
  const std::string results = read_file(folder / "s" / "results.csv");
  const auto second = run_hesse(folder, kSmall + "--output s --json");
  CHECK(second.exit_code == 0);
  CHECK(second.out == first.out);
  CHECK(times(folder / "s") == before);
  CHECK(read_file(folder / "s" / "results.csv") == results);
  // One more rate: its cells alone are run.
  CHECK(run_hesse(folder, kSmall + "--optimizer gd:lr=0.05 --output s --json").exit_code == 0);
  CHECK(cells(folder / "s").size() == 5);
  CHECK(run_hesse(folder, kSmall + "--output s --fresh --json").exit_code == 0);
  int renewed = 0;
  const auto after = times(folder / "s");
  for (const auto& time : after) renewed += std::find(before.begin(), before.end(), time) == before.end() ? 1 : 0;
  CHECK(renewed == 5);
}

TEST_CASE("any number of workers leaves the bits of one") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, kSmall + "--output one").exit_code == 0);
  CHECK(run_hesse(folder, kSmall + "--output three -j 3").exit_code == 0);
  REQUIRE(cells(folder / "one") == cells(folder / "three"));
  for (const std::string& name : cells(folder / "one")) {
    const auto value = [&](const char* sweep) {
      return read_run_record(folder / sweep / "cells" / name / "run.json").verdict->value;
    };
    CHECK(value("one") == value("three"));
  }
}

TEST_CASE("medians and the best of a sweep are those of its cells") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "sweep --problem quadratic:n=4,condition=10 --optimizer 'gd:lr=1e-2|1e-1' "
                           "--repetitions 3 --budget 10steps --quiet --output s --json");
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  REQUIRE(json["rows"].size() == 2);
  for (const Json& row : json["rows"]) {
    std::vector<double> values;
    for (const Json& cell : row["cells"]) {
      const std::string name = cell["cell"];
      values.push_back(read_run_record(folder / "s" / "cells" / name / "run.json").verdict->value);
      CHECK(cell["value"] == values.back());
    }
    REQUIRE(values.size() == 3);
    std::sort(values.begin(), values.end());
    CHECK(row["median"] == values[1]);
  }
  // On a quadratic with eigenvalues from 1 to 10 the rate 0.1 < 2 / 10 contracts every mode faster than 0.01.
  CHECK(json["rows"][0]["best"] == false);
  CHECK(json["rows"][1]["best"] == true);
  CHECK(json["rows"][1]["varied"]["lr"] == "1e-1");
  const auto best = lines_of(read_file(folder / "s" / "best.csv"));
  REQUIRE(best.size() == 2);
  CHECK_THAT(best[1], Contains("gd:lr=1e-1"));
  const auto rows = lines_of(read_file(folder / "s" / "results.csv"));
  CHECK(rows.size() == 7);
  CHECK_THAT(rows[0], Contains("cell,state,reason,problem,optimizer,lr,seed,termination"));
  if (std::system("gnuplot --version > /dev/null 2>&1") == 0) {
    CHECK(fs::exists(folder / "s" / "figures" / "quadratic_n_4_condition_10_by_lr.svg"));
  }
}

TEST_CASE("two options that vary are drawn as a map") {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) return;
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "sweep --problem quadratic:n=4 --optimizer "
                           "'momentum:lr=log(1e-4:1e-2:3),momentum=linear(0:0.8:3)' --budget 5steps --quiet "
                           "--output s -j 2");
  CAPTURE(r.err);
  CHECK(r.exit_code == 0);
  int maps = 0;
  for (const auto& entry : fs::directory_iterator(folder / "s" / "figures")) {
    if (entry.path().extension() != ".svg") continue;
    if (read_file(entry.path()).find("median of the final objective") != std::string::npos) ++maps;
  }
  CHECK(maps == 1);
}

TEST_CASE("a cell that fails is a row with its reason, and the others go on") {
  const ScratchFolder folder;
  // The first has no room for its checkpoints.
  const auto r = run_hesse(folder,
                           "sweep --problem 'quadratic:n=4|20000' --optimizer 'gd:lr=1e-3' --budget 5steps --quiet "
                           "--output s --json",
                           "ulimit -f 64");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 1);
  const Json json = parse_json(r.out, "stdout");
  REQUIRE(json["rows"].size() == 2);
  CHECK(json["rows"][0]["cells"][0]["state"] == "finished");
  CHECK(json["rows"][1]["cells"][0]["state"] == "failed");
  CHECK_THAT(json["rows"][1]["cells"][0]["reason"].get<std::string>(),
             Contains("exit code 1") && Contains("File too large"));
  CHECK_THAT(read_file(folder / "s" / "results.csv"), Contains("File too large"));
  // With room it is run, and the other is left alone.
  const auto again = run_hesse(folder, "resume s --json");
  CHECK(again.exit_code == 0);
  CHECK(parse_json(again.out, "stdout")["rows"][1]["cells"][0]["state"] == "finished");
}

TEST_CASE("a sweep that is killed goes on where it was and ends in the bits of one that was not") {
  const ScratchFolder folder;
  const std::vector<std::string> words = {"sweep",
                                          "--problem",
                                          "mlp:data=gaussian-blobs,hidden=20",
                                          "--optimizer",
                                          "adam:lr=1e-3|1e-2",
                                          "--repetitions",
                                          "2",
                                          "--budget",
                                          "30epochs",
                                          "--checkpoint-seconds",
                                          "1e-3",
                                          "-j",
                                          "2",
                                          "--output"};
  auto whole = words;
  whole.emplace_back("whole");
  CHECK(hesse_signalled(folder, whole, 0, 0) == 0);
  for (const int signal : {SIGKILL, SIGINT}) {
    const std::string name = fmt::format("s{}", signal);
    auto cut = words;
    cut.push_back(name);
    // Cut off while a cell is at work, and again as soon as the next sweep has the folder for itself.
    for (int k = 0; k < 2; ++k) {
      hesse_signalled_when(folder, cut, signal, [&] { return begun(folder / name); });
    }
    // What a killed parent leaves stops by itself after its step; until then the folder is locked.
    Printed r;
    for (int i = 0; i < 200; ++i) {
      r = run_hesse(folder, fmt::format("resume {} --json -j 2", name));
      if (r.err.find("at work in this folder") == std::string::npos) break;
      ::usleep(20000);
    }
    CAPTURE(signal, r.err);
    CHECK(r.exit_code == 0);
    REQUIRE(cells(folder / name) == cells(folder / "whole"));
    for (const std::string& cell : cells(folder / "whole")) {
      CHECK(read_run_record(folder / name / "cells" / cell / "run.json").verdict->value ==
            read_run_record(folder / "whole" / "cells" / cell / "run.json").verdict->value);
    }
  }
}

TEST_CASE("an interrupted sweep says how to go on and exits with 130") {
  const ScratchFolder folder;
  CHECK(hesse_signalled_when(folder,
                             {"sweep", "--problem", "mlp:data=gaussian-blobs,hidden=20", "--optimizer", "adam",
                              "--budget", "1000000steps,60s", "--output", "s"},
                             SIGINT, [&] { return begun(folder / "s"); }) == 130);
  const auto names = cells(folder / "s");
  REQUIRE(names.size() == 1);
  CHECK_FALSE(read_run_record(folder / "s" / "cells" / names[0] / "run.json").verdict);
}

TEST_CASE("a second sweep in a folder at work is refused and changes nothing") {
  const ScratchFolder folder;
  const FolderLock lock(folder / "s");
  const auto r = run_hesse(folder, kSmall + "--output s");
  CHECK(r.exit_code == 2);
  CHECK(lines_of(r.err).size() == 1);
  CHECK_FALSE(fs::exists(folder / "s" / "cells"));
}

TEST_CASE("a folder that is no sweep's is refused, and so is a record of another run in a cell") {
  const ScratchFolder folder;
  fs::create_directories(folder / "other");
  write_file(folder / "other" / "kept", "x");
  CHECK(run_hesse(folder, kSmall + "--output other").exit_code == 2);
  CHECK(run_hesse(folder, kSmall + "--output s").exit_code == 0);
  const auto names = cells(folder / "s");
  write_file(folder / "s" / "cells" / names[0] / "run.json", read_file(folder / "s" / "cells" / names[1] / "run.json"));
  const auto r = run_hesse(folder, kSmall + "--output s");
  CHECK(r.exit_code == 1);
  CHECK_THAT(r.out, Contains("another run") && Contains(names[0]));
  CHECK(run_hesse(folder, kSmall + "--output s --fresh").exit_code == 0);
}

TEST_CASE("bad grids are refused before any work with nothing written") {
  const ScratchFolder folder;
  for (const auto& [arguments, part] : std::vector<std::pair<std::string, std::string>>{
           {"--optimizer gd", "no problem is given"},
           {"--problem rosenbrock", "no optimizer is given"},
           {"--problem rosenbrock --optimizer 'gd:lr=log(1e-3:1)'", "--samples"},
           {"--problem rosenbrock --optimizer 'gd:lr=1e-3|-1'", "out of range"},
           {"--problem 'rosenbrok:a=1|2' --optimizer gd", "did you mean 'rosenbrock'?"},
           {"--problem rosenbrock --optimizer gd --jobs 0", "jobs: 0 is out of range"},
           {"--problem rosenbrock --optimizer gd --budget 5parsecs", "not a unit"}}) {
    const auto r = run_hesse(folder, "sweep --output s " + arguments);
    CAPTURE(arguments, r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK(lines_of(r.err).size() == 1);
    CHECK_THAT(r.err, Contains(part));
    CHECK(folder.count() == 0);
  }
}

TEST_CASE("a dry run counts what would be run, estimates it, and writes nothing") {
  const ScratchFolder folder;
  const auto sweep = run_hesse(folder, kSmall + "--output s --dry-run --json");
  CAPTURE(sweep.err);
  CHECK(sweep.exit_code == 0);
  CHECK(folder.count() == 0);
  const Json json = parse_json(sweep.out, "stdout");
  CHECK(json["runs"] == 4);
  CHECK(json["finished"] == 0);
  CHECK(json["seconds"].get<double>() > 0);
  CHECK(json["memory_bytes"].get<double>() > 1e6);
  CHECK(json["plan"].size() == 2);
  CHECK(json["plan"][0]["steps"] == 20);
  CHECK(run_hesse(folder, kSmall + "--output s").exit_code == 0);
  const Json after = parse_json(run_hesse(folder, kSmall + "--output s --dry-run --json").out, "stdout");
  CHECK(after["finished"] == 4);
  CHECK(after["seconds"] == 0);
  const ScratchFolder other;
  for (const char* command : {"train --optimizer adam", "compare --optimizer adam --optimizer lbfgs --repetitions 3",
                              "tune --optimizer adam --trials 4 --repetitions 2"}) {
    const std::string line = fmt::format("{} --problem mlp:data=gaussian-blobs,hidden=4 --budget 3epochs", command);
    const auto plain = run_hesse(other, line + " --dry-run");
    CAPTURE(line, plain.out, plain.err);
    CHECK(plain.exit_code == 0);
    CHECK_THAT(plain.out, Contains("time: about") && Contains("memory: about"));
    const Json dry = parse_json(run_hesse(other, line + " --dry-run --json").out, "stdout");
    CHECK(dry["dry_run"] == true);
    CHECK(dry["runs"] == (line.starts_with("train") ? 1 : 6));
    CHECK(other.count() == 0);
  }
  // Adam keeps two means of the gradient: 16 bytes a parameter, and its counters.
  const Json adam = parse_json(
      run_hesse(other, "train --problem quadratic:n=1000 --optimizer adam --budget 7steps --dry-run --json").out,
      "out");
  const double state = adam["plan"][0]["state_bytes"];
  CHECK(state >= 16000);
  CHECK(state <= 16200);
  CHECK(adam["plan"][0]["steps"] == 7);
  for (const char* command :
       {"spectrum --problem rosenbrock --density", "landscape --problem quadratic:n=5 --points 9",
        "sharpness --problem quadratic:n=5 --output o", "classify --problem rosenbrock --starts 1 --output o",
        "profile --problem rosenbrock --optimizer lbfgs --output o", "validate --problem rosenbrock --output o"}) {
    const auto r = run_hesse(other, fmt::format("{} --dry-run --json", command));
    CAPTURE(command, r.err);
    CHECK(r.exit_code == 0);
    CHECK(parse_json(r.out, "stdout")["dry_run"] == true);
    CHECK(other.count() == 0);
  }
  const Json slice =
      parse_json(run_hesse(other, "landscape --problem quadratic:n=5 --points 9 --dry-run --json").out, "stdout");
  CHECK(slice["values"] == 81);
  CHECK(slice["products"] == 2);
  // The Hessian of the certificate, here and where Newton's step leads.
  const Json point = parse_json(run_hesse(other, "classify --problem quadratic:n=7 --dry-run --json").out, "stdout");
  CHECK(point["products"] == 14);
  // One cell ends at once. The other takes ten million steps, which no machine makes in its trial.
  const Json cells = parse_json(run_hesse(other,
                                          "profile --problem quadratic:n=300,condition=1e12 --optimizer lbfgs "
                                          "--optimizer sgd:lr=1e-9 --digits 15 --max-steps 10000000 "
                                          "--max-seconds 7 --repetitions 2 --dry-run --json")
                                    .out,
                                "stdout");
  CHECK(cells["cells"] == 2);
  const Json slow = cells["plan"][1];
  CHECK(slow["ended"] == 0);
  CHECK(slow["seconds_at_most"].get<double>() == slow["seconds_at_least"].get<double>() + 2 * 7);
  const Json both = parse_json(run_hesse(other, "validate --problem rosenbrock --dry-run --json").out, "stdout");
  CHECK(both["cells"] == 2);
  CHECK(both["plan"][0]["problem"] == "rosenbrock");
  CHECK(both["seconds_at_least"].get<double>() > 0);
}
