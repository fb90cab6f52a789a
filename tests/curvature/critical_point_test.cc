#include "hesse/curvature/critical_point.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <Eigen/LU>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

/// x^3 - 3 x y^2: at 0 gradient and Hessian vanish, and f falls in three directions.
struct MonkeySaddle {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * x[0] * x[0] - 3.0 * x[0] * x[1] * x[1];
  }
};

/// x^4 + y^2, and with the sign of x^4 turned: one Hessian at 0, a minimum and a saddle.
struct Quartic {
  double sign = 1;
  template <class T>
  T operator()(const T* x) const {
    return sign * (x[0] * x[0]) * (x[0] * x[0]) + x[1] * x[1];
  }
};

/// x^(3/2): at 0 the gradient is 0 and the second derivative infinite.
struct Power {
  template <class T>
  T operator()(const T* x) const {
    using std::pow;
    return pow(x[0], 1.5);
  }
};

template <class Functor>
CriticalPoint at(const Functor& functor, const Vector& x, const ClassifyOptions& options = {}) {
  FunctorObjective<Functor> f(functor, x.size());
  return classify(f, x, options);
}

Vector one(double x) { return Vector::Constant(1, x); }

/// The escape direction is a unit vector along which f falls at second order, and does not rise at first.
template <class Functor>
void check_escape(const Functor& functor, const Vector& x, const CriticalPoint& point) {
  FunctorObjective<Functor> f(functor, x.size());
  REQUIRE(point.escape_direction.size() == x.size());
  CHECK(point.escape_direction.norm() == Approx(1).epsilon(1e-14));
  const double t = 1e-3;
  CHECK(f.value(x + t * point.escape_direction) < f.value(x));
}

/// Newton's iteration to a stationary point of whatever kind.
template <class Functor>
Vector stationary_near(const Functor& functor, Vector x) {
  FunctorObjective<Functor> f(functor, x.size());
  Vector g;
  for (int i = 0; i < 20; ++i) {
    f.value_and_gradient(x, g);
    x -= to_dense(*f.curvature(x, Curvature::hessian)).fullPivLu().solve(g);
  }
  return x;
}

}  // namespace

TEST_CASE("the stationary points of the double well are two minima and a maximum between them") {
  const Vector points = double_well_stationary_points();
  for (const int i : {0, 2}) {
    const CriticalPoint point = at(DoubleWell{}, one(points[i]));
    CHECK(point.kind == CriticalKind::minimum);
    CHECK(point.index == 0);
    CHECK(point.certified);
    CHECK(point.escape_direction.size() == 0);
    // f'' = 12 x^2 - 8.
    CHECK(point.least_eigenvalue == Approx(12 * points[i] * points[i] - 8).epsilon(1e-13));
  }
  const CriticalPoint top = at(DoubleWell{}, one(points[1]));
  CHECK(top.kind == CriticalKind::maximum);
  CHECK(top.index == 1);
  CHECK_FALSE(top.may_be_minimum());
  check_escape(DoubleWell{}, one(points[1]), top);
}

TEST_CASE("Himmelblau's function has four minima, four saddles and a maximum") {
  for (const Vector& x : himmelblau_minimisers()) {
    CHECK(at(Himmelblau{}, x).kind == CriticalKind::minimum);
  }
  const Vector top = stationary_near(Himmelblau{}, Eigen::Vector2d(-0.27, -0.92));
  CHECK(at(Himmelblau{}, top).kind == CriticalKind::maximum);
  CHECK(at(Himmelblau{}, top).index == 2);
  for (const auto& start : {Eigen::Vector2d(-3.07, -0.08), Eigen::Vector2d(-0.13, -1.95), Eigen::Vector2d(0.09, 2.88),
                            Eigen::Vector2d(3.39, 0.07)}) {
    const Vector x = stationary_near(Himmelblau{}, start);
    const CriticalPoint point = at(Himmelblau{}, x);
    CAPTURE(x.transpose(), point.message);
    CHECK(point.kind == CriticalKind::saddle);
    CHECK(point.index == 1);
    CHECK(point.least_eigenvalue < 0);
    CHECK(point.largest_eigenvalue > 0);
    check_escape(Himmelblau{}, x, point);
  }
}

TEST_CASE(
    "every stationary point of Styblinski and Tang's function has as many negative directions as coordinates at "
    "the maximum") {
  const Vector roots = styblinski_tang_stationary_points();
  for (int code = 0; code < 27; ++code) {
    const Eigen::Vector3i which(code % 3, code / 3 % 3, code / 9);
    const Vector x = Eigen::Vector3d(roots[which[0]], roots[which[1]], roots[which[2]]);
    const Index tops = (which.array() == 1).count();
    const CriticalPoint point = at(StyblinskiTang{3}, x);
    CAPTURE(code, point.message);
    CHECK(point.index == tops);
    CHECK(point.kind == (tops == 0 ? CriticalKind::minimum : tops == 3 ? CriticalKind::maximum : CriticalKind::saddle));
  }
}

TEST_CASE("where the Hessian is singular the point is degenerate, whatever terms of higher order make of it") {
  CHECK(at(MonkeySaddle{}, Vector::Zero(2)).kind == CriticalKind::degenerate);
  for (const double sign : {1.0, -1.0}) {
    const CriticalPoint point = at(Quartic{sign}, Vector::Zero(2));
    CHECK(point.kind == CriticalKind::degenerate);
    CHECK(point.index == 0);
    CHECK(point.may_be_minimum());
  }
}

TEST_CASE(
    "near a singular stationary point the Hessian's drift over Newton's step takes its positive eigenvalue back") {
  // At x = 1e-3 the gradient 4e-9 passes, and f'' = 1.2e-5 is far beyond rounding; but it shrinks by 5/9 of itself over
  // the step -x/3, so that it proves nothing of the point that is being approached.
  const CriticalPoint point = at(Quartic{}, Eigen::Vector2d(1e-3, 0));
  CHECK(point.least_eigenvalue == Approx(1.2e-5));
  CHECK(point.kind == CriticalKind::degenerate);
  // Beside a minimum with a regular Hessian the drift is small, and the kind stands.
  CHECK(at(DoubleWell{}, one(double_well_stationary_points()[0] + 1e-10)).kind == CriticalKind::minimum);
}

TEST_CASE("the index of a quadratic is the number of negative eigenvalues that were chosen") {
  const Index n = 12;
  for (const Index negative : {0, 1, 5, 12}) {
    Vector spectrum = Vector::LinSpaced(n, 0.5, 3);
    spectrum.head(negative) *= -1;
    Quadratic f(spectrum, Vector::Ones(n), 4, 7);
    const CriticalPoint point = classify(f, Vector::Ones(n));
    CAPTURE(negative, point.message);
    CHECK(point.index == negative);
    CHECK(point.kind == (negative == 0   ? CriticalKind::minimum
                         : negative == n ? CriticalKind::maximum
                                         : CriticalKind::saddle));
    // Backward error of the factorisation and of forming H: n eps |H|, |H| = 3.
    const double bound = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * 3;
    CHECK(std::abs(point.least_eigenvalue - spectrum.minCoeff()) <= 10 * bound);
    CHECK(point.eigenvalue_error <= 10 * bound + 1e-14);
  }
  Vector singular = Vector::LinSpaced(n, 0, 3);
  Quadratic f(singular, Vector::Ones(n), 4, 7);
  CHECK(classify(f, Vector::Ones(n)).kind == CriticalKind::degenerate);
  singular[1] = -1;
  Quadratic indefinite(singular, Vector::Ones(n), 4, 7);
  CHECK(classify(indefinite, Vector::Ones(n)).kind == CriticalKind::saddle);
}

TEST_CASE("negative and zero eigenvalues without a positive one are no minimum, and whether a saddle is open") {
  Vector spectrum(3);
  spectrum << -2, 0, 0;
  Quadratic f(spectrum, Vector::Zero(3), 2, 1);
  const CriticalPoint point = classify(f, Vector::Zero(3));
  CHECK(point.kind == CriticalKind::degenerate);
  CHECK(point.index == 1);
  CHECK_FALSE(point.may_be_minimum());
}

TEST_CASE("a point with a gradient is not stationary, and its negative directions are told all the same") {
  const CriticalPoint point = at(DoubleWell{}, one(0.5));
  CHECK(point.kind == CriticalKind::not_stationary);
  CHECK(point.index == 1);
  CHECK(point.gradient_norm > point.gradient_tolerance);
  // Downhill: f' = 4 x^3 - 8 x + 1 < 0 here.
  CHECK(point.escape_direction[0] > 0);
}

TEST_CASE("a gradient that the rounding of x explains does not count against a point") {
  // H = diag(1e12, 1) with the centre at 1/3: the nearest double is off by up to 2^-54, so |g| is up to 1e12 2^-54.
  Vector spectrum(2);
  spectrum << 1e12, 1;
  Quadratic f(spectrum, Vector::Constant(2, 1.0 / 3));
  Vector x = Vector::Constant(2, 1.0 / 3);
  x[0] = std::nextafter(x[0], 1.0);
  const CriticalPoint point = classify(f, x);
  CHECK(point.gradient_norm > 1e-6);
  CHECK(point.kind == CriticalKind::minimum);
  // A thousand times as far is explained neither by rounding nor by the noise of f.
  x[0] = 1.0 / 3 + 1e-13;
  CHECK(classify(f, x).kind == CriticalKind::not_stationary);
}

TEST_CASE("large operators are classified by the ends of their spectrum, without a certificate") {
  const Index n = 300;
  ClassifyOptions options;
  options.dense_limit = 100;
  for (const Index negative : {0, 2, 300}) {
    Vector spectrum = Vector::LinSpaced(n, 1, 10);
    spectrum.head(negative) *= -1;
    Quadratic f(spectrum, Vector::Zero(n), 4, 3);
    const CriticalPoint point = classify(f, Vector::Zero(n), options);
    CAPTURE(negative, point.message);
    CHECK_FALSE(point.certified);
    CHECK(std::isnan(point.newton_change));
    CHECK(point.kind == (negative == 0   ? CriticalKind::minimum
                         : negative == n ? CriticalKind::maximum
                                         : CriticalKind::saddle));
    CHECK(point.index == std::min(negative, options.negative_directions));
    if (negative > 0) {
      Vector Hv(n);
      f.curvature(Vector::Zero(n), Curvature::hessian)->apply(point.escape_direction, Hv);
      CHECK(point.escape_direction.dot(Hv) == Approx(spectrum.minCoeff()).epsilon(1e-5));
    }
    // The dense route says the same of the kind.
    CHECK(classify(f, Vector::Zero(n)).kind == point.kind);
  }
  Vector singular = Vector::LinSpaced(n, 0, 10);
  Quadratic f(singular, Vector::Zero(n), 4, 3);
  CHECK(classify(f, Vector::Zero(n), options).kind == CriticalKind::degenerate);
}

TEST_CASE("points and Hessians that are not finite are named so") {
  CHECK(at(DoubleWell{}, one(std::nan(""))).kind == CriticalKind::non_finite);
  CHECK(at(DoubleWell{}, one(1e200)).kind == CriticalKind::non_finite);
  CHECK(at(Power{}, one(0)).kind == CriticalKind::non_finite);
  FunctorObjective<Himmelblau> f({}, 2);
  CHECK_THROWS_AS(classify(f, Vector::Zero(3)), Error);
  ClassifyOptions bad;
  bad.gradient_tolerance = -1;
  CHECK_THROWS_AS(classify(f, Vector::Zero(2), bad), Error);
  bad = {};
  bad.negative_directions = 0;
  CHECK_THROWS_AS(classify(f, Vector::Zero(2), bad), Error);
}

TEST_CASE("a trained network with a penalty ends in a minimum, and its start at zero weights is a saddle") {
  Problem problem =
      problems().make(parse_spec("mlp:data=gaussian-blobs,hidden=4,l2=1e-2,l2_biases=true"), {Precision::float64});
  Objective& f = *problem.objective;
  Vector x = problem.start(1);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-9;
  stopping.max_steps = 500;
  minimize(*make_optimizer("newton-cg", {f, 1}), f, x, stopping);
  const CriticalPoint trained = classify(f, x);
  CAPTURE(trained.message);
  CHECK(trained.kind == CriticalKind::minimum);
  CHECK(trained.certified);
  CHECK(trained.newton_change <= 1e-12);

  // With all weights 0 and the biases of the output at their best, no unit gets a gradient; the first to break the
  // symmetry lowers f.
  Vector zero = Vector::Zero(f.size());
  Vector g;
  const Index outputs = f.layout().blocks().back().size;
  for (int i = 0; i < 50; ++i) {
    f.value_and_gradient(zero, g);
    zero.tail(outputs) -= g.tail(outputs);
  }
  const CriticalPoint saddle = classify(f, zero);
  CAPTURE(saddle.message);
  CHECK(saddle.kind == CriticalKind::saddle);
  const double t = 1e-2;
  CHECK(f.value(zero + t * saddle.escape_direction) < f.value(zero));
}
