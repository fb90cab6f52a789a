#include "hesse/curvature/higher_order.h"

#include "hesse/core/random.h"
#include "hesse/objective/functor_objective.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

/// a x^3 + b x^4 + (y - c x^2)^2: along the valley y = c x^2, which the reduction follows, a x^3 + b x^4 is left.
struct CurvedValley {
  double a = 0;
  double b = 0;
  double c = 1;
  template <class T>
  T operator()(const T* x) const {
    const T bend = x[1] - c * x[0] * x[0];
    return (a * x[0]) * (x[0] * x[0]) + (b * x[0]) * (x[0] * (x[0] * x[0])) + bend * bend;
  }
};

/// A quartic form r^4 (m + p cos 2(theta - theta_0)) in x and y, and sign z^2.
struct QuarticForm {
  double m = 1;
  double p = 0;
  double theta = 0;
  double sign = 1;
  template <class T>
  T operator()(const T* x) const {
    const T square = x[0] * x[0] + x[1] * x[1];
    const T turned = std::cos(2 * theta) * (x[0] * x[0] - x[1] * x[1]) + (2 * std::sin(2 * theta)) * (x[0] * x[1]);
    return square * (m * square + p * turned) + sign * x[2] * x[2];
  }
};

struct MonkeySaddle {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * (x[0] * x[0] - 3.0 * x[1] * x[1]) + x[2] * x[2];
  }
};

/// |x|^4 of any size, turned by nothing.
struct SquareOfSquare {
  Index n = 3;
  double sign = 1;
  template <class T>
  T operator()(const T* x) const {
    T square = x[0] * x[0];
    for (Index i = 1; i < n; ++i) square = square + x[i] * x[i];
    return sign * square * square;
  }
};

struct SlightSaddle {
  double b = 0;
  template <class T>
  T operator()(const T* x) const {
    const T square = x[0] * x[0];
    return 1.0 + x[1] * x[1] + square * (square - b);
  }
};

struct HiddenCubic {
  template <class T>
  T operator()(const T* x) const {
    const T y = x[1] - 100.0;
    return y * y + x[0] * x[0] * x[0] * (5e-4 + x[0]);
  }
};

/// Falls along x = y alone of the directions between two axes.
struct Indefinite {
  template <class T>
  T operator()(const T* x) const {
    const T a = x[0] * x[0];
    const T b = x[1] * x[1];
    return a * a - 6.0 * a * b + b * b + x[2] * (x[2] * (x[2] * x[2])) + x[3] * x[3];
  }
};

/// Defined on one side of 0 only.
struct Wall {
  template <class T>
  T operator()(const T* x) const {
    using std::sqrt;
    return x[1] * x[1] + 0.0 * sqrt(x[0]);
  }
};

constexpr double kEps = std::numeric_limits<double>::epsilon();

/// The first `flat` coordinates are flat, the others have curvatures 2.
template <class Functor>
HigherOrderTest at_zero(const Functor& functor, Index n, Index flat, double curvature = 2) {
  FunctorObjective<Functor> f(functor, n);
  SplitSpectrum spectrum;
  spectrum.flat = Matrix::Identity(n, flat);
  spectrum.curved = Matrix::Identity(n, n).rightCols(n - flat);
  spectrum.curvatures = Vector::Constant(n - flat, curvature);
  spectrum.error = 10 * kEps;
  spectrum.gradient_error = 10 * kEps;
  return higher_order_test(f, Vector::Zero(n), Vector::Zero(n), spectrum);
}

}  // namespace

TEST_CASE("along a curved valley the reduced terms are those that the valley's floor has") {
  for (const double c : {0.0, 1.0, -3.0}) {
    for (const double b : {2.0, -0.25}) {
      const HigherOrderTest test = at_zero(CurvedValley{0, b, c}, 2, 1);
      CAPTURE(c, b, test.terms.fourth, test.terms.fourth_error);
      CHECK(std::abs(test.terms.fourth - b) <= test.terms.fourth_error);
      CHECK(test.terms.fourth_error <= 1e-6);
      CHECK(test.verdict == (b > 0 ? HigherOrder::minimum : HigherOrder::no_extremum));
      CHECK(test.falls == (b < 0));
    }
    const HigherOrderTest flat = at_zero(CurvedValley{0, 0, c}, 2, 1);
    CHECK(flat.verdict == HigherOrder::flat);
    CHECK_FALSE(flat.falls);
    const HigherOrderTest odd = at_zero(CurvedValley{0.5, 1, c}, 2, 1);
    CHECK(odd.verdict == HigherOrder::no_extremum);
    CHECK(std::abs(odd.terms.third + 0.5) <= odd.terms.third_error);
    // f falls along the direction that it names.
    FunctorObjective<CurvedValley> f({0.5, 1, c}, 2);
    CHECK(odd.direction[0] == Approx(-1));
  }
}

TEST_CASE("where all of the Hessian vanishes or is negative the signs are turned") {
  CHECK(at_zero(SquareOfSquare{1, 1}, 1, 1).verdict == HigherOrder::minimum);
  CHECK(at_zero(SquareOfSquare{1, -1}, 1, 1).verdict == HigherOrder::maximum);
  CHECK(at_zero(SquareOfSquare{2, 1}, 2, 2).verdict == HigherOrder::minimum);
  CHECK(at_zero(SquareOfSquare{2, -1}, 2, 2).verdict == HigherOrder::maximum);
  CHECK(at_zero(QuarticForm{-1, 0, 0, -1}, 3, 2, -2).verdict == HigherOrder::maximum);
  CHECK(at_zero(QuarticForm{1, 0, 0, -1}, 3, 2, -2).verdict == HigherOrder::no_extremum);
}

TEST_CASE("on two flat directions a form is decided between the angles that were tried") {
  // The least value is m - |p|, at an angle half way between two of five, where a sample shows m - 0.81 |p|.
  const double between = std::acos(-1.0) / 10;
  for (const double theta : {0.0, between, 0.77}) {
    CHECK(at_zero(QuarticForm{1, 0.98, theta}, 3, 2).verdict == HigherOrder::minimum);
    const HigherOrderTest test = at_zero(QuarticForm{1, 1.02, theta}, 3, 2);
    CAPTURE(theta, test.terms.fourth);
    CHECK(test.verdict == HigherOrder::no_extremum);
    CHECK(test.falls);
    FunctorObjective<QuarticForm> f({1, 1.02, theta}, 3);
    CHECK(f.value(test.direction) < 0);
  }
  CHECK(at_zero(MonkeySaddle{}, 3, 2).verdict == HigherOrder::no_extremum);
}

TEST_CASE("of three flat directions and more only what was seen is said") {
  CHECK(at_zero(SquareOfSquare{4, 1}, 4, 4).verdict == HigherOrder::undecided);
  const HigherOrderTest test = at_zero(SquareOfSquare{4, 1}, 4, 4);
  CHECK(test.rises);
  CHECK_FALSE(test.falls);
  CHECK(test.directions == 4 + HigherOrderOptions{}.directions);
  // x^4 - 6 x^2 y^2 + y^4 falls between the axes, where a random direction finds it.
  CHECK(at_zero(Indefinite{}, 4, 3).verdict == HigherOrder::no_extremum);
}

TEST_CASE("beside a degenerate minimum the cubic term of the displacement decides nothing") {
  // x^4 at 1e-3 has the cubic term 4e-3, and the gradient 4e-9 allows for it.
  FunctorObjective<CurvedValley> f({0, 1, 0}, 2);
  const Vector x = Eigen::Vector2d(1e-3, 0);
  Vector g;
  f.value_and_gradient(x, g);
  SplitSpectrum spectrum;
  spectrum.flat = Matrix::Identity(2, 1);
  spectrum.curved = Matrix::Identity(2, 2).rightCols(1);
  spectrum.curvatures = Vector::Constant(1, 2.0);
  spectrum.error = 10 * kEps;
  const HigherOrderTest test = higher_order_test(f, x, g, spectrum);
  CAPTURE(test.terms.third, test.terms.third_error);
  CHECK(std::abs(test.terms.third) == Approx(4e-3).epsilon(1e-6));
  CHECK(test.verdict == HigherOrder::minimum);
}

TEST_CASE("a small curvature that no degenerate point nearby explains decides nothing") {
  // 1 + y^2 + x^4 - b x^2 at 0 is a saddle, whatever x^4 says.
  FunctorObjective<SlightSaddle> f({6e-7}, 2);
  SplitSpectrum spectrum;
  spectrum.flat = Matrix::Identity(2, 1);
  spectrum.curved = Matrix::Identity(2, 2).rightCols(1);
  spectrum.curvatures = Vector::Constant(1, 2.0);
  spectrum.error = 10 * kEps;
  Vector g;
  for (const double x : {0.0, 1e-5, 1e-4}) {
    const Vector at = Eigen::Vector2d(x, 0);
    f.value_and_gradient(at, g);
    const HigherOrderTest test = higher_order_test(f, at, g, spectrum);
    CAPTURE(x, test.terms.second, test.terms.second_error);
    CHECK(test.verdict == HigherOrder::undecided);
    CHECK_FALSE(test.falls);
  }
}

TEST_CASE("a cubic term that hides in a large error leaves a minimum undecided") {
  // (y - 100)^2 + x^3 (5e-4 + x): at (0, 100) f falls along -x by 7e-15, and the rounding of y allows for the cubic
  // term.
  FunctorObjective<HiddenCubic> f({}, 2);
  SplitSpectrum spectrum;
  spectrum.flat = Matrix::Identity(2, 1);
  spectrum.curved = Matrix::Identity(2, 2).rightCols(1);
  spectrum.curvatures = Vector::Constant(1, 2.0);
  spectrum.error = 10 * kEps;
  spectrum.gradient_error = 100 * kEps * 200;
  const Vector at = Eigen::Vector2d(0, 100);
  const HigherOrderTest test = higher_order_test(f, at, Vector::Zero(2), spectrum);
  CAPTURE(test.terms.third, test.terms.third_error);
  CHECK(test.verdict == HigherOrder::undecided);
}

TEST_CASE("where the Hessian is not finite beside the point nothing is decided") {
  const HigherOrderTest test = at_zero(Wall{}, 2, 1);
  CHECK(test.verdict == HigherOrder::undecided);
  CHECK_FALSE(test.falls);
}
