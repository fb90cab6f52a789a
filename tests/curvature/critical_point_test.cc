#include "hesse/curvature/critical_point.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/landscape/matching.h"
#include "hesse/linalg/operators.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <Eigen/LU>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

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

/// Sum over the coordinates y = Q'(x - c) of lambda y^2 / 2 + a y^3 + b y^4, and a coupling e |y|^2 sum y_i^2 (a form
/// of order 4 of its own): at c the Hessian is Q diag(lambda) Q'.
struct Planted {
  Matrix Q;
  Vector c, lambda, a, b;
  double e = 0;
  template <class T>
  T operator()(const T* x) const {
    T f = 0.0 * x[0];
    T square = 0.0 * x[0];
    for (Index i = 0; i < c.size(); ++i) {
      T y = 0.0 * x[0];
      for (Index j = 0; j < c.size(); ++j) y = y + Q(j, i) * (x[j] - c[j]);
      const T y2 = y * y;
      square = square + y2;
      f = f + (0.5 * lambda[i]) * y2 + (a[i] * y) * y2 + b[i] * (y2 * y2);
    }
    return f + e * (square * square);
  }
};

Vector uniform(Index n, std::uint64_t seed, std::uint64_t step, double low, double high) {
  Vector v(n);
  RandomStream(seed, Purpose::test, step).fill_uniform(v, low, high);
  return v;
}

Matrix random_rotation(Index n, std::uint64_t seed, std::uint64_t step) {
  Vector entries(n * n);
  RandomStream(seed, Purpose::test, step).fill_normal(entries);
  return Eigen::HouseholderQR<Matrix>(Matrix(entries.reshaped(n, n))).householderQ();
}

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
  REQUIRE(point.escape_directions.rows() == x.size());
  CHECK(point.escape_directions.col(0).norm() == Approx(1).epsilon(1e-14));
  const double t = 1e-3;
  CHECK(f.value(x + t * point.escape_directions.col(0)) < f.value(x));
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
    CHECK(point.escape_directions.cols() == 0);
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
  CHECK(point.escape_directions(0, 0) > 0);
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
      f.curvature(Vector::Zero(n), Curvature::hessian)->apply(point.escape_directions.col(0), Hv);
      CHECK(point.escape_directions.col(0).dot(Hv) == Approx(spectrum.minCoeff()).epsilon(1e-5));
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
  CHECK(f.value(zero + t * saddle.escape_directions.col(0)) < f.value(zero));
}

TEST_CASE("no certificate is false in 10000 random trials around planted points of every kind") {
  // Curvatures of both signs over five decades, clusters of them, and zeros; the point is off by up to 1e-6 where all
  // are regular, and by what |g| <= 1e-8 lets through where some are 0.
  int certified = 0;
  std::array<int, 4> kinds{};
  int degenerate_decided = 0;
  for (std::uint64_t trial = 0; trial < 10000; ++trial) {
    const RandomStream stream(trial, Purpose::test, 99);
    const Index n = 1 + static_cast<Index>(stream.below(6, 0));
    Planted planted;
    planted.Q = random_rotation(n, trial, 1);
    planted.c = uniform(n, trial, 2, -1, 1);
    planted.a = uniform(n, trial, 3, -1, 1);
    planted.b = uniform(n, trial, 4, -1, 1);
    planted.e = stream.uniform(1) - 0.5;
    planted.lambda.resize(n);
    // A third of the trials of one sign, so that extrema are met as well as saddles.
    const auto signs = stream.below(3, 2);
    Index zeros = 0;
    for (Index i = 0; i < n; ++i) {
      const auto draw = static_cast<std::uint64_t>(10 + 4 * i);
      const double magnitude = std::pow(10.0, -5.0 * stream.uniform(draw));
      const double sign = signs == 0 ? 1 : signs == 1 ? -1 : stream.rademacher(draw + 1);
      planted.lambda[i] = sign * magnitude;
      if (i > 0 && stream.uniform(draw + 2) < 0.3) planted.lambda[i] = planted.lambda[i - 1];
      if (stream.uniform(draw + 3) < 0.1) planted.lambda[i] = 0;
      zeros += planted.lambda[i] == 0;
    }
    // Other critical points lie at distances of about |lambda| / |a|: nearer than a hundredth of that, Newton's step
    // leads to c. Beside a zero anything that passes for stationary will do.
    double off = 1e-6;
    for (const double l : planted.lambda) {
      if (l != 0) off = std::min(off, 0.01 * std::abs(l));
    }
    off *= stream.uniform(3);
    if (stream.uniform(4) < 0.3) off = 0;
    Vector shift = uniform(n, trial, 5, -1, 1) * (off / std::sqrt(static_cast<double>(n)));
    if (zeros > 0) {
      for (Index i = 0; i < n; ++i) {
        if (planted.lambda[i] == 0) shift[i] *= std::pow(10.0, 2 * stream.uniform(static_cast<std::uint64_t>(60 + i)));
      }
    }
    const Vector x = planted.c + planted.Q * shift;
    ClassifyOptions options;
    options.higher_order = trial % 10 == 0;
    const CriticalPoint point = at(planted, x, options);
    CAPTURE(trial, n, planted.lambda.transpose(), shift.transpose(), point.message);
    const Index negative = (planted.lambda.array() < 0).count();
    const Index positive = (planted.lambda.array() > 0).count();
    // Never more of a sign than there is.
    REQUIRE((point.kind == CriticalKind::not_stationary || point.index <= negative));
    REQUIRE((point.kind == CriticalKind::not_stationary || point.positive <= positive));
    switch (point.kind) {
      case CriticalKind::minimum:
        REQUIRE((negative == 0 && zeros == 0));
        ++kinds[0];
        break;
      case CriticalKind::maximum:
        REQUIRE((positive == 0 && zeros == 0));
        ++kinds[1];
        break;
      case CriticalKind::saddle:
        REQUIRE((negative > 0 && positive > 0));
        ++kinds[2];
        break;
      case CriticalKind::degenerate: ++kinds[3]; break;
      default: break;
    }
    certified += point.certified && point.kind != CriticalKind::not_stationary;
    // The ball holds c.
    if (point.ball_radius >= 0 && point.flat == 0) {
      REQUIRE(shift.norm() <= point.ball_radius * (1 + 1e-6) + 1e-12);
    }
    if (point.higher_order.verdict == HigherOrder::minimum || point.higher_order.verdict == HigherOrder::maximum) {
      // With a cubic term along a flat direction there is no extremum; the coefficients here are never 0.
      CHECK(false);
    }
    if (point.higher_order.verdict == HigherOrder::no_extremum) {
      ++degenerate_decided;
      REQUIRE((zeros > 0 || (negative > 0 && positive > 0) || point.flat > 0));
    }
  }
  CHECK(certified > 7000);
  for (const int count : kinds) CHECK(count > 500);
  CHECK(degenerate_decided > 50);
}

TEST_CASE("degenerate points are decided by third and fourth order where that can be") {
  ClassifyOptions options;
  options.higher_order = true;
  const CriticalPoint minimum = at(Quartic{1}, Vector::Zero(2), options);
  CHECK(minimum.kind == CriticalKind::degenerate);
  CHECK(minimum.flat == 1);
  CHECK(minimum.higher_order.verdict == HigherOrder::minimum);
  CHECK(minimum.may_be_minimum());
  const CriticalPoint saddle = at(Quartic{-1}, Vector::Zero(2), options);
  CHECK(saddle.higher_order.verdict == HigherOrder::no_extremum);
  CHECK_FALSE(saddle.may_be_minimum());
  const CriticalPoint monkey = at(MonkeySaddle{}, Vector::Zero(2), options);
  CHECK(monkey.flat == 2);
  CHECK(monkey.higher_order.verdict == HigherOrder::no_extremum);
  CHECK_FALSE(monkey.may_be_minimum());
  // A quadratic with zeros is a valley.
  Vector spectrum = Vector::LinSpaced(5, 0, 3);
  Quadratic f(spectrum, Vector::Ones(5), 4, 7);
  const CriticalPoint valley = classify(f, Vector::Ones(5), options);
  CAPTURE(valley.message);
  CHECK(valley.higher_order.verdict == HigherOrder::flat);
  CHECK(valley.may_be_minimum());
}

TEST_CASE("the sign counts of a larger Hessian certify what all its eigenvalues would") {
  const Index n = 120;
  ClassifyOptions by_counts;
  by_counts.dense_limit = 50;
  by_counts.inertia_limit = 200;
  for (const auto& [negative, zeros] :
       std::vector<std::pair<Index, Index>>{{0, 0}, {3, 0}, {120, 0}, {0, 4}, {5, 10}}) {
    Vector spectrum = Vector::LinSpaced(n, 1, 10);
    spectrum.head(negative) *= -1;
    spectrum.segment(negative, zeros).setZero();
    const Vector centre = Vector::Ones(n);
    Quadratic f(spectrum, centre, 4, 3);
    const CriticalPoint counted = classify(f, centre, by_counts);
    const CriticalPoint solved = classify(f, centre);
    CAPTURE(negative, zeros, counted.message, solved.message);
    CHECK(counted.certified);
    CHECK(counted.kind == solved.kind);
    CHECK(counted.index == negative);
    CHECK(counted.flat == zeros);
    CHECK(counted.positive == n - negative - zeros);
    CHECK(counted.escape_directions.cols() == std::min(negative, by_counts.negative_directions));
    CHECK(counted.resolved_share(n) == Approx(static_cast<double>(n - zeros) / static_cast<double>(n)));
  }
}

TEST_CASE("an end of the spectrum that was not found is said to be not known") {
  // The lower end of a spectrum that is even in the logarithm is a cluster, which Lanczos with few restarts leaves
  // unresolved.
  const Index n = 300;
  const Vector spectrum = logarithmic_spectrum(n, 100);
  const Vector centre = Vector::Ones(n);
  Quadratic f(spectrum, centre, 4, 3);
  for (const Index inertia_limit : {Index{0}, n}) {
    for (const Index restarts : {1, 3, 30, 300}) {
      ClassifyOptions options;
      options.dense_limit = 0;
      options.inertia_limit = inertia_limit;
      options.max_restarts = restarts;
      const CriticalPoint point = classify(f, centre, options);
      CAPTURE(inertia_limit, restarts, point.message);
      CHECK((point.kind == CriticalKind::minimum || point.kind == CriticalKind::undecided));
      if (inertia_limit == n) {
        CHECK(point.certified);
        CHECK(point.kind == CriticalKind::minimum);
      }
      if (!std::isnan(point.least_eigenvalue)) {
        CHECK(std::abs(point.least_eigenvalue - spectrum.minCoeff()) <= point.eigenvalue_error + 1e-6);
      }
      if (!std::isnan(point.largest_eigenvalue)) {
        CHECK(std::abs(point.largest_eigenvalue - spectrum.maxCoeff()) <= point.eigenvalue_error + 1e-6);
      }
    }
  }
}

TEST_CASE("directions of escape are orthonormal and f falls along each") {
  Vector spectrum = Vector::LinSpaced(6, 1, 3);
  spectrum.head(3) << -1, -2, -0.5;
  Quadratic f(spectrum, Vector::Zero(6), 4, 5);
  const CriticalPoint point = classify(f, Vector::Zero(6));
  REQUIRE(point.escape_directions.cols() == 3);
  CHECK((point.escape_directions.transpose() * point.escape_directions).isIdentity(1e-13));
  const Vector values = Eigen::Vector3d(-1, -0.5, -0.25);  // lambda / 2, the steepest first
  for (Index j = 0; j < 3; ++j) {
    CHECK(f.value(point.escape_directions.col(j)) == Approx(values[j]).epsilon(1e-12));
  }
}

TEST_CASE("Kantorovich's ball of a quadratic is Newton's step and holds the critical point of others") {
  Vector spectrum = Vector::LinSpaced(4, -1, 3);
  const Vector centre = Vector::Ones(4);
  Quadratic f(spectrum, centre, 2, 5);
  ClassifyOptions options;
  options.gradient_tolerance = 1;
  const Vector x = centre + 1e-3 * uniform(4, 1, 1, -1, 1);
  const CriticalPoint point = classify(f, x, options);
  CHECK(point.kantorovich <= 1e-12);
  CHECK(point.ball_radius == Approx((x - centre).norm()).epsilon(1e-9));
  // A gradient of 0 leaves the rounding of x: the root of 4 x^3 - 8 x + 1 is irrational, and no double.
  const CriticalPoint rounded = at(DoubleWell{}, one(double_well_stationary_points()[2]));
  CHECK(rounded.ball_radius >= std::numeric_limits<double>::epsilon());
  CHECK(rounded.ball_radius <= 1e-12);
  // Off the minimum of the double well: sqrt(2) up to the linear term.
  const double root = double_well_stationary_points()[0];
  options.gradient_tolerance = 0.1;
  const CriticalPoint well = at(DoubleWell{}, one(root + 1e-3), options);
  REQUIRE(std::isfinite(well.ball_radius));
  CHECK(well.kantorovich > 1e-5);
  CHECK(well.ball_radius >= 1e-3);
  CHECK(well.ball_radius <= 1.01e-3);
}

namespace {

/// f(W1, b1, W2, b2) = the mean squared error of a linear network of one hidden layer on whitened inputs of mean zero
/// whose targets are M x: |W2 W1 - M|_F^2 and terms of the biases, up to the loss's factor.
struct LinearNetwork {
  std::unique_ptr<NetworkObjective> f;
  Matrix U, V;
  Vector sigma;

  LinearNetwork(Index inputs, Index hidden, Index outputs) {
    const Index samples = 2 * inputs;
    auto data = std::make_shared<Dataset>();
    // Plus and minus a multiple of each axis: mean zero and covariance I.
    data->inputs.resize(inputs, samples);
    data->inputs << Matrix::Identity(inputs, inputs), -Matrix::Identity(inputs, inputs);
    data->inputs *= std::sqrt(static_cast<double>(inputs));
    U = random_rotation(outputs, 4, 1);
    V = random_rotation(inputs, 4, 2);
    sigma = Vector::LinSpaced(std::min(inputs, outputs), 3, 1);
    data->targets = U.leftCols(sigma.size()) * sigma.asDiagonal() * V.leftCols(sigma.size()).transpose() * data->inputs;
    const std::vector<Index> sizes = {inputs, hidden, outputs};
    f = make_network_objective(std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::identity)),
                               Loss::squared_error, data);
  }

  /// The critical point whose product W2 W1 is M seen on the singular directions I, one for each hidden unit, in a
  /// basis of the hidden layer of no special kind.
  Vector point(const std::vector<Index>& I) const {
    const auto hidden = static_cast<Index>(I.size());
    Matrix W1(hidden, V.rows());
    Matrix W2(U.rows(), hidden);
    for (Index h = 0; h < hidden; ++h) {
      const Index i = I[static_cast<std::size_t>(h)];
      W1.row(h) = std::sqrt(sigma[i]) * V.col(i).transpose();
      W2.col(h) = std::sqrt(sigma[i]) * U.col(i);
    }
    const Matrix C = random_rotation(hidden, 5, 3) * Vector::LinSpaced(hidden, 0.8, 1.25).asDiagonal();
    W1 = C * W1;
    W2 = W2 * C.inverse();
    Vector x = Vector::Zero(f->size());
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto put = [&](const char* name, const Matrix& W) {
      const ParameterBlock* block = f->layout().find(name);
      REQUIRE(block != nullptr);
      Eigen::Map<RowMajor>(x.data() + block->offset, W.rows(), W.cols()) = W;
    };
    put("layer1.weight", W1);
    put("layer2.weight", W2);
    return x;
  }
};

}  // namespace

TEST_CASE("the critical points of a linear network have the index and the flat directions that theory counts") {
  // Baldi and Hornik 1989: the critical points of full rank are projections onto sets I of singular directions, saddles
  // but for the largest ones. Turning u_i and v_i towards u_j and v_j, i in I and j not, has the eigenvalues sigma_i -+
  // sigma_j up to a factor: the index is the number of such pairs with sigma_j > sigma_i. The hidden basis is free,
  // hidden^2 directions, and a shift of the hidden biases is made good by those of the outputs, hidden directions more.
  const LinearNetwork network(4, 2, 3);
  const auto& sigma = network.sigma;
  for (const std::vector<Index>& I : std::vector<std::vector<Index>>{{0, 1}, {0, 2}, {1, 2}}) {
    Index index = 0;
    for (const Index i : I) {
      for (Index j = 0; j < sigma.size(); ++j) {
        if (std::find(I.begin(), I.end(), j) == I.end() && sigma[j] > sigma[i]) ++index;
      }
    }
    ClassifyOptions options;
    options.higher_order = true;
    const CriticalPoint point = classify(*network.f, network.point(I), options);
    CAPTURE(I, point.message);
    CHECK(point.gradient_norm <= 1e-13);
    CHECK(point.index == index);
    CHECK(point.flat == 2 * 2 + 2);
    CHECK(point.kind == (index == 0 ? CriticalKind::degenerate : CriticalKind::saddle));
    if (index == 0) {
      CHECK(point.higher_order.verdict == HigherOrder::flat);
      CHECK(point.may_be_minimum());
    }
  }
  // At the origin of a network without an optimum there, Kawaguchi 2016: a strict saddle for one hidden layer, with as
  // many negative directions as pairs of a hidden unit and a singular direction.
  const CriticalPoint origin = classify(*network.f, Vector::Zero(network.f->size()));
  CAPTURE(origin.message);
  CHECK(origin.index == 2 * 3);
}

TEST_CASE("scaling leaves a flat direction for each unit of relu, permutation leaves none and changes no kind") {
  // A network whose outputs are its targets is at a minimum, where the Hessian is J'J of the outputs. Scaling a unit's
  // incoming weights and bias by a and its outgoing ones by 1 / a changes nothing with relu: one flat direction a unit.
  // With tanh units only change places and signs, which leaves points apart.
  constexpr Index kInputs = 3;
  constexpr Index kOutputs = 2;
  for (const Activation activation : {Activation::relu, Activation::tanh}) {
    for (const Index hidden : {1, 3, 4}) {
      const std::vector<Index> sizes = {kInputs, hidden, kOutputs};
      const auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, activation));
      auto data = std::make_shared<Dataset>();
      data->inputs.resize(kInputs, 200);
      RandomStream(7, Purpose::test, 1).fill_normal(data->inputs.reshaped());
      data->targets = Matrix::Zero(kOutputs, 200);
      const auto free = make_network_objective(network, Loss::squared_error, data);
      Vector x(free->size());
      RandomStream(7, Purpose::test, static_cast<std::uint64_t>(10 + hidden)).fill_normal(x);
      auto fitted = std::make_shared<Dataset>();
      fitted->inputs = data->inputs;
      fitted->targets = free->outputs(x);
      const auto f = make_network_objective(network, Loss::squared_error, fitted);
      const CriticalPoint point = classify(*f, x);
      const Index flat = activation == Activation::relu ? hidden : 0;
      CAPTURE(hidden, static_cast<int>(activation), point.message);
      CHECK(point.certified);
      CHECK(point.gradient_norm <= 1e-12);
      CHECK(point.index == 0);
      CHECK(point.flat == flat);
      CHECK(point.positive == f->size() - flat);
      CHECK(point.kind == (flat > 0 ? CriticalKind::degenerate : CriticalKind::minimum));
      UnitOrder order(1);
      for (Index i = hidden; i-- > 0;) order[0].push_back(i);
      const CriticalPoint permuted = classify(*f, reordered(*network, x, order));
      CHECK(permuted.kind == point.kind);
      CHECK(permuted.flat == flat);
      CHECK(std::abs(permuted.largest_eigenvalue - point.largest_eigenvalue) <=
            point.eigenvalue_error + permuted.eigenvalue_error);
    }
  }
}

TEST_CASE("the softmax leaves as many flat directions as a layer before it has inputs and a bias") {
  // Adding one number to all logits changes nothing: a shift of each column of weights and of the biases.
  Problem problem =
      problems().make(parse_spec("mlp:data=gaussian-blobs:samples=60:classes=4:features=3:separation=0.5,hidden="),
                      {Precision::float64});
  Objective& f = *problem.objective;
  Vector x = problem.start(3);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-10;
  stopping.max_steps = 200;
  minimize(*make_optimizer("newton-cg", {f, 1}), f, x, stopping);
  ClassifyOptions options;
  options.higher_order = true;
  const CriticalPoint point = classify(f, x, options);
  CAPTURE(point.message);
  CHECK(point.kind == CriticalKind::degenerate);
  CHECK(point.index == 0);
  CHECK(point.flat == 3 + 1);
  CHECK(point.positive == (3 + 1) * 3);
  CHECK(point.higher_order.verdict == HigherOrder::flat);
}
