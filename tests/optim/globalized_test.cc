#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "optim/methods.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

struct RosenbrockResiduals {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = 10.0 * (x[1] - x[0] * x[0]);
    r[1] = 1.0 - x[0];
  }
};

/// The same with x = (1e4 z_1, 1e-3 z_2).
struct RosenbrockInOtherUnits {
  template <class T>
  void operator()(const T* z, T* r) const {
    const T x[2] = {1e4 * z[0], 1e-3 * z[1]};
    RosenbrockResiduals{}(x, r);
  }
};

/// Linear residuals A x - b, 5 x 3 or of rank 2.
struct LinearResiduals {
  bool deficient = false;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (int i = 0; i < 5; ++i) {
      const double t = i - 2.0;
      r[i] = x[0] + t * x[1] + (deficient ? 2.0 * t : t * t) * x[2] - (1.0 + 0.3 * t * t - 0.1 * t * t * t);
    }
  }
};

/// A fit of y = b1 (1 - exp(-b2 t)) whose residuals do not vanish.
struct ExponentialFit {
  template <class T>
  void operator()(const T* b, T* r) const {
    using std::exp;
    const double t[] = {1, 2, 3, 5, 7, 10};
    const double y[] = {109, 149, 149, 191, 213, 224};
    for (int i = 0; i < 6; ++i) r[i] = y[i] - b[0] * (1.0 - exp(-b[1] * t[i]));
  }
};

/// Nothing but its value is finite beyond x = 2.
struct Cliff {
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    return -1.0 * log(2.0 - x[0]) + (x[0] - 1.0) * (x[0] - 1.0) * 0.5 + x[1] * x[1];
  }
};

Summary run(const std::string& method, Objective& f, Vector& x, double tolerance = 1e-9, std::int64_t steps = 500) {
  const auto optimizer = make_optimizer(method, {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = tolerance;
  stopping.max_steps = steps;
  return minimize(*optimizer, f, x, stopping);
}

/// Every direction with every globalisation that takes it, on objectives without residuals.
std::vector<std::string> every_pair() {
  std::vector<std::string> all;
  FunctorObjective<Rosenbrock> f({}, 2);
  for (const std::string& direction : directions().names()) {
    if (direction == "gauss-newton") continue;
    for (const std::string& globalization : globalizations().names()) {
      if (globalization == "undamped") continue;
      const std::string method = direction + "+" + globalization;
      try {
        make_optimizer(method, {f, 0});
        all.push_back(method);
      } catch (const Error&) {
        // The two do not go together, and say so.
      }
    }
  }
  return all;
}

}  // namespace

TEST_CASE("Every direction with every globalisation that takes it finds the minimum of Rosenbrock's valley") {
  for (const std::string& method : every_pair()) {
    FunctorObjective<Rosenbrock> f({}, 2);
    Vector x = Eigen::Vector2d(-1.2, 1);
    // Monotone searches take from Barzilai and Borwein's steps what makes them fast, and conjugacy wants the curvature
    // condition, for which backtracking does not ask.
    const bool gradient =
        method.starts_with("steepest") || method.starts_with("barzilai") || method == "nonlinear-cg+backtracking";
    const Summary s = run(method, f, x, gradient ? 1e-3 : 1e-8, gradient ? 20000 : 2000);
    CAPTURE(method, s.message, x[0], x[1]);
    CHECK(s.termination == Termination::gradient);
    // |x - x*| <= |g| / lambda_min, and lambda_min = 0.4 there.
    CHECK((x - Vector::Ones(2)).norm() <= (gradient ? 1e-2 : 1e-7));
  }
  CHECK(every_pair().size() >= 40);
}

TEST_CASE("Every direction with every globalisation that takes it solves a convex quadratic in ten variables") {
  for (const std::string& method : every_pair()) {
    Quadratic f(logarithmic_spectrum(10, 50), Vector::LinSpaced(10, -1, 1), 3, 4);
    Vector x = Vector::Constant(10, 3);
    const Summary s = run(method, f, x, 1e-8, 3000);
    CAPTURE(method, s.message);
    CHECK(s.termination == Termination::gradient);
    CHECK((x - f.centre()).norm() <= 1e-8 * 50);
  }
}

TEST_CASE("Newton's method solves a quadratic in one step, whatever goes around it") {
  for (const char* method :
       {"newton+undamped", "newton+backtracking", "newton+more-thuente", "newton+hager-zhang",
        "newton+trust-region:trust_radius=1e3", "newton+trust-region:trust_radius=1e3,subproblem=dogleg"}) {
    Quadratic f(logarithmic_spectrum(20, 1e3), Vector::LinSpaced(20, -1, 1), 3, 4);
    Vector x = Vector::Constant(20, 3);
    const auto optimizer = make_optimizer(method, {f, 0});
    const StepReport report = optimizer->step(f, x);
    CAPTURE(method);
    CHECK(report.status == StepStatus::ok);
    CHECK((x - f.centre()).norm() <= 1e3 * 100 * kEps * x.norm());
  }
}

TEST_CASE("Nonlinear conjugate gradients with near exact searches are the linear ones on a quadratic, in every form") {
  const std::string form = GENERATE("fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang");
  const Index n = 6;
  Quadratic f(linear_spectrum(n, 10), Vector::LinSpaced(n, -1, 1), 3, 11);
  const auto optimizer =
      make_optimizer("nonlinear-cg:form=" + form + "+more-thuente:ftol=1e-12,gtol=1e-10,max_evaluations=80", {f, 0});
  Vector x = Vector::Constant(n, 2);
  for (Index k = 0; k < n; ++k) optimizer->step(f, x);
  CAPTURE(form);
  CHECK((x - f.centre()).norm() <= 1e-6);
}

TEST_CASE("The step of Barzilai and Borwein is the inverse Rayleigh quotient of the last step") {
  Quadratic f(Vector(Eigen::Vector2d(1, 4)), Vector::Zero(2));
  const auto optimizer = make_optimizer("barzilai-borwein+undamped", {f, 0});
  Vector x = Eigen::Vector2d(1, 1);
  // g = (1, 4): the first step has length 1; y = A s, so s's / s'y = (1 + 16) / (1 + 64).
  const Vector g0 = Eigen::Vector2d(1, 4);
  const double first = 1 / g0.norm();
  optimizer->step(f, x);
  const Vector x1 = Vector::Ones(2) - first * g0;
  CHECK((x - x1).norm() <= 4 * kEps);
  optimizer->step(f, x);
  const Vector g1 = Eigen::Vector2d(x1[0], 4 * x1[1]);
  CHECK((x - (x1 - 17.0 / 65.0 * g1)).norm() <= 20 * kEps);
}

TEST_CASE("Saddle-free Newton in a subspace of all dimensions is the exact one") {
  FunctorObjective<StyblinskiTang> f({6}, 6);
  // Where H is indefinite: some coordinates lie between the inflections at +-sqrt(8 / 3).
  const Vector start = (Vector(6) << 0.3, -0.2, 2.5, -2.8, 1.0, 0.5).finished();
  Vector exact = start;
  Vector subspace = start;
  make_optimizer("saddle-free+undamped", {f, 0})->step(f, exact);
  make_optimizer("saddle-free:subspace=6+undamped", {f, 0})->step(f, subspace);
  CHECK((exact - subspace).norm() <= 1e-10 * (exact - start).norm());
  // By hand: the Hessian is diagonal, 6 x^2 - 16, and the gradient 2 x^3 - 16 x + 2.5.
  for (Index i = 0; i < 6; ++i) {
    const double x = start[i];
    const double step = -(2 * x * x * x - 16 * x + 2.5) / std::abs(6 * x * x - 16);
    CHECK(std::abs(exact[i] - x - step) <= 1e-12 * (1 + std::abs(step)));
  }
}

TEST_CASE("No curvature is evaluated at a rejected point, and no point is evaluated twice") {
  for (const char* method : {"newton", "newton+cubic", "newton-cg", "newton+trust-region:subproblem=gltr"}) {
    FunctorObjective<Rosenbrock> f({}, 2);
    CountingObjective counted(f);
    const auto optimizer = make_optimizer(method, {f, 0});
    Vector x = Eigen::Vector2d(-1.2, 1);
    double rejected = 0;
    std::int64_t steps = 0;
    for (; steps < 15; ++steps) {
      const StepReport report = optimizer->step(counted, x);
      if (report.status != StepStatus::ok) break;
      for (std::size_t i = 0; i < report.telemetry_count; ++i) {
        if (std::string_view(report.telemetry[i].name) == "rejected") rejected += report.telemetry[i].value;
      }
    }
    CAPTURE(method);
    CHECK(counted.cost().linearisations == steps);
    CHECK(static_cast<double>(counted.cost().gradients) == static_cast<double>(steps) + 1 + rejected);
    CHECK(counted.cost().values == 0);
  }
}

TEST_CASE("Gauss-Newton solves a linear problem in one step, by the solution of least norm where the rank is short") {
  const bool deficient = GENERATE(false, true);
  const std::string globalization =
      GENERATE("undamped", "levenberg-marquardt:scaled=false,factor=1e6",
               "levenberg-marquardt:update=nielsen,tau=1e-15,scaled=false", "backtracking");
  ResidualObjective<LinearResiduals> f({deficient}, 3, 5);
  Vector x = Vector::Zero(3);
  const auto optimizer = make_optimizer("gauss-newton+" + globalization, {f, 0});
  optimizer->step(f, x);
  Vector r;
  Matrix J;
  f.residuals_and_jacobian(Vector::Zero(3), r, J);
  const Vector expected = -J.completeOrthogonalDecomposition().solve(r);
  CAPTURE(deficient, globalization);
  CHECK((x - expected).norm() <= 1e-12 * (1 + expected.norm()));
}

TEST_CASE("Levenberg-Marquardt in every form finds zero and other residuals, to the last digits that f lets through") {
  const std::string method = GENERATE(
      "gauss-newton", "gauss-newton+levenberg-marquardt:update=nielsen",
      "gauss-newton+levenberg-marquardt:update=nielsen,scaled=false", "gauss-newton+levenberg-marquardt:scaled=false",
      "gauss-newton+levenberg-marquardt:geodesic=true", "gauss-newton+levenberg-marquardt:update=nielsen,geodesic=true",
      "gauss-newton+levenberg-marquardt:solver=cg", "gauss-newton+levenberg-marquardt:solver=cg,geodesic=true",
      "gauss-newton+trust-region", "gauss-newton+trust-region:scaled=true", "gauss-newton+cubic",
      "gauss-newton+more-thuente");
  CAPTURE(method);
  ResidualObjective<RosenbrockResiduals> valley({}, 2, 2);
  Vector x = Eigen::Vector2d(-1.2, 1);
  Summary s = run(method, valley, x, 1e-10);
  CAPTURE(s.message);
  CHECK(s.termination == Termination::gradient);
  CHECK((x - Vector::Ones(2)).norm() <= 1e-9);

  // Box, Hunter and Hunter (1978): certified by NIST (BoxBOD) as 213.80940889, 0.54723748542, sum of squares
  // 1168.0088766.
  ResidualObjective<ExponentialFit> fit({}, 2, 6);
  x = Eigen::Vector2d(100, 0.75);
  s = run(method, fit, x, 1e-7);
  CAPTURE(s.message);
  CHECK(converged(s.termination));
  CHECK(std::abs(x[0] - 213.80940889) <= 1e-7);
  CHECK(std::abs(x[1] - 0.54723748542) <= 1e-9);
  CHECK(2 * s.value == Approx(1168.0088766).epsilon(1e-10));
}

TEST_CASE("Residuals behind a penalty are not the whole of f, and methods that need them say so") {
  L2Objective f(std::make_unique<ResidualObjective<RosenbrockResiduals>>(RosenbrockResiduals{}, 2, 2), 0.1, true);
  CHECK_THROWS_WITH(make_optimizer("gauss-newton", {f, 0}), Catch::Contains("not made of residuals"));
}

TEST_CASE("Levenberg-Marquardt on residuals whose Jacobian is wrong collapses, and does not claim to have converged") {
  // The sign of J is turned: every step for which the model promises much raises f.
  const std::string update = GENERATE("more", "nielsen");
  struct Disagreeing final : Objective, LeastSquares {
    ResidualObjective<RosenbrockResiduals> inner{{}, 2, 2};
    const ParameterLayout& layout() const override { return inner.layout(); }
    double value(const Vector& x) override { return inner.value(x); }
    double value_and_gradient(const Vector& x, Vector& g) override {
      const double f = inner.value_and_gradient(x, g);
      g = -g;
      return f;
    }
    std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
      return inner.curvature(x, kind);
    }
    Index residual_count() const override { return 2; }
    void residuals(const Vector& x, Vector& r) override { inner.residuals(x, r); }
    void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) override {
      inner.residuals_and_jacobian(x, r, J);
      J = -J;
    }
    void second_derivative_along(const Vector& x, const Vector& v, Vector& rvv) override {
      inner.second_derivative_along(x, v, rvv);
    }
  } f;
  Vector x = Eigen::Vector2d(-1.2, 1);
  const auto optimizer = make_optimizer("gauss-newton+levenberg-marquardt:update=" + update, {f, 0});
  Stopping stopping;
  stopping.max_steps = 100;
  const Summary summary = minimize(*optimizer, f, x, stopping);
  CAPTURE(update, summary.message);
  CHECK(summary.termination == Termination::trust_region_collapsed);
  CHECK_FALSE(converged(summary.termination));
  CHECK(summary.value == f.value(Eigen::Vector2d(-1.2, 1)));
}

TEST_CASE("Levenberg-Marquardt refuses a solver that does not go with the problem, and says which does") {
  ResidualObjective<RosenbrockResiduals> f({}, 2, 2);
  CHECK_THROWS_WITH(make_optimizer("gauss-newton+levenberg-marquardt:solver=schur", {f, 0}), Catch::Contains("use qr"));
  CHECK_THROWS_WITH(make_optimizer("gauss-newton+levenberg-marquardt:solver=cg,update=more", {f, 0}),
                    Catch::Contains("use update=nielsen"));
}

TEST_CASE("Levenberg-Marquardt with the scaling of the columns makes the same steps in any units of x") {
  // x = D z with D = diag(1e4, 1e-3): the steps in z are those in x, up to rounding.
  const std::string update = GENERATE("more", "nielsen");
  ResidualObjective<RosenbrockResiduals> plain({}, 2, 2);
  ResidualObjective<RosenbrockInOtherUnits> scaled({}, 2, 2);
  const auto a = make_optimizer("gauss-newton+levenberg-marquardt:update=" + update, {plain, 0});
  const auto b = make_optimizer("gauss-newton+levenberg-marquardt:update=" + update, {scaled, 0});
  Vector x = Eigen::Vector2d(-1.2, 1);
  Vector z = Eigen::Vector2d(-1.2e-4, 1e3);
  for (int k = 0; k < 8; ++k) {
    a->step(plain, x);
    b->step(scaled, z);
    CAPTURE(update, k);
    CHECK(std::abs(1e4 * z[0] - x[0]) <= 1e-9);
    CHECK(std::abs(1e-3 * z[1] - x[1]) <= 1e-9);
  }
}

TEST_CASE("Levenberg-Marquardt pays a value for a rejected step and a value and a Jacobian for an accepted one") {
  ResidualObjective<RosenbrockResiduals> f({}, 2, 2);
  CountingObjective counted(f);
  const auto optimizer = make_optimizer("gauss-newton", {f, 0});
  Vector x = Eigen::Vector2d(-1.2, 1);
  double rejected = 0;
  std::int64_t steps = 0;
  for (; steps < 12; ++steps) {
    const StepReport report = optimizer->step(counted, x);
    if (report.status != StepStatus::ok || report.gradient_norm_after == 0) break;
    for (std::size_t i = 0; i < report.telemetry_count; ++i) {
      if (std::string_view(report.telemetry[i].name) == "rejected") rejected += report.telemetry[i].value;
    }
  }
  CHECK(rejected > 0);
  CHECK(counted.cost().gradients <= steps + 2);
  CHECK(static_cast<double>(counted.cost().values) >= static_cast<double>(steps) + rejected);
}

TEST_CASE("Where f ends beyond a cliff, methods stay on this side of it") {
  for (const std::string& method : every_pair()) {
    FunctorObjective<Cliff> f({}, 2);
    Vector x = Eigen::Vector2d(-30, 5);
    const Summary s = run(method, f, x, 1e-7, 20000);
    CAPTURE(method, s.message);
    CHECK(s.termination == Termination::gradient);
    // 1 / (2 - x) + x - 1 = 0 has the root (3 - sqrt 5) / 2.
    CHECK(x[0] == Approx((3 - std::sqrt(5.0)) / 2).epsilon(1e-6));
  }
}

TEST_CASE("The undamped iteration goes to a maximum that a globalised one leaves") {
  FunctorObjective<DoubleWell> f({}, 1);
  const Vector points = double_well_stationary_points();
  Vector x = Vector::Constant(1, 0.2);
  run("newton:indefinite=keep+undamped", f, x, 1e-10);
  CHECK(x[0] == Approx(points[1]).epsilon(1e-9));
  for (const char* method :
       {"newton", "newton+backtracking", "newton+cubic", "newton-cg", "saddle-free", "newton-minres"}) {
    x = Vector::Constant(1, 0.2);
    run(method, f, x, 1e-10);
    CAPTURE(method, x[0]);
    CHECK(std::min(std::abs(x[0] - points[0]), std::abs(x[0] - points[2])) <= 1e-8);
  }
}

TEST_CASE("A budget of values, evaluations or products ends a run, and says which") {
  FunctorObjective<ChainedRosenbrock> f({10}, 10);
  Stopping stopping;
  Vector x = Vector::Constant(10, -1);
  SECTION("evaluations") {
    stopping.max_gradients = 7;
    const auto optimizer = make_optimizer("lbfgs", {f, 0});
    const Summary s = minimize(*optimizer, f, x, stopping);
    CHECK(s.termination == Termination::budget);
    CHECK_THAT(s.message, Catch::Contains("7 evaluations"));
    CHECK(s.progress.cost.gradients >= 7);
  }
  SECTION("products") {
    stopping.max_products = 12;
    const auto optimizer = make_optimizer("newton-cg", {f, 0});
    const Summary s = minimize(*optimizer, f, x, stopping);
    CHECK(s.termination == Termination::budget);
    CHECK_THAT(s.message, Catch::Contains("12 products"));
  }
}

TEST_CASE("A run that has ended does not go on when it is taken up again") {
  FunctorObjective<Rosenbrock> f({}, 2);
  Vector x = Eigen::Vector2d(-1.2, 1);
  const auto optimizer = make_optimizer("newton", {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = 1e-8;
  const Summary first = minimize(*optimizer, f, x, stopping);
  REQUIRE(first.termination == Termination::gradient);
  const Vector end = x;
  const Summary second = minimize(*optimizer, f, x, stopping, {}, {}, first.progress);
  CHECK(second.termination == Termination::gradient);
  CHECK(second.message == first.message);
  CHECK(second.progress.step == first.progress.step);
  CHECK(x == end);
  CHECK_THROWS_AS(termination_of("never"), Error);
}

TEST_CASE("A run that may escape goes on from where it had arrived, once for each time") {
  FunctorObjective<DoubleWell> f({}, 1);
  const Vector points = double_well_stationary_points();
  Vector x = Vector::Constant(1, points[1] + 1e-3);
  const auto optimizer = make_optimizer("newton:indefinite=keep+undamped", {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = 1e-9;
  stopping.escape = [&](Objective&, Vector& at) {
    if (std::abs(at[0] - points[1]) > 1e-6) return false;
    at[0] = -1.5;
    return true;
  };
  const Summary s = minimize(*optimizer, f, x, stopping);
  CHECK(s.termination == Termination::gradient);
  CHECK(s.progress.escapes == 1);
  CHECK(x[0] == Approx(points[0]));
}
