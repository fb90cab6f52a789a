#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/second_order/bfgs.h"
#include "hesse/optim/second_order/compact_matrix.h"
#include "hesse/optim/second_order/globalized.h"
#include "hesse/optim/second_order/lbfgs.h"
#include "hesse/optim/second_order/sr1.h"

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

/// Gradient x with an error of this size in turning directions, curvature `scale`, and values offset + |x|^2 / 2, which
/// are not a number off the first point if `cliff`.
class Misfit final : public Objective {
 public:
  double offset = 0;
  double scale = 1;
  bool cliff = false;
  Misfit() : layout_(2) {}
  const ParameterLayout& layout() const override { return layout_; }
  double error = 0;
  double value(const Vector& x) override { return offset + 0.5 * x.squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    ++calls_;
    g = x + error * Eigen::Vector2d(std::cos(2.4 * calls_), std::sin(2.4 * calls_));
    return cliff && calls_ > 1 ? std::nan("") : value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    return function_operator(2, [c = scale](ConstMatrixView X, MatrixView Y) { Y = c * X; });
  }

 private:
  ParameterLayout layout_;
  double calls_ = 0;
};

}  // namespace

TEST_CASE("In a trust region values that are lost in rounding give way to gradients, until these stop falling") {
  // Steps of the model are ten times too long, and values say nothing.
  Misfit f;
  f.offset = 1e20;
  f.scale = 0.1;
  const auto optimizer = make_optimizer("newton-cg+trust-region:trust_radius=100", {f, 0});
  Vector x = Eigen::Vector2d(1, 2);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-8;
  stopping.max_steps = 1000;
  CHECK(minimize(*optimizer, f, x, stopping).termination == Termination::gradient);

  // Gradients that hold a constant error of their own: the run ends where they stop falling, and says so.
  f.error = 1e-3;
  stopping.gradient_tolerance = 1e-8;
  const auto again = make_optimizer("newton-cg+trust-region:trust_radius=100", {f, 0});
  x = Eigen::Vector2d(1, 2);
  const Summary summary = minimize(*again, f, x, stopping);
  CAPTURE(summary.message);
  CHECK(summary.termination == Termination::rounding);
  CHECK(summary.progress.step < 200);
  CHECK(x.norm() <= 10 * f.error);
}

TEST_CASE("A trust region that collapsed starts with the first radius again") {
  Misfit f;
  f.cliff = true;
  const auto optimizer = make_optimizer("newton-cg+trust-region:trust_radius=0.5", {f, 0});
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
  const auto lbfgs =
      make_optimizer(fmt::format("lbfgs:memory={}+more-thuente:ftol=1e-12,gtol=1e-9,max_evaluations=60", n), {f, 0});
  Vector x = Vector::Constant(n, 2);
  Vector z = x;
  Vector r;
  f.value_and_gradient(z, r);
  const double start = r.norm();
  Vector p = -r;
  Vector Ap(n);
  for (Index k = 0; k < n && r.norm() > 1e-4 * start; ++k) {
    lbfgs->step(f, x);
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
  const auto lbfgs = make_optimizer(fmt::format("lbfgs:memory={}", memory), {f, 0});
  Vector x = Vector::Zero(n);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-8;
  stopping.max_steps = 500;
  const Summary summary = minimize(*lbfgs, f, x, stopping);
  CAPTURE(n, memory, summary.message);
  CHECK(summary.termination == Termination::gradient);
  CHECK((x - Vector::Ones(n)).norm() <= 1e-8 * 100);  // |x - c| <= |g| / lambda_min
}

TEST_CASE("L-BFGS evaluates an accepted point once") {
  FunctorObjective<Rosenbrock> f({}, 2);
  CountingObjective counted(f);
  const auto lbfgs = make_optimizer("lbfgs", {f, 0});
  Vector x = Eigen::Vector2d(-1.2, 1);
  std::int64_t evaluations = 1;  // the start
  for (int i = 0; i < 15; ++i) evaluations += lbfgs->step(counted, x).inner_iterations;
  CHECK(counted.cost().gradients == evaluations);
  CHECK(counted.cost().values == 0);
}

TEST_CASE("L-BFGS never takes the value of a batch for that of all samples") {
  TwoBatches f;
  const auto lbfgs = make_optimizer("lbfgs", {f, 0});
  Vector x = Vector::Constant(3, 5);
  const Index one[] = {0};
  f.select(one);
  CHECK(lbfgs->step(f, x).value == 4 * 0.5 * 3 * 36);
  f.select_all();
  const double expected = f.value(x);
  const StepReport full = lbfgs->step(f, x);
  CHECK(full.value == expected);
  f.select(one);
  const double on_batch = f.value(x);
  CHECK(lbfgs->step(f, x).value == on_batch);
}

TEST_CASE("L-BFGS that refuses a curvature pair still has its last m pairs as they were") {
  Lbfgs lbfgs({.memory = 3});
  Quadratic f(Vector::Ones(6), Vector::Zero(6));
  Vector x = Vector::Ones(6);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  lbfgs.prepare(f, {x, g, value, g.norm()});
  const RandomStream stream(5, Purpose::test);
  Vector before(6);
  Vector after(6);
  for (std::uint64_t k = 0; k < 8; ++k) {
    Vector s(6);
    RandomStream(5, Purpose::test, k).fill_normal(s);
    lbfgs.update(s, 2 * s + 0.1 * s.reverse());
    lbfgs.direction({x, g, value, g.norm()}, before);
    lbfgs.update(s, -s);  // negative curvature
    lbfgs.update(s, Vector::Zero(6));
    lbfgs.direction({x, g, value, g.norm()}, after);
    CHECK(after == before);
  }
}

TEST_CASE("Truncated Newton with a wide region solves a convex quadratic in the one step its forcing allows") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  // Two distinct eigenvalues: conjugate gradients are exact after two products.
  Vector lambda = Vector::Constant(n, 3);
  lambda.head((n + 1) / 2).setConstant(0.5);
  Quadratic f(lambda, Vector::LinSpaced(n, 1, 2), n > 1 ? 3 : 0, 2);
  const auto newton = make_optimizer("newton-cg:forcing=1e-12+trust-region:trust_radius=1000", {f, 0});
  Vector x = Vector::Zero(n);
  const StepReport report = newton->step(f, x);
  CHECK(report.inner_iterations <= 2);
  CHECK((x - f.centre()).norm() <= 200 * kEps * f.centre().norm());
  CHECK(telemetry(report, "rho") == Approx(1).epsilon(1e-10));
  CHECK(telemetry(report, "negative_curvature") == 0);
}

TEST_CASE("Truncated Newton stays inside the radius and enlarges it when the model is right") {
  Quadratic f(linear_spectrum(10, 5), Vector::Constant(10, 10));
  const auto newton = make_optimizer("newton-cg+trust-region:trust_radius=0.5,max_trust_radius=1", {f, 0});
  Vector x = Vector::Zero(10);
  StepReport report = newton->step(f, x);
  CHECK(report.step_norm == Approx(0.5).epsilon(1e-12));
  CHECK(telemetry(report, "trust_radius") == 1);
  report = newton->step(f, x);
  CHECK(report.step_norm == Approx(1).epsilon(1e-12));
  CHECK(telemetry(report, "trust_radius") == 1);
}

TEST_CASE("Truncated Newton linearises once a step however many radii it rejects") {
  FunctorObjective<Rosenbrock> f({}, 2);
  CountingObjective counted(f);
  const auto newton = make_optimizer("newton-cg+trust-region:trust_radius=100", {f, 0});
  Vector x = Eigen::Vector2d(-1.2, 1);
  double rejected = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t before = counted.cost().linearisations;
    const StepReport report = newton->step(counted, x);
    if (report.status != StepStatus::ok || report.gradient_norm < 1e-8) break;
    CHECK(counted.cost().linearisations - before == 1);
    rejected += telemetry(report, "rejected");
  }
  CHECK(rejected > 0);
}

TEST_CASE("Truncated Newton leaves a saddle along negative curvature") {
  FunctorObjective<Saddle> f({}, 2);
  const auto newton = make_optimizer("newton-cg", {f, 0});
  Vector x = Eigen::Vector2d(0.5, 1e-3);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-10;
  stopping.max_steps = 100;
  const Summary summary = minimize(*newton, f, x, stopping);
  CAPTURE(summary.message);
  CHECK(summary.termination == Termination::gradient);
  CHECK(summary.value == Approx(-1).epsilon(1e-12));  // at (0, +-sqrt 2)
  CHECK(std::abs(x[1]) == Approx(std::sqrt(2.0)).epsilon(1e-9));
}

TEST_CASE("The values that truncated Newton accepts never rise, and its gradient converges superlinearly") {
  FunctorObjective<ChainedRosenbrock> f({8}, 8);
  const auto newton = make_optimizer("newton-cg", {f, 0});
  Vector x = Vector::LinSpaced(8, -1, 1.5);
  double last = 0;
  double ratio = 1;
  for (int i = 0; i < 100; ++i) {
    const StepReport report = newton->step(f, x);
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
       {"lbfgs:memory=0", "lbfgs+more-thuente:ftol=0", "lbfgs+more-thuente:gtol=1", "lbfgs:curvature=-1",
        "newton-cg+trust-region:eta=0.25", "newton-cg+trust-region:trust_radius=0", "newton-cg:forcing=1",
        "newton-cg:max_cg=0", "newton-cg:curvature=none", "newton+more-thuente+trust-region", "adam+trust-region",
        "nonlinear-cg+trust-region", "newton-cg+trust-region:subproblem=exact", "newton+levenberg-marquardt",
        "gauss-newton", "newton+trust-regions"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(make_optimizer(text, {f, 0}), Error);
  }
}

TEST_CASE("A compact matrix equals the product of its updates, formed one by one") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const Index memory = GENERATE(1, 3, 5);
  const CompactForm form = GENERATE(CompactForm::bfgs, CompactForm::sr1);
  const Index pairs_made = GENERATE(0, 1, 4, 9);
  const double gamma = 0.7;
  CurvaturePairs pairs(memory);
  pairs.reserve(n);
  // Pairs of a positive definite matrix, so that every update is defined.
  Matrix G(n, n);
  RandomStream(1, Purpose::test).fill_normal(Eigen::Map<Vector>(G.data(), G.size()));
  const Matrix A = G * G.transpose() + Matrix::Identity(n, n);
  std::vector<std::pair<Vector, Vector>> all;
  for (Index k = 0; k < pairs_made; ++k) {
    Vector s(n);
    RandomStream(2, Purpose::test, static_cast<std::uint64_t>(k)).fill_normal(s);
    s *= std::pow(10.0, -static_cast<double>(k));  // steps shrink as they do in a run
    all.emplace_back(s, A * s);
    pairs.add(s, all.back().second);
  }
  // More pairs than dimensions make the compact middle matrices singular; a run refuses such pairs for SR1.
  if (std::min(memory, pairs_made) > n) return;
  Matrix B = gamma * Matrix::Identity(n, n);
  const std::size_t first = all.size() - static_cast<std::size_t>(pairs.count());
  for (std::size_t k = first; k < all.size(); ++k) {
    const auto& [s, y] = all[k];
    if (form == CompactForm::bfgs) {
      const Vector Bs = B * s;
      B += y * y.transpose() / y.dot(s) - Bs * Bs.transpose() / s.dot(Bs);
    } else {
      const Vector v = y - B * s;
      B += v * v.transpose() / v.dot(s);
    }
  }
  CompactMatrix compact(form);
  REQUIRE(compact.bind(pairs, n, gamma));
  Matrix product(n, n);
  compact.apply(Matrix::Identity(n, n), product);
  // Both lose up to the condition of the pairs, below 1e4 here.
  CHECK((product - B).norm() <= 1e-10 * B.norm());
}

TEST_CASE("BFGS with exact searches ends a quadratic of n variables after n steps, with its matrix the Hessian") {
  const Index n = GENERATE(1, 2, 3, 6);
  Quadratic f(linear_spectrum(n, 10), Vector::LinSpaced(n, -1, 1), n > 1 ? 3 : 0, 11);
  auto direction = std::make_unique<Bfgs>(BfgsOptions{});
  Bfgs& bfgs = *direction;
  Globalized optimizer(std::move(direction),
                       globalizations().make(parse_spec("more-thuente:ftol=1e-12,gtol=1e-10,max_evaluations=80"), {}));
  Vector x = Vector::Constant(n, 2);
  for (Index k = 0; k < n; ++k) optimizer.step(f, x);
  Matrix H(n, n);
  f.curvature(x, Curvature::hessian)->apply(Matrix::Identity(n, n), H);
  // The searches are exact to 1e-10, and n steps amplify that by the condition.
  CHECK((x - f.centre()).norm() <= 1e-7);
  CHECK((*bfgs.dense_matrix() - H).norm() <= 1e-6 * H.norm());
  Vector d;
  Vector g;
  const double value = f.value_and_gradient(Vector::Ones(n), g);
  const Vector one = Vector::Ones(n);
  bfgs.direction({one, g, value, g.norm()}, d);
  CHECK((one + d - f.centre()).norm() <= 1e-5);
}

TEST_CASE("The inverse and the matrix that BFGS keeps stay inverse to each other") {
  Bfgs bfgs({});
  Quadratic f(Vector::Ones(7), Vector::Zero(7));
  const Vector x = Vector::Ones(7);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  bfgs.prepare(f, {x, g, value, g.norm()});
  for (std::uint64_t k = 0; k < 20; ++k) {
    Vector s(7);
    RandomStream(3, Purpose::test, k).fill_normal(s);
    Vector y = 3 * s;
    y[static_cast<Index>(k % 7)] += 0.5 * s[static_cast<Index>(k % 7)];
    bfgs.update(s, y);
    Vector v(7);
    Vector d(7);
    RandomStream(4, Purpose::test, k).fill_normal(v);
    bfgs.direction({x, v, 0, v.norm()}, d);
    CHECK((*bfgs.dense_matrix() * d + v).norm() <= 1e-12 * v.norm() * 50);
    CHECK((*bfgs.dense_matrix() * s - y).norm() <= 1e-12 * y.norm() * 50);  // the secant equation
  }
}

TEST_CASE("BFGS and L-BFGS hand out the inverse of their matrix, which on a quadratic is that of the Hessian") {
  constexpr Index n = 5;
  const bool limited = GENERATE(false, true);
  Quadratic f(linear_spectrum(n, 10), Vector::LinSpaced(n, -1, 1), 3, 11);
  std::unique_ptr<Direction> direction;
  if (limited) {
    direction = std::make_unique<Lbfgs>(LbfgsOptions{.memory = 2 * n});
  } else {
    direction = std::make_unique<Bfgs>(BfgsOptions{});
  }
  Direction& method = *direction;
  Globalized optimizer(std::move(direction),
                       globalizations().make(parse_spec("more-thuente:ftol=1e-12,gtol=1e-10,max_evaluations=80"), {}));
  Vector x = Vector::Constant(n, 2);
  for (Index k = 0; k < n; ++k) optimizer.step(f, x);
  Matrix H(n, n);
  f.curvature(x, Curvature::hessian)->apply(Matrix::Identity(n, n), H);
  Matrix inverse(n, n);
  REQUIRE(method.inverse_matrix() != nullptr);
  method.inverse_matrix()->apply(Matrix::Identity(n, n), inverse);
  CHECK((inverse * H - Matrix::Identity(n, n)).norm() <= 1e-5);
  Matrix B(n, n);
  method.matrix()->apply(inverse, B);
  CHECK((B - Matrix::Identity(n, n)).norm() <= 1e-8);
}

TEST_CASE("L-BFGS hands out the same inverse after its pairs have been restored") {
  constexpr Index n = 4;
  Lbfgs method(LbfgsOptions{.memory = 3});
  Quadratic f(linear_spectrum(n, 10), Vector::Zero(n), 3, 11);
  const Vector x = Vector::Ones(n);
  method.prepare(f, {x, x, 0, 1});
  for (Index k = 0; k < n; ++k) method.update(Vector::Unit(n, k), static_cast<double>(k + 1) * Vector::Unit(n, k));
  Matrix expected(n, n);
  method.inverse_matrix()->apply(Matrix::Identity(n, n), expected);
  Lbfgs restored(LbfgsOptions{.memory = 3});
  const StateView from = method.state();
  const StateView to = restored.state();
  for (std::size_t i = 0; i < to.size(); ++i) {
    std::visit([&](auto* target) { *target = *std::get<std::decay_t<decltype(target)>>(from[i].data); }, to[i].data);
  }
  REQUIRE(restored.inverse_matrix()->size() == n);
  Matrix got(n, n);
  restored.inverse_matrix()->apply(Matrix::Identity(n, n), got);
  CHECK(got == expected);
}

TEST_CASE("SR1 is the Hessian of a quadratic after n independent steps, definite or not") {
  const Index n = GENERATE(1, 2, 3, 10);
  Matrix A(n, n);
  RandomStream(6, Purpose::test).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  A = (A + A.transpose()).eval();
  Quadratic any(Vector::Ones(n), Vector::Zero(n));
  Sr1 sr1({});
  const Vector x = Vector::Ones(n);
  sr1.prepare(any, {x, x, 0, 1});
  for (std::uint64_t k = 0; k < static_cast<std::uint64_t>(n) + 1; ++k) {
    Vector s(n);
    RandomStream(7, Purpose::test, k).fill_normal(s);
    sr1.update(s, A * s);
  }
  CHECK((*sr1.dense_matrix() - A).norm() <= 1e-8 * A.norm());
}

TEST_CASE("SR1 tells negative curvature by the least eigenvalue of its matrix") {
  const double least = GENERATE(-1.0, 0.5);
  const Matrix A = Eigen::Vector2d(least, 2).asDiagonal();
  Quadratic any(Vector::Ones(2), Vector::Zero(2));
  Sr1 sr1({});
  const Vector x = Vector::Ones(2);
  sr1.prepare(any, {x, x, 0, 1});
  for (const Vector& s : {Vector(Eigen::Vector2d(1, 0.3)), Vector(Eigen::Vector2d(-0.4, 1)), x}) sr1.update(s, A * s);
  REQUIRE((*sr1.dense_matrix() - A).norm() <= 1e-12);
  Vector d;
  CHECK(sr1.direction({x, x, 0, 1}, d).negative_curvature == (least < 0));
}
