#include "hesse/experiment/tune.h"

#include "hesse/core/error.h"
#include "hesse/experiment/compare.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <iterator>

using namespace hesse;
using test::ScratchFolder;

namespace {

RunSettings parabola(const std::string& method) {
  RunSettings settings;
  settings.problem = "quadratic:n=4,condition=10";
  settings.method = method;
  settings.budget = "40steps";
  return settings;
}
std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
RunHooks no_hooks(const std::string&) { return {}; }

}  // namespace

TEST_CASE("Trials are the learning rates around the one that a method came with, whatever is behind it") {
  CHECK(trial_methods("adam:beta1=0.8+cosine", 3) == std::vector<std::string>{"adam:lr=0.000316,beta1=0.8+cosine",
                                                                              "adam:lr=0.001,beta1=0.8+cosine",
                                                                              "adam:lr=0.00316,beta1=0.8+cosine"});
  CHECK(trial_methods("sgd:batch=7,lr=2", 2) == std::vector<std::string>{"sgd:lr=1.12,batch=7", "sgd:lr=3.56,batch=7"});
  CHECK(trial_methods("lbfgs", 5).empty());
  CHECK(trial_methods("gd", 0).empty());
  CHECK_THROWS_AS(trial_methods("adm", 3), Error);
}

TEST_CASE("The best trial is the one that ends lowest, and rates that diverge are none") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  // Eigenvalues from 0.1 to 1. After 40 steps the slowest part of f is left at (1 - 0.1 lr)^80 for rates up to 0.6, at
  // 0.9^80 for 1.9, and rates beyond 2 diverge.
  const Tuning tuning = tune(parabola("gd:lr=1.9"), problem, 7, folder / "t", no_hooks);
  REQUIRE(tuning.trials.size() == 7);
  CHECK(tuning.best == "gd:lr=1.9");
  CHECK_FALSE(tuning.at_edge);
  for (std::size_t i = 1; i < 4; ++i) CHECK(tuning.trials[i].score() < tuning.trials[i - 1].score());
  CHECK(tuning.trials[6].score() > tuning.trials[3].score());
  const Tuning low = tune(parabola("gd:lr=1e-3"), problem, 3, folder / "low", no_hooks);
  CHECK(low.at_edge);
  CHECK(low.best == "gd:lr=0.00316");
  const Tuning wild = tune(parabola("gd:lr=1e200"), problem, 3, folder / "wild", no_hooks);
  CHECK(wild.best == "gd:lr=1e200");
  for (const Trial& trial : wild.trials) CHECK(std::isinf(trial.score()));
  const Tuning none = tune(parabola("lbfgs"), problem, 3, folder / "none", no_hooks);
  CHECK(none.trials.empty());
  CHECK(none.best == "lbfgs");
}

TEST_CASE("A comparison that was stopped while tuning ends like one that was not") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  ComparisonSettings settings;
  settings.run = parabola("");
  settings.methods = {"gd:lr=2", "adam:lr=0.1", "lbfgs"};
  settings.trials = 4;
  settings.repetitions = 2;
  const Comparison whole =
      compare(settings, problem, folder / "whole", [](const ComparisonCell&) { return RunHooks{}; });
  REQUIRE(whole.tunings.size() == 3);
  REQUIRE(whole.cells.size() == 6);
  int calls = 0;
  const Comparison stopped = compare(settings, problem, folder / "stopped", [&](const ComparisonCell&) {
    RunHooks hooks;
    const bool stop = ++calls == 6;
    hooks.interrupted = [stop] { return stop; };
    return hooks;
  });
  CHECK(stopped.interrupted);
  CHECK(stopped.cells.empty());
  const ComparisonSettings read = read_comparison(folder / "stopped");
  CHECK(read.trials == 4);
  const Comparison resumed =
      compare(read, problem, folder / "stopped", [](const ComparisonCell&) { return RunHooks{}; });
  REQUIRE(resumed.cells.size() == whole.cells.size());
  for (std::size_t i = 0; i < whole.cells.size(); ++i) {
    CHECK(resumed.cells[i].method == whole.cells[i].method);
    CHECK(resumed.cells[i].outcome.verdict.value == whole.cells[i].outcome.verdict.value);
  }
  const std::string table = text_of(folder / "whole" / "tuning.csv");
  CHECK_THAT(table, Catch::Contains("gd:lr=2,gd:lr="));
  CHECK(text_of(folder / "stopped" / "tuning.csv") == table);
}
