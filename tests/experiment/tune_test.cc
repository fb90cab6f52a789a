#include "hesse/experiment/tune.h"

#include "hesse/core/error.h"
#include "hesse/experiment/compare.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

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

TEST_CASE("A method at another rate is the same chain with that rate in it") {
  CHECK(at_power("adam:beta1=0.8+cosine", -0.5) == "adam:lr=0.000316,beta1=0.8+cosine");
  CHECK(at_power("sgd:batch=7,lr=2", 0.25) == "sgd:lr=3.56,batch=7");
  CHECK(at_power("lbfgs", 1).empty());
  CHECK_THROWS_AS(at_power("adm", 0), Error);
}

TEST_CASE("A search over rates goes by tenfolds until the best has a worse one on either side, then halves the gaps") {
  const auto path = [](double optimum, double breaks, int trials) {
    std::vector<Tried> tried;
    std::vector<double> powers;
    for (int i = 0; i < trials; ++i) {
      const double power = next_power(tried);
      powers.push_back(power);
      tried.push_back({power, power > breaks ? std::numeric_limits<double>::infinity() : std::abs(power - optimum)});
    }
    return powers;
  };
  CHECK(path(0, 9, 7) == std::vector<double>{0, 1, -1, 0.5, -0.5, 0.25, -0.25});
  CHECK(path(2.4, 9, 6) == std::vector<double>{0, 1, 2, 3, 2.5, 2.75});
  CHECK(path(-1.3, 9, 6) == std::vector<double>{0, 1, -1, -2, -0.5, -1.5});
  // Rates above 10^-2 of the given one diverge.
  CHECK(path(-2.6, -2, 6) == std::vector<double>{0, -1, -2, -3, -4, -2.5});
  // On a curve with one peak the best is within a quarter of a decade, or half of it, after so few trials, wherever it
  // lies.
  for (double optimum = -2.5; optimum <= 2.5; optimum += 0.1) {
    const auto all = path(optimum, 9, 8);
    double nearest = 9;
    for (const double power : all) nearest = std::min(nearest, std::abs(power - optimum));
    CAPTURE(optimum);
    CHECK(nearest <= 0.25 + 1e-12);
  }
}

TEST_CASE("The best trial is the one that ends lowest, wherever the search began, and rates that diverge are none") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  // Eigenvalues from 0.1 to 1. After 40 steps the parts of f are left at (1 - lambda lr)^80, and rates beyond 2
  // diverge: the best rate is 2 / 1.1, wherever the search begins.
  for (const char* start : {"gd:lr=1.8", "gd:lr=0.018", "gd:lr=180"}) {
    const Tuning tuning = tune(parabola(start), problem, 6, folder / start, no_hooks);
    CAPTURE(start);
    REQUIRE(tuning.trials.size() == 6);
    CHECK(tuning.best == "gd:lr=1.8");
    CHECK_FALSE(tuning.at_edge);
    double least = tuning.trials[0].score();
    for (const Trial& trial : tuning.trials) {
      least = std::min(least, trial.score());
      CHECK(trial.method == at_power(start, trial.power));
    }
    for (const Trial& trial : tuning.trials) CHECK((trial.score() == least) == (trial.method == tuning.best));
  }
  const Tuning low = tune(parabola("gd:lr=1e-3"), problem, 3, folder / "low", no_hooks);
  CHECK(low.at_edge);
  CHECK(low.best == "gd:lr=0.1");
  const Tuning wild = tune(parabola("gd:lr=1e200"), problem, 3, folder / "wild", no_hooks);
  CHECK(wild.best == "gd:lr=1e200");
  for (const Trial& trial : wild.trials) CHECK(std::isinf(trial.score()));
  const Tuning none = tune(parabola("lbfgs"), problem, 3, folder / "none", no_hooks);
  CHECK(none.trials.empty());
  CHECK(none.best == "lbfgs");
  CHECK(tune(parabola("gd"), problem, 0, folder / "zero", no_hooks).best == "gd");
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
