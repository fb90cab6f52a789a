#include "hesse/landscape/slice.h"

#include "hesse/core/error.h"
#include "hesse/landscape/directions.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

/// x^3, whose Taylor error at 0 is a^3; below -1 it is not finite.
struct CubeAboveMinusOne {
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    return x[0] * x[0] * x[0] + 0.0 * log(x[0] + 1.0);
  }
};

}  // namespace

TEST_CASE("on a quadratic the slice is the closed form and the model's error is rounding at every point of the grid") {
  const Index n = 7;
  const Matrix B = test_point(n * n).reshaped(n, n);
  const Matrix A = B + B.transpose();
  const Vector b = test_point(n, 1);
  DenseQuadratic f(A, b, 0.3);
  const Vector x = test_point(n, 2);
  Matrix U(n, 2);
  U << test_point(n, 3), test_point(n, 4);
  SliceOptions options;
  options.a = {-2, 1, 9};
  options.b = {-1, 3, 6};
  options.gradients = true;
  const Slice cut = slice(f, x, U, options);
  REQUIRE(cut.values.rows() == 9);
  REQUIRE(cut.values.cols() == 6);
  double scale = 0;
  for (Index i = 0; i < 9; ++i) {
    for (Index j = 0; j < 6; ++j) {
      const Vector p =
          x + (-2 + 3.0 * static_cast<double>(i) / 8) * U.col(0) + (-1 + 4.0 * static_cast<double>(j) / 5) * U.col(1);
      const double exact = 0.5 * p.dot(A * p) + b.dot(p) + 0.3;
      // Sums of n^2 products, whose magnitudes add up to at most this.
      const double size = 0.5 * p.cwiseAbs().dot(A.cwiseAbs() * p.cwiseAbs()) + b.cwiseAbs().dot(p.cwiseAbs()) + 0.3;
      scale = std::max(scale, size);
      CHECK(std::abs(cut.values(i, j) - exact) <= 10 * n * kEps * size);
      CHECK(cut.gradient_norms(i, j) == Approx((A * p + b).norm()).epsilon(1e-12));
    }
  }
  // The model's terms are as large again, and cancel.
  CHECK(cut.largest_error <= 100 * n * kEps * scale);
  CHECK((cut.values - cut.model_values).cwiseAbs().maxCoeff() == cut.largest_error);
  CHECK(cut.model.curvatures(0, 1) == Approx(U.col(0).dot(A * U.col(1))).epsilon(1e-12));
  CHECK(cut.model.slopes[1] == Approx(U.col(1).dot(A * x + b)).epsilon(1e-12));
  CHECK(cut.non_finite == 0);
  CHECK(cut.message.empty());
  CHECK(cut.least == cut.values.minCoeff());
}

TEST_CASE("the model's error of a cubic is the third power and is largest at the ends") {
  FunctorObjective<CubeAboveMinusOne> f({}, 1);
  SliceOptions options;
  options.a = {-0.5, 0.75, 11};
  const Slice cut = slice(f, Vector::Zero(1), Matrix::Ones(1, 1), options);
  for (Index i = 0; i < 11; ++i) {
    CHECK(std::abs(cut.values(i, 0) - cut.model_values(i, 0) - std::pow(cut.a[i], 3)) <= 4 * kEps);
  }
  CHECK(cut.b.size() == 1);
  CHECK(cut.largest_error == Approx(std::pow(0.75, 3)).epsilon(1e-14));
  CHECK(cut.largest_error_a == 0.75);
  CHECK(cut.least_a == -0.5);
}

TEST_CASE("halving the range divides the model's error by eight to leading order") {
  auto f = make_objective({{3, 4, 2}, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(3, 2, 25, Loss::softmax_cross_entropy));
  const Vector x = test_point(f->size());
  const Matrix U = test_point(f->size(), 9).normalized();
  const auto error = [&](double range) {
    SliceOptions options;
    options.a = {-range, range, 3};
    return slice(*f, x, U, options).largest_error;
  };
  // The next term is of relative size `range`; rounding, 1e-16 of a loss of about 1, is 1e-9 of an error of 1e-7.
  CHECK(error(0.01) / error(0.005) == Approx(8).epsilon(0.05));
}

TEST_CASE("values that are not finite are NaN in the slice and counted and named and the rest is as it was") {
  FunctorObjective<CubeAboveMinusOne> f({}, 1);
  SliceOptions options;
  options.a = {-2, 2, 9};
  options.gradients = true;
  const Slice cut = slice(f, Vector::Zero(1), Matrix::Ones(1, 1), options);
  // a = -2, -1.5 and -1: logarithms of numbers <= 0.
  CHECK(cut.non_finite == 3);
  for (Index i = 0; i < 9; ++i) {
    CHECK(std::isnan(cut.values(i, 0)) == (i < 3));
    CHECK(std::isnan(cut.gradient_norms(i, 0)) == (i < 3));
  }
  CHECK_THAT(cut.message, Contains("3 of 9 values"));
  CHECK_THAT(cut.message, Contains("-2"));
  CHECK(cut.largest_error == Approx(8));
  CHECK(cut.least == Approx(-0.125));
}

TEST_CASE("the least value on a slice is that of the point itself where it lies between the points of the grid") {
  DenseQuadratic f(Matrix::Identity(2, 2), Vector::Zero(2), 0.25);
  SliceOptions options;
  options.a = {-1, 2, 4};  // -1, 0, 1, 2
  options.b = {-1, 2, 2};  // -1, 2
  const Slice plane = slice(f, Vector::Zero(2), Matrix::Identity(2, 2), options);
  CHECK(plane.least == 0.25);
  CHECK(plane.least_a == 0);
  CHECK(plane.least_b == 0);
  // Off the point the grid's: at (0, 1) and (1, 1).
  options.b = {1, 2, 2};
  const Slice off = slice(f, Vector::Zero(2), Matrix::Identity(2, 2), options);
  CHECK(off.least == 0.75);
  CHECK(off.least_b == 1);
  options.a = {1, 2, 2};
  CHECK(slice(f, Vector::Zero(2), Matrix::Identity(2, 2).leftCols(1), options).least == 0.75);
}

TEST_CASE("a symmetric axis has the point itself in its middle and exactly symmetric points") {
  const Axis axis{-0.7, 0.7, 41};
  CHECK(axis.at(20) == 0);
  for (Index i = 0; i <= 40; ++i) CHECK(axis.at(i) == -axis.at(40 - i));
  CHECK(axis.at(0) == -0.7);
}

TEST_CASE("directions and axes that make no slice are refused") {
  FunctorObjective<Rosenbrock> f({}, 2);
  const Vector x = Vector::Zero(2);
  CHECK_THROWS_AS(slice(f, x, Matrix::Ones(3, 1)), Error);
  CHECK_THROWS_AS(slice(f, x, Matrix::Ones(2, 3)), Error);
  CHECK_THROWS_AS(slice(f, Vector::Zero(3), Matrix::Ones(3, 1)), Error);
  SliceOptions options;
  options.a = {1, 1, 5};
  CHECK_THROWS_WITH(slice(f, x, Matrix::Ones(2, 1), options), Contains("axis"));
  options.a = {-1, 1, 1};
  CHECK_THROWS_AS(slice(f, x, Matrix::Ones(2, 1), options), Error);
}
