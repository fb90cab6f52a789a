#include "hesse/core/error.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/second_order/lbfgs.h"
#include "hesse/optim/second_order/newton_cg.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <string_view>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

double telemetry(const StepReport& report, std::string_view name) {
  for (std::size_t i = 0; i < report.telemetry_count; ++i) {
    if (report.telemetry[i].name == name) return report.telemetry[i].value;
  }
  FAIL("no telemetry " << name);
  return 0;
}

/// A quadratic that is two functions: all samples (A) and a batch of half of them (4 A, another centre).
class TwoBatches final : public Objective, public FiniteSum {
 public:
  TwoBatches() : layout_(3) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * scale() * (x - centre()).squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = scale() * (x - centre());
    return value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    fail("two batches: no curvature");
  }
  Index samples() const override { return all_ ? 2 : 1; }
  Index total_samples() const override { return 2; }
  std::uint64_t revision() const override { return revision_; }
  Index sample_count() const override { return 2; }
  std::span<const Index> selection() const override { return {}; }
  void select(std::span<const Index>) override {
    all_ = false;
    ++revision_;
  }
  void select_all() override {
    all_ = true;
    ++revision_;
  }

 private:
  double scale() const { return all_ ? 1 : 4; }
  Vector centre() const { return Vector::Constant(3, all_ ? 1 : -1); }
  ParameterLayout layout_;
  bool all_ = true;
  std::uint64_t revision_ = 0;
};

/// A saddle at the origin between minima of value -1 at (0, +-sqrt 2).
struct Saddle {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * x[0] - x[1] * x[1] + 0.25 * x[1] * x[1] * x[1] * x[1];
  }
};

/// Gradient x, curvature `scale`, and values offset + |x|^2 / 2, which are not a number at trial points if
/// `cliff`.
class Misfit final : public Objective {
 public:
  double offset = 0;
  double scale = 1;
  bool cliff = false;
  Misfit() : layout_(2) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return cliff ? std::nan("") : offset + 0.5 * x.squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = x;
    return offset + 0.5 * x.squaredNorm();
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    return function_operator(2, [c = scale](ConstMatrixView X, MatrixView Y) { Y = c * X; });
  }

 private:
  ParameterLayout layout_;
};

}  // namespace

TEST_CASE("Truncated Newton stops where values are lost in rounding and gradients do not fall either") {
  Misfit f;
  f.offset = 1e20;
  f.scale = 0.1;  // each step is ten times too long
  auto optimizer = optimizers().make(parse_spec("newton-cg:trust_radius=100"), {f, 0});
  Vector x = Eigen::Vector2d(1, 2);
  CHECK(optimizer->step(f, x).status == StepStatus::ok);
  CHECK(optimizer->step(f, x).status == StepStatus::line_search_at_rounding);
  // With the right model the gradient does fall, and the steps count.
  Misfit right;
  right.offset = 1e20;
  optimizer = optimizers().make(parse_spec("newton-cg:trust_radius=100"), {right, 0});
  x = Eigen::Vector2d(6, 8);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-8;
  stopping.max_steps = 20;
  CHECK(minimize(*optimizer, right, x, stopping).termination == Termination::gradient);
}

TEST_CASE("Truncated Newton whose region collapsed starts with the first radius again") {
  Misfit f;
  f.cliff = true;
  auto optimizer = optimizers().make(parse_spec("newton-cg:trust_radius=0.5"), {f, 0});
  const Vector start = Eigen::Vector2d(3, 4);
  Vector x = start;
  CHECK(optimizer->step(f, x).status == StepStatus::trust_region_collapsed);
  CHECK(x == start);
  f.cliff = false;
  const StepReport next = optimizer->step(f, x);
  CHECK(next.status == StepStatus::ok);
  CHECK(next.step_norm == Approx(0.5));
}

TEST_CASE("L-BFGS with memory n and near exact searches makes the iterates of conjugate gradients") {
  const Index n = GENERATE(2, 3, 6, 10);
  // Well conditioned, so that the search's relative error 1e-9 and rounding are amplified little.
  Quadratic f(linear_spectrum(n, 10), Vector::LinSpaced(n, -1, 1), 3, 11);
  const auto A = f.curvature(Vector::Zero(n), Curvature::hessian);
  Lbfgs lbfgs({.memory = n, .ftol = 1e-12, .gtol = 1e-9, .max_evaluations = 60});
  Vector x = Vector::Constant(n, 2);
  Vector z = x;
  Vector r;
  f.value_and_gradient(z, r);
  const double start = r.norm();
  Vector p = -r;
  Vector Ap(n);
  for (Index k = 0; k < n && r.norm() > 1e-4 * start; ++k) {
    lbfgs.step(f, x);
    A->apply(p, Ap);
    const double rr = r.squaredNorm();
    const double alpha = rr / p.dot(Ap);
    z += alpha * p;
    r += alpha * Ap;
    p = (r.squaredNorm() / rr) * p - r;
    CAPTURE(n, k);
    CHECK((x - z).norm() <= 1e-6 * std::max(1.0, z.norm()));
  }
}

TEST_CASE("L-BFGS finds the minimum of a quadratic of any size and any memory") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const Index memory = GENERATE(1, 3, 10);
  Quadratic f(logarithmic_spectrum(n, 100), Vector::Ones(n), n > 1 ? 2 : 0, 5);
  Lbfgs lbfgs({.memory = memory});
  Vector x = Vector::Zero(n);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-8;
  stopping.max_steps = 500;
  const Summary summary = minimize(lbfgs, f, x, stopping);
  CAPTURE(n, memory, summary.message);
  CHECK(summary.termination == Termination::gradient);
  CHECK((x - Vector::Ones(n)).norm() <= 1e-8 * 100);  // |x - c| <= |g| / lambda_min
}

TEST_CASE("L-BFGS evaluates an accepted point once") {
  FunctorObjective<Rosenbrock> f({}, 2);
  CountingObjective counted(f);
  Lbfgs lbfgs({});
  Vector x = Eigen::Vector2d(-1.2, 1);
  std::int64_t evaluations = 1;  // the start
  for (int i = 0; i < 15; ++i) evaluations += lbfgs.step(counted, x).inner_iterations;
  CHECK(counted.cost().gradients == evaluations);
  CHECK(counted.cost().values == 0);
}

TEST_CASE("L-BFGS never takes the value of a batch for that of all samples") {
  TwoBatches f;
  Lbfgs lbfgs({});
  Vector x = Vector::Constant(3, 5);
  const Index one[] = {0};
  f.select(one);
  CHECK(lbfgs.step(f, x).value == 4 * 0.5 * 3 * 36);
  f.select_all();
  const double expected = f.value(x);
  const StepReport full = lbfgs.step(f, x);
  CHECK(full.value == expected);
  f.select(one);
  const double on_batch = f.value(x);
  CHECK(lbfgs.step(f, x).value == on_batch);
}

TEST_CASE("L-BFGS that refuses a curvature pair still has its last m pairs as they were") {
  // With gtol near 1 steps are accepted whose pair fails a strict curvature test, here s'y > 0.99 |s||y|.
  FunctorObjective<ChainedRosenbrock> f({6}, 6);
  Lbfgs lbfgs({.memory = 3, .curvature = 0.97});
  Vector x = Vector::LinSpaced(6, -1, 1);
  int refused = 0;
  int kept = 0;
  for (int step = 0; step < 60; ++step) {
    const StateView before = lbfgs.state();
    const Matrix S = *std::get<Matrix*>(before[0].data);
    const std::int64_t pairs = *std::get<std::int64_t*>(before[3].data);
    const std::int64_t next = *std::get<std::int64_t*>(before[4].data);
    if (lbfgs.step(f, x).status != StepStatus::ok) break;
    const StateView after = lbfgs.state();
    const Matrix& T = *std::get<Matrix*>(after[0].data);
    if (pairs < 3 || *std::get<std::int64_t*>(after[3].data) < 3) continue;
    if (*std::get<std::int64_t*>(after[4].data) != next) {
      ++kept;
      continue;
    }
    ++refused;
    for (std::int64_t age = 1; age <= 3; ++age) {
      const Index column = (next - age + T.cols()) % T.cols();
      CHECK(T.col(column) == S.col(column));
    }
  }
  CHECK(refused > 0);
  CHECK(kept > 0);
}

TEST_CASE("Truncated Newton with a wide region solves a convex quadratic in the one step its forcing allows") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  // Two distinct eigenvalues: conjugate gradients are exact after two products.
  Vector lambda = Vector::Constant(n, 3);
  lambda.head((n + 1) / 2).setConstant(0.5);
  Quadratic f(lambda, Vector::LinSpaced(n, 1, 2), n > 1 ? 3 : 0, 2);
  NewtonCg newton({.trust_radius = 1000, .forcing = 1e-12});
  Vector x = Vector::Zero(n);
  const StepReport report = newton.step(f, x);
  CHECK(report.inner_iterations <= 2);
  CHECK((x - f.centre()).norm() <= 200 * kEps * f.centre().norm());
  CHECK(telemetry(report, "rho") == Approx(1).epsilon(1e-10));
  CHECK(telemetry(report, "negative_curvature") == 0);
}

TEST_CASE("Truncated Newton stays inside the radius and enlarges it when the model is right") {
  Quadratic f(linear_spectrum(10, 5), Vector::Constant(10, 10));
  NewtonCg newton({.trust_radius = 0.5, .max_trust_radius = 1});
  Vector x = Vector::Zero(10);
  StepReport report = newton.step(f, x);
  CHECK(report.step_norm == Approx(0.5).epsilon(1e-12));
  CHECK(telemetry(report, "trust_radius") == 1);
  report = newton.step(f, x);
  CHECK(report.step_norm == Approx(1).epsilon(1e-12));
  CHECK(telemetry(report, "trust_radius") == 1);
}

TEST_CASE("Truncated Newton linearises once a step however many radii it rejects") {
  FunctorObjective<Rosenbrock> f({}, 2);
  CountingObjective counted(f);
  NewtonCg newton({.trust_radius = 100});
  Vector x = Eigen::Vector2d(-1.2, 1);
  double rejected = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t before = counted.cost().linearisations;
    const StepReport report = newton.step(counted, x);
    if (report.status != StepStatus::ok || report.gradient_norm < 1e-8) break;
    CHECK(counted.cost().linearisations - before == 1);
    rejected += telemetry(report, "rejected");
  }
  CHECK(rejected > 0);
}

TEST_CASE("Truncated Newton leaves a saddle along negative curvature") {
  FunctorObjective<Saddle> f({}, 2);
  NewtonCg newton({});
  Vector x = Eigen::Vector2d(0.5, 1e-3);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-10;
  stopping.max_steps = 100;
  const Summary summary = minimize(newton, f, x, stopping);
  CAPTURE(summary.message);
  CHECK(summary.termination == Termination::gradient);
  CHECK(summary.value == Approx(-1).epsilon(1e-12));  // at (0, +-sqrt 2)
  CHECK(std::abs(x[1]) == Approx(std::sqrt(2.0)).epsilon(1e-9));
}

TEST_CASE("The values that truncated Newton accepts never rise, and its gradient converges superlinearly") {
  FunctorObjective<ChainedRosenbrock> f({8}, 8);
  NewtonCg newton({});
  Vector x = Vector::LinSpaced(8, -1, 1.5);
  double last = 0;
  double ratio = 1;
  for (int i = 0; i < 100; ++i) {
    const StepReport report = newton.step(f, x);
    if (report.status != StepStatus::ok || report.gradient_norm < 1e-9) break;
    CHECK(report.value_after <= report.value);
    ratio = report.gradient_norm / last;
    last = report.gradient_norm;
  }
  CHECK(last < 1e-2);
  CHECK(ratio < 0.1);
}

TEST_CASE("An objective without the curvature asked for says so") {
  FunctorObjective<Beale> f({}, 2);
  auto optimizer = optimizers().make(parse_spec("newton-cg:curvature=gauss-newton"), {f, 0});
  Vector x = Eigen::Vector2d(1, 1);
  CHECK_THROWS_AS(optimizer->step(f, x), Error);
}

TEST_CASE("Wrong options of second-order methods are refused") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  for (const char* text :
       {"lbfgs:memory=0", "lbfgs:ftol=0", "lbfgs:gtol=1", "lbfgs:curvature=-1", "newton-cg:eta=0.25",
        "newton-cg:trust_radius=0", "newton-cg:forcing=1", "newton-cg:max_cg=0", "newton-cg:curvature=none"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(optimizers().make(parse_spec(text), {f, 0}), Error);
  }
}
