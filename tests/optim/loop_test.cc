#include "hesse/core/error.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/early_stopping.h"
#include "hesse/optim/first_order/sgd.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/time_limit.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

using namespace hesse;

namespace {

/// f = 1/2 |x - 1|^2 over N equal samples, which counts what was selected.
class Samples final : public Objective, public FiniteSum {
 public:
  explicit Samples(Index count) : layout_(2), count_(count), selected_(count) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * (x.array() - 1).matrix().squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = x.array() - 1;
    return value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("samples: no curvature"); }
  Index samples() const override { return selected_; }
  Index total_samples() const override { return count_; }
  Index sample_count() const override { return count_; }
  std::span<const Index> selection() const override { return {}; }
  void select(std::span<const Index> samples) override { selected_ = static_cast<Index>(samples.size()); }
  void select_all() override { selected_ = count_; }

 private:
  ParameterLayout layout_;
  Index count_;
  Index selected_;
};

/// Reports whatever it is told to, without regard to the objective.
class Liar final : public Optimizer {
 public:
  explicit Liar(StepReport report) : report_(report) {}
  StepReport step(Objective&, Vector&) override { return report_; }
  StateView state() override { return {}; }

 private:
  StepReport report_;
};

class Sleeper final : public Observer {
 public:
  void begin(const Progress&, const Vector&, Optimizer&) override { ++begun; }
  bool after_step(const Iterate&) override {
    ++seen;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return false;
  }
  void end(const Summary&, const Vector&) override { ++ended; }
  int begun = 0;
  int seen = 0;
  int ended = 0;
};

/// 1000 + sum_i exp(x_i) - c_i x_i: minimiser log c_i, where the gradient is hardly ever exactly zero.
struct Lifted {
  static double centre(Index i) { return 1.3 + 0.37 * static_cast<double>(i); }
  template <class T>
  T operator()(const T* x) const {
    using std::exp;
    T sum = T(1000.0);
    for (Index i = 0; i < 5; ++i) sum = sum + exp(x[i]) - centre(i) * x[i];
    return sum;
  }
};

/// c_i (x - i)^2 / 2.
struct Parabola {
  static double curvature(Index i) { return 1 + 0.1 * static_cast<double>(i % 4); }
  template <class T>
  T operator()(const T* x, Index i) const {
    const T away = x[0] - static_cast<double>(i);
    return 0.5 * curvature(i) * away * away;
  }
};

Quadratic bowl() { return Quadratic(Eigen::Vector2d(1, 0.25), Vector::Zero(2)); }

}  // namespace

TEST_CASE("Every rule stops the run under its own name, with a message that carries the numbers") {
  Quadratic f = bowl();
  Sgd gd({.lr = 1});
  Vector x = Eigen::Vector2d(4, 4);
  Stopping stopping;
  stopping.max_steps = 10000;
  SECTION("gradient") {
    stopping.gradient_tolerance = 1e-6;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::gradient);
    CHECK(s.gradient_norm <= 1e-6);
    CHECK_THAT(s.message, Catch::StartsWith("gradient norm ") && Catch::Contains("<= 1e-06 after"));
  }
  SECTION("target") {
    stopping.target_value = 1e-3;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::target);
    CHECK(s.value <= 1e-3);
    CHECK_THAT(s.message, Catch::Contains("<= target 0.001"));
  }
  SECTION("step") {
    stopping.step_tolerance = 1e-5;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::step);
    CHECK_THAT(s.message, Catch::StartsWith("5 steps in a row"));
  }
  SECTION("plateau") {
    stopping.plateau_tolerance = 1e-3;
    Quadratic high(Eigen::Vector2d(1, 1e-12), Vector::Zero(2));
    x = Eigen::Vector2d(0, 4);
    const Summary s = minimize(gd, high, x, stopping);
    CHECK(s.termination == Termination::plateau);
    CHECK(s.progress.step == 1 + stopping.patience);
  }
  SECTION("steps") {
    stopping.max_steps = 7;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::budget);
    CHECK(s.progress.step == 7);
    CHECK_THAT(s.message, Catch::Contains("7 steps"));
  }
  SECTION("no steps at all") {
    stopping.max_steps = 0;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::budget);
    CHECK(s.value == f.value(Eigen::Vector2d(4, 4)));
    CHECK(std::isnan(s.initial_value));
  }
  SECTION("gradient equivalents") {
    stopping.max_gradient_equivalents = 12;
    const Summary s = minimize(gd, f, x, stopping);
    CHECK(s.termination == Termination::budget);
    CHECK(s.progress.step == 12);
    CHECK(s.progress.cost.gradients == 12);  // the evaluation of the result is not counted
  }
  SECTION("seconds") {
    stopping.max_seconds = 0;
    CHECK(minimize(gd, f, x, stopping).termination == Termination::budget);
  }
  SECTION("a gradient that is exactly zero at the start") {
    x.setZero();
    const std::string name = GENERATE("gd", "sgd", "momentum", "nesterov", "adam", "lbfgs", "newton-cg");
    auto optimizer = optimizers().make(parse_spec(name), {f, 0});
    const Summary s = minimize(*optimizer, f, x, stopping);
    CHECK(s.termination == Termination::gradient);
    CHECK(x == Vector::Zero(2));
  }
}

TEST_CASE("Without a tolerance the second-order methods stop by themselves where f is lost in rounding") {
  const std::string name = GENERATE("lbfgs", "newton-cg");
  FunctorObjective<Lifted> f({}, 5);
  auto optimizer = optimizers().make(parse_spec(name), {f, 0});
  Vector x = Vector::Constant(5, 3);
  Stopping stopping;
  stopping.max_steps = 10000;
  const Summary s = minimize(*optimizer, f, x, stopping);
  CAPTURE(name, s.message);
  CHECK((s.termination == Termination::rounding || s.termination == Termination::gradient));
  CHECK(s.progress.step < 200);
  // f is known to 1e-15 * 1000, so that values alone place x to sqrt(1e-12); slopes do better.
  for (Index i = 0; i < 5; ++i) CHECK(std::abs(x[i] - std::log(Lifted::centre(i))) <= 1e-6);
}

TEST_CASE("Epochs count samples drawn, and a budget of epochs ends at its last batch") {
  Samples f(10);
  Sgd sgd({.lr = 0.1});
  Vector x = Vector::Zero(2);
  Stopping stopping;
  stopping.max_epochs = 3;
  const Index size = GENERATE(0, 1, 3, 4, 10, 99);
  const Summary s = minimize(sgd, f, x, stopping, {.size = size, .seed = 1});
  const Index batch = size == 0 || size > 10 ? 10 : size;
  CHECK(s.termination == Termination::budget);
  CHECK(s.progress.step == 3 * ((10 + batch - 1) / batch));
  CHECK(s.progress.epochs == Approx(3).epsilon(1e-12));
  CHECK(s.progress.cost.gradient_samples == Approx(30).epsilon(1e-12));
  CHECK(f.samples() == 10);  // left on all samples
}

TEST_CASE("Batch, single-sample and mini-batch gradient descent are one loop, and take the steps written out by hand") {
  constexpr Index n = 12;
  FunctorSum<Parabola> f({}, 1, n);
  const Index size = GENERATE(0, 1, 5, 12);
  Stopping stopping;
  stopping.max_epochs = 2;
  Vector x = Vector::Constant(1, 4);
  const auto sgd = make_optimizer("sgd:lr=0.2", {f, 0});
  const Summary s = minimize(*sgd, f, x, stopping, {.size = size, .seed = 3});
  double y = 4;
  BatchSequence batches(n, size == 0 ? n : size, 3);
  for (std::int64_t step = 0; step < s.progress.step; ++step) {
    double slope = 0;
    const auto batch = batches.batch(step);
    for (const Index i : batch) slope += Parabola::curvature(i) * (y - static_cast<double>(i));
    y -= 0.2 * slope / static_cast<double>(batch.size());
  }
  CHECK(s.progress.step == (size == 1 ? 24 : size == 5 ? 6 : 2));
  CHECK(x[0] == Approx(y).epsilon(1e-13));
  // gd wants all samples whatever the run's batch.
  CHECK(make_optimizer("gd", {f, 0})->prefers_full_batch());
  CHECK_FALSE(sgd->prefers_full_batch());
}

TEST_CASE("Batches that have grown to all samples end a run by the rules of full batches") {
  constexpr Index n = 12;
  FunctorSum<Parabola> f({}, 1, n);
  const auto sgd = make_optimizer("sgd:lr=0.1", {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = 1e-6;
  stopping.max_steps = 10000;
  const auto end = [&](std::int64_t steps) {
    Vector x = Vector::Constant(1, 4);
    Stopping until = stopping;
    until.max_steps = steps;
    const Summary s = minimize(*sgd, f, x, until, {.size = 1, .seed = 3, .full_at = 5});
    Vector g;
    f.select_all();
    f.value_and_gradient(x, g);
    return std::pair(s, g.norm());
  };
  const auto [s, size] = end(stopping.max_steps);
  CHECK(s.termination == Termination::gradient);
  CHECK(size <= 1e-6);
  // Not an epoch of the first batches later than it could have ended: a step's report is of the point before it.
  CHECK(end(s.progress.step - 2).second > 1e-6);
  CHECK(s.progress.epochs > static_cast<double>(s.progress.step - 5));
}

TEST_CASE("A claim that a fresh evaluation does not confirm stops nothing") {
  Quadratic f = bowl();
  StepReport report;
  report.value = 1;
  report.gradient_norm = 1;
  Stopping stopping;
  stopping.max_steps = 9;
  SECTION("of a small gradient") {
    report.gradient_norm_after = 0;
    stopping.gradient_tolerance = 1e-3;
  }
  SECTION("of a low value") {
    report.value_after = -1e300;
    stopping.target_value = 0;
  }
  SECTION("of a value of minus infinity") {
    report.value_after = -std::numeric_limits<double>::infinity();
    stopping.target_value = -1;
  }
  Liar liar(report);
  Vector x = Eigen::Vector2d(4, 4);
  const Summary s = minimize(liar, f, x, stopping);
  CHECK(s.termination == Termination::budget);
  CHECK(s.progress.step == 9);
  CHECK(s.value == f.value(x));
}

TEST_CASE("Steps that fail are named as what they are") {
  Quadratic f = bowl();
  StepReport report;
  report.value = 1;
  report.gradient_norm = 1;
  const auto [status, termination] =
      GENERATE(std::pair{StepStatus::line_search_failed, Termination::line_search_failed},
               std::pair{StepStatus::line_search_at_rounding, Termination::rounding},
               std::pair{StepStatus::trust_region_collapsed, Termination::trust_region_collapsed},
               std::pair{StepStatus::non_finite, Termination::non_finite});
  report.status = status;
  Liar liar(report);
  Vector x = Eigen::Vector2d(4, 4);
  const Summary s = minimize(liar, f, x, {});
  CHECK(s.termination == termination);
  CHECK(s.progress.step == 1);
  CHECK(!s.message.empty());
}

TEST_CASE("A diverging run ends as non-finite, names the step, and returns the best finite point") {
  Quadratic f = bowl();
  Sgd gd({.lr = 1e6});
  Vector x = Eigen::Vector2d(4, 4);
  const double start = f.value(x);
  Stopping stopping;
  stopping.max_steps = 1000;
  const Summary s = minimize(gd, f, x, stopping);
  CAPTURE(s.message);
  CHECK(s.termination == Termination::non_finite);
  CHECK(!converged(s.termination));
  CHECK_THAT(s.message, Catch::StartsWith("diverged at step"));
  CHECK(x == Vector(Eigen::Vector2d(4, 4)));
  CHECK(s.value == start);
}

TEST_CASE("A run that ends by its budget at a point that is not finite does not say budget") {
  Quadratic f = bowl();
  Sgd gd({.lr = 1e200});
  Vector x = Eigen::Vector2d(4, 4);
  Stopping stopping;
  stopping.max_steps = 1;
  const Summary s = minimize(gd, f, x, stopping);
  CHECK(s.termination == Termination::non_finite);
  CHECK(x.allFinite());
  CHECK(std::isfinite(s.value));
}

TEST_CASE("Observers begin, see each step and end, and the clock stands still while they run") {
  Quadratic f = bowl();
  Sgd gd({.lr = 0.1});
  Vector x = Eigen::Vector2d(4, 4);
  Stopping stopping;
  stopping.max_steps = 10;
  Sleeper sleeper;
  Observer* const observers[] = {&sleeper};
  const Summary s = minimize(gd, f, x, stopping, {}, observers);
  CHECK(sleeper.begun == 1);
  CHECK(sleeper.seen == 10);
  CHECK(sleeper.ended == 1);
  CHECK(s.progress.seconds < 0.2);  // the observer slept for 0.2 s
}

TEST_CASE("Early stopping ends after `patience` looks without gain and keeps the best point") {
  Quadratic f = bowl();
  Sgd gd({.lr = 0.1});
  Vector x = Eigen::Vector2d(4, 4);
  Stopping stopping;
  stopping.max_steps = 1000;
  // The watched figure falls until x[0] = 4 * 0.9^k passes 1, then rises: k = 13 is nearest.
  EarlyStopping watch([](const Vector& at) { return std::abs(at[0] - 1); }, {.every = 1, .patience = 3});
  Observer* const observers[] = {&watch};
  const Summary s = minimize(gd, f, x, stopping, {}, observers);
  CHECK(s.termination == Termination::user);
  CHECK(watch.best_step() == 13);
  CHECK(s.progress.step == 16);
  CHECK(watch.best_point()[0] == Approx(4 * std::pow(0.9, 13)).epsilon(1e-12));
  CHECK(watch.best_figure() == std::abs(watch.best_point()[0] - 1));
  CHECK_THAT(s.message, Catch::Contains("step 13") && Catch::Contains("3 looks"));

  SECTION("a NaN is no gain") {
    EarlyStopping blind([](const Vector&) { return std::nan(""); }, {.every = 4, .patience = 2});
    Observer* const only[] = {&blind};
    CHECK(minimize(gd, f, x, stopping, {}, only).progress.step == 8);
    CHECK(blind.best_step() == -1);
    CHECK(blind.best_point().size() == 0);
  }
  SECTION("wrong options") {
    const auto figure = [](const Vector&) { return 0.0; };
    CHECK_THROWS_AS(EarlyStopping({}, {}), Error);
    CHECK_THROWS_AS(EarlyStopping(figure, {.every = 0}), Error);
    CHECK_THROWS_AS(EarlyStopping(figure, {.patience = 0}), Error);
    CHECK_THROWS_AS(EarlyStopping(figure, {.least_gain = std::nan("")}), Error);
  }
}

TEST_CASE("Wrong stopping rules and a start of the wrong size are refused") {
  Quadratic f = bowl();
  Sgd gd({});
  Vector x = Vector::Zero(2);
  CHECK_THROWS_AS(minimize(gd, f, x, {.gradient_tolerance = -1}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.gradient_tolerance = std::nan("")}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.target_value = std::nan("")}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.step_tolerance = -1}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.plateau_tolerance = -1}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.patience = 0}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.max_epochs = std::nan("")}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.max_gradient_equivalents = std::nan("")}), Error);
  CHECK_THROWS_AS(minimize(gd, f, x, {.max_seconds = std::nan("")}), Error);
  Vector short_start = Vector::Zero(1);
  CHECK_THROWS_AS(minimize(gd, f, short_start, {.max_steps = 1}), Error);
}

TEST_CASE("Every termination has its own spelling") {
  std::vector<std::string> names;
  for (const Termination t :
       {Termination::gradient, Termination::target, Termination::step, Termination::plateau, Termination::rounding,
        Termination::line_search_failed, Termination::trust_region_collapsed, Termination::budget,
        Termination::non_finite, Termination::user}) {
    names.emplace_back(to_string(t));
  }
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(std::find(names.begin(), names.end(), "unknown") == names.end());
}

TEST_CASE("A limit on the wall clock ends a run after a step, and counts what observers take") {
  class Slow final : public Observer {
   public:
    bool after_step(const Iterate&) override {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return false;
    }
  };
  Quadratic f = bowl();
  Sgd gd({.lr = 1e-3});
  Vector x = Vector::Ones(2);
  Stopping stopping;
  stopping.max_steps = 1000000;
  Slow slow;
  TimeLimit limit(0.1);
  Observer* const observers[] = {&slow, &limit};
  const Summary s = minimize(gd, f, x, stopping, {}, observers);
  CHECK(s.termination == Termination::user);
  CHECK_THAT(s.message, Catch::Contains("0.1 s on the wall clock"));
  // Each step waits 20 ms beside the run's own clock.
  CHECK(s.progress.step <= 5);
  CHECK_THROWS_AS(TimeLimit(0), Error);
}
