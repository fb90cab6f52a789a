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

constexpr double kNoTarget = -std::numeric_limits<double>::infinity();

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
    const Tuning tuning = tune(parabola(start), problem, Search::rate, 6, folder / start, no_hooks);
    CAPTURE(start);
    REQUIRE(tuning.trials.size() == 6);
    CHECK(tuning.best == "gd:lr=1.8");
    CHECK_FALSE(tuning.at_edge);
    double least = tuning.trials[0].score(kNoTarget);
    for (const TuningTrial& trial : tuning.trials) least = std::min(least, trial.score(kNoTarget));
    CHECK(tuning.trials[0].method == at_power(start, 0));
    for (const TuningTrial& trial : tuning.trials)
      CHECK((trial.score(kNoTarget) == least) == (trial.method == tuning.best));
  }
  const Tuning low = tune(parabola("gd:lr=1e-3"), problem, Search::rate, 3, folder / "low", no_hooks);
  CHECK(low.at_edge);
  CHECK(low.best == "gd:lr=0.1");
  const Tuning wild = tune(parabola("gd:lr=1e200"), problem, Search::rate, 3, folder / "wild", no_hooks);
  CHECK(wild.best == "gd:lr=1e200");
  for (const TuningTrial& trial : wild.trials) CHECK(std::isinf(trial.score(kNoTarget)));
  const Tuning none = tune(parabola("lbfgs"), problem, Search::rate, 3, folder / "none", no_hooks);
  CHECK(none.trials.empty());
  CHECK(none.best == "lbfgs");
  CHECK(tune(parabola("gd"), problem, Search::rate, 0, folder / "zero", no_hooks).best == "gd");
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

TEST_CASE("Halton points fill the unit square evenly, one at a time, and a seed shifts them all") {
  const Index n = 512;
  Index inside[4][4] = {};
  for (Index i = 0; i < n; ++i) {
    const auto point = halton_point(2, 3, static_cast<std::uint64_t>(i));
    REQUIRE(point.size() == 2);
    for (const double u : point) CHECK((u >= 0 && u < 1));
    ++inside[static_cast<int>(4 * point[0])][static_cast<int>(4 * point[1])];
  }
  // A quarter by a quarter of 512 points: 32, within the discrepancy of the sequence (a random draw would stray by 16).
  for (const auto& row : inside)
    for (const Index count : row) CHECK(std::abs(count - 32) <= 8);
  CHECK(halton_point(2, 3, 7) == halton_point(2, 3, 7));
  const auto a = halton_point(2, 3, 7), b = halton_point(2, 4, 7), c = halton_point(2, 3, 8), d = halton_point(2, 4, 8);
  CHECK(a != b);
  // The same shift for every point, modulo one.
  const double moved = std::remainder((a[1] - b[1]) - (c[1] - d[1]), 1.0);
  CHECK(std::abs(moved) <= 1e-12);
  CHECK_THROWS_AS(halton_point(11, 1, 0), Error);
}

TEST_CASE("A point of the unit cube sets every tuned option within its range, around what was given") {
  const std::vector<double> middle = {0.5, 0.5};
  // The middle of a logarithmic range is the given rate; 1 - momentum lies between 0.5 and 0.005.
  CHECK(at_point("momentum:lr=0.2", middle) == "momentum:lr=0.2,momentum=0.95");
  CHECK(at_point("momentum+cosine", std::vector<double>{1, 1}) == "momentum:lr=5,momentum=0.995+cosine");
  CHECK(at_point("momentum", std::vector<double>{0, 0}) == "momentum:lr=0.0005,momentum=0.5");
  CHECK(tuned_options("momentum") == 2);
  CHECK(tuned_options("lbfgs") == 0);
}

TEST_CASE("The best of k trials has the quartiles of all subsets of k") {
  const std::vector<double> scores = {4, 1, 3, std::numeric_limits<double>::infinity(), 2, 7};
  const BestOf best = best_of(scores);
  const int n = static_cast<int>(scores.size());
  for (int k = 1; k <= n; ++k) {
    std::vector<double> minima;
    for (int subset = 0; subset < (1 << n); ++subset) {
      if (__builtin_popcount(static_cast<unsigned>(subset)) != k) continue;
      double least = std::numeric_limits<double>::infinity();
      for (int i = 0; i < n; ++i) {
        if ((subset >> i) & 1) least = std::min(least, scores[static_cast<std::size_t>(i)]);
      }
      minima.push_back(least);
    }
    std::sort(minima.begin(), minima.end());
    // The least value that a share q of the subsets do not exceed.
    const auto quantile = [&](double q) {
      const auto at = static_cast<std::size_t>(std::ceil(q * static_cast<double>(minima.size()) - 1e-9));
      return minima[std::max<std::size_t>(at, 1) - 1];
    };
    CHECK(best.lower[static_cast<std::size_t>(k - 1)] == quantile(0.25));
    CHECK(best.median[static_cast<std::size_t>(k - 1)] == quantile(0.5));
    CHECK(best.upper[static_cast<std::size_t>(k - 1)] == quantile(0.75));
  }
}

TEST_CASE(
    "A search over the space tries the method as it came and then other points, and misses of a target are infinite") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  RunSettings settings = parabola("momentum:lr=0.1");
  const Tuning tuning = tune(settings, problem, Search::space, 5, folder / "space", no_hooks);
  REQUIRE(tuning.trials.size() == 5);
  CHECK(tuning.trials[0].method == "momentum:lr=0.1");
  double least = std::numeric_limits<double>::infinity();
  for (const TuningTrial& trial : tuning.trials) least = std::min(least, trial.score(kNoTarget));
  for (const TuningTrial& trial : tuning.trials)
    CHECK((trial.score(kNoTarget) == least) == (trial.method == tuning.best));
  // Run again in the same folder: finished trials are read back.
  const Tuning again = tune(settings, problem, Search::space, 5, folder / "space", no_hooks);
  CHECK(again.best == tuning.best);
  settings.target = 1e-300;
  for (const TuningTrial& trial : tune(settings, problem, Search::space, 2, folder / "missed", no_hooks).trials) {
    CHECK(std::isinf(trial.score(settings.target)));
  }
  // Of trials that all miss the target the one that comes nearest is the best, whatever is searched.
  const Tuning missed = tune(settings, problem, Search::space, 5, folder / "space", no_hooks);
  CHECK(missed.best == tuning.best);
  CHECK(missed.best != missed.trials[0].method);
  settings.method = "gd:lr=0.018";
  const Tuning slow = tune(settings, problem, Search::rate, 6, folder / "slow", no_hooks);
  CHECK(slow.best == "gd:lr=1.8");
  settings.method = "momentum:lr=0.1";
  settings.target = 0.05;
  const Tuning timed = tune(settings, problem, Search::space, 4, folder / "timed", no_hooks);
  for (const TuningTrial& trial : timed.trials) {
    if (trial.outcome.verdict.value <= 0.05) {
      CHECK(trial.score(0.05) == trial.outcome.verdict.progress.cost.gradient_equivalents);
    }
  }
}

TEST_CASE("A comparison of what was tuned takes the best methods and refuses another problem") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  ComparisonSettings settings;
  settings.run = parabola("");
  settings.run.precision = Precision::float64;
  settings.methods = {"gd:lr=0.5", "momentum:lr=0.1"};
  settings.trials = 3;
  settings.search = Search::space;
  const Comparison tuned =
      compare(settings, problem, folder / "tuned", [](const ComparisonCell&) { return RunHooks{}; });
  REQUIRE(tuned.tunings.size() == 2);
  const TunedMethods methods = read_tuned(folder / "tuned", settings);
  CHECK(methods.warnings.empty());
  CHECK(methods.methods == std::vector<std::string>{tuned.tunings[0].best, tuned.tunings[1].best});
  const ComparisonSettings read = read_comparison(folder / "tuned");
  CHECK(read.search == Search::space);
  CHECK(read.trials == 3);
  ComparisonSettings other = settings;
  other.run.problem = "quadratic:n=5";
  CHECK_THROWS_WITH(read_tuned(folder / "tuned", other), Catch::Contains("tuned with problem"));
  CHECK_THROWS_WITH(read_tuned(folder / "nowhere", settings), Catch::Contains("hesse tune"));
  other = settings;
  other.run.budget = "7steps";
  other.run.target = 0.5;
  const TunedMethods elsewhere = read_tuned(folder / "tuned", other);
  REQUIRE(elsewhere.warnings.size() == 2);
  CHECK_THAT(elsewhere.warnings[0], Catch::Contains("budget") && Catch::Contains("7steps"));
  CHECK_THAT(elsewhere.warnings[1], Catch::Contains("target") && Catch::Contains("0.5"));
  // The seed of the trials must not be one of the comparison's.
  other = settings;
  other.seed = settings.seed + 999999;
  CHECK_NOTHROW(read_tuned(folder / "tuned", other));
  other.repetitions = 2;
  CHECK_THROWS_WITH(read_tuned(folder / "tuned", other), Catch::Contains("tuned on seed"));
}

TEST_CASE("More trials of a finished comparison are those that it has and further ones") {
  const ScratchFolder folder;
  Problem problem = problems().make(parse_spec("quadratic:n=4,condition=10"), {Precision::float64});
  ComparisonSettings settings;
  settings.run = parabola("");
  settings.methods = {"momentum:lr=0.1"};
  settings.search = GENERATE(Search::rate, Search::space);
  settings.trials = 3;
  compare(settings, problem, folder / "grown", [](const ComparisonCell&) { return RunHooks{}; });
  // A record has the seconds that its run took: it changes when the run is repeated.
  const auto record = folder / "grown" / "tuning" / "momentum_lr=0.1" / "trial-2" / "run.json";
  const std::string before = text_of(record);
  REQUIRE_FALSE(before.empty());
  settings.trials = 5;
  const Comparison grown =
      compare(settings, problem, folder / "grown", [](const ComparisonCell&) { return RunHooks{}; });
  CHECK(text_of(record) == before);
  const Comparison whole =
      compare(settings, problem, folder / "whole", [](const ComparisonCell&) { return RunHooks{}; });
  REQUIRE(grown.tunings[0].trials.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(grown.tunings[0].trials[i].method == whole.tunings[0].trials[i].method);
    CHECK(grown.tunings[0].trials[i].outcome.verdict.value == whole.tunings[0].trials[i].outcome.verdict.value);
  }
  CHECK(grown.tunings[0].best == whole.tunings[0].best);
}
