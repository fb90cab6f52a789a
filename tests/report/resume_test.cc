#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/trace.h"
#include "optim/methods.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

using namespace hesse;
using hesse::test::ScratchFolder;

namespace {

/// Ends a run in mid-air: nothing after this step is told to anybody.
class Kill final : public Observer {
 public:
  explicit Kill(std::int64_t step) : step_(step) {}
  bool after_step(const Iterate& iterate) override {
    if (iterate.progress.step == step_) throw std::runtime_error("killed");
    return false;
  }

 private:
  std::int64_t step_;
};

struct Run {
  FunctorObjective<ChainedRosenbrock> objective{ChainedRosenbrock{.n = 6}, 6};
  std::unique_ptr<Optimizer> optimizer;
  Vector x = Vector::LinSpaced(6, -1.2, 1);

  explicit Run(const std::string& name) : optimizer(make_optimizer(name, OptimizerContext{objective, 1})) {}
};

const std::function<double(const Vector&)> kTrainValue = [](const Vector& x) { return x.squaredNorm(); };

/// The columns that do not depend on the clock.
std::vector<double> figures_of(const std::filesystem::path& path) {
  std::vector<double> out;
  const Trace trace = read_trace(path);
  for (std::size_t c = 0; c < trace.columns.size(); ++c) {
    if (trace.columns[c] == "seconds") continue;
    for (const double figure : trace.column(trace.columns[c])) out.push_back(figure);
  }
  return out;
}

/// (x - i)^2, whose descent with a rate of 1e25 leaves the range of double after eight steps.
struct Distance {
  template <class T>
  T operator()(const T* x, Index i) const {
    return (x[0] - static_cast<double>(i)) * (x[0] - static_cast<double>(i));
  }
};

/// Where a run ends that diverges, killed after step `killed` and resumed unless that is 0.
Vector end_of_diverging(Objective& f, const char* method, const Batches& batches, Vector x, std::int64_t killed) {
  const ScratchFolder scratch;
  const CheckpointIdentity identity = {"p", method, 1, "float64"};
  Stopping stopping;
  stopping.max_steps = 2000;
  auto optimizer = make_optimizer(method, {f, 1});
  Progress progress;
  if (killed > 0) {
    CheckpointObserver checkpoints(scratch / "run", identity, f.layout(), {1, 0});
    Kill kill(killed);
    Observer* watching[] = {&checkpoints, &kill};
    std::filesystem::create_directories(scratch / "run");
    Vector lost = x;
    CHECK_THROWS(minimize(*optimizer, f, lost, stopping, batches, watching));
    optimizer = make_optimizer(method, {f, 1});
    progress = load_checkpoint(scratch / "run", identity, f.layout(), x, optimizer->state()).progress;
    CHECK(progress.step == killed);
  }
  const Summary summary = minimize(*optimizer, f, x, stopping, batches, {}, progress);
  CHECK(summary.termination == Termination::non_finite);
  CHECK(std::isfinite(summary.value));
  return x;
}

}  // namespace

TEST_CASE("a run that diverges falls back on the same point whether it was killed and resumed or not") {
  FunctorSum<Distance> sum({}, 1, 40);
  const Vector start = Vector::Ones(1);
  const Vector left_alone = end_of_diverging(sum, "sgd:lr=1e25", {10, 1}, start, 0);
  CHECK(end_of_diverging(sum, "sgd:lr=1e25", {10, 1}, start, 6) == left_alone);
  FunctorObjective<Rosenbrock> valley({}, 2);
  const Vector corner = Eigen::Vector2d(-1.2, 1);
  const Vector best = end_of_diverging(valley, "gd:lr=1", {}, corner, 0);
  CHECK(end_of_diverging(valley, "gd:lr=1", {}, corner, 3) == best);
}

TEST_CASE("killed at any step and resumed, every optimizer ends in the bits and the trace of a run left alone") {
  Stopping stopping;
  stopping.max_steps = 24;
  for (const std::string& name : every_method(false)) {
    const ScratchFolder scratch;
    // Small enough that plain gradient descent stays finite in this valley.
    const OptimizerSpec chain = parse_optimizer(name);
    const auto& options = optimizers().at(chain.method.name).options;
    const bool has_rate =
        std::any_of(options.begin(), options.end(), [](const auto& option) { return option.name == "lr"; });
    const std::string method = chain.method.name;
    const std::string spec = has_rate ? method + ":lr=1e-4" + name.substr(method.size()) : name;
    const CheckpointIdentity identity = {"rosenbrock", spec, 1, "float64"};
    Run straight(spec);
    TraceObserver reference(scratch / "reference.csv", {}, kTrainValue, {});
    Observer* watching[] = {&reference};
    const Summary whole = minimize(*straight.optimizer, straight.objective, straight.x, stopping, {}, watching);
    REQUIRE(whole.termination != Termination::non_finite);

    for (const std::int64_t killed : {3, 4, 11}) {
      CAPTURE(name, killed);
      const auto folder = scratch / std::to_string(killed);
      std::filesystem::create_directory(folder);
      {
        Run run(spec);
        CheckpointObserver checkpoints(folder, identity, run.objective.layout(), {.every_steps = 2});
        TraceObserver trace(folder / "trace.csv", {}, kTrainValue, {});
        Kill kill(killed);
        Observer* observers[] = {&trace, &checkpoints, &kill};
        try {
          minimize(*run.optimizer, run.objective, run.x, stopping, {}, observers);
        } catch (const std::runtime_error&) {
        }
      }
      Run run(spec);
      const LoadedCheckpoint loaded =
          load_checkpoint(folder, identity, run.objective.layout(), run.x, run.optimizer->state());
      CHECK(loaded.warning.empty());
      TraceObserver trace(folder / "trace.csv", {}, kTrainValue, {});
      Observer* observers[] = {&trace};
      const Summary rest = minimize(*run.optimizer, run.objective, run.x, stopping, {}, observers, loaded.progress);
      CHECK(std::memcmp(run.x.data(), straight.x.data(), sizeof(double) * 6) == 0);
      CHECK(rest.progress.step == whole.progress.step);
      CHECK(rest.progress.cost.gradient_equivalents == whole.progress.cost.gradient_equivalents);
      CHECK(rest.message == whole.message);
      const auto left = figures_of(folder / "trace.csv");
      const auto right = figures_of(scratch / "reference.csv");
      REQUIRE(left.size() == right.size());
      CHECK(std::memcmp(left.data(), right.data(), sizeof(double) * left.size()) == 0);
    }
  }
}
