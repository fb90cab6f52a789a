#include "hesse/landscape/directions.h"

#include "curvature/skewed_quadratic.h"
#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

/// A matrix, a convolution, and two blocks without filters.
ParameterLayout mixed_layout() {
  ParameterLayout layout;
  layout.add("weight", {3, 5});
  layout.add("bias", {3});
  layout.add("kernel", {4, 2, 3, 3});
  layout.add("scale", {});
  return layout;
}

}  // namespace

TEST_CASE("every filter of a filter-normalised direction has the norm of the same filter of x and its own angle") {
  const ParameterLayout layout = mixed_layout();
  const Vector x = test_point(layout.size(), 1);
  const Vector d = random_direction(layout.size(), 3, 0);
  const Vector u = filter_normalised(layout, x, d);
  for (const auto& [begin, size] :
       {std::pair<Index, Index>{0, 5}, {5, 5}, {10, 5}, {18, 18}, {36, 18}, {54, 18}, {72, 18}}) {
    CAPTURE(begin);
    const double length = x.segment(begin, size).norm();
    // Three roundings a figure, each of at most size eps.
    const double tolerance = 4 * static_cast<double>(size) * kEps;
    CHECK(std::abs(u.segment(begin, size).norm() / length - 1) <= tolerance);
    CHECK(u.segment(begin, size).normalized().dot(d.segment(begin, size).normalized()) >= 1 - tolerance);
  }
  CHECK(u.segment(15, 3).isZero(0));
  CHECK(u[90] == 0);
  const Vector with_biases = filter_normalised(layout, x, d, VectorBlocks::as_parameters);
  CHECK(with_biases.segment(15, 3) == x.segment(15, 3));
  CHECK(with_biases[90] == x[90]);
  CHECK(with_biases.head(15) == u.head(15));
}

TEST_CASE("a filter that is 0 in x or in the direction is 0 in the filter-normalised direction") {
  const ParameterLayout layout = mixed_layout();
  Vector x = test_point(layout.size(), 1);
  Vector d = random_direction(layout.size(), 3, 0);
  x.segment(5, 5).setZero();
  d.segment(10, 5).setZero();
  const Vector u = filter_normalised(layout, x, d);
  CHECK(u.segment(5, 10).isZero(0));
  CHECK(u.allFinite());
  CHECK_THROWS_WITH(filter_normalised(layout, x.head(7), d), Contains("91"));
}

TEST_CASE(
    "scaling a unit of a relu network by s and its outgoing weights by 1/s leaves filter-normalised slices alone") {
  // relu(s w) v / s = relu(w) v: the rows of the second layer keep their norms only where it has one input unit, so the
  // invariance is exact for a chain of single units: f(x + a u) with u proportional to the weights.
  auto f = make_objective({{1, 1, 1}, Activation::relu, Loss::squared_error}, make_data(1, 1, 20, Loss::squared_error));
  Vector x(4);
  x << 1.5, 0, -0.7, 0.2;
  Vector scaled = x;
  scaled[0] *= 16;
  scaled[2] /= 16;
  const Vector d = random_direction(4, 1, 0);
  const Vector u = filter_normalised(f->layout(), x, d);
  const Vector scaled_u = filter_normalised(f->layout(), scaled, d);
  for (const double a : {-0.5, 0.25, 0.75}) {
    // Powers of two scale without rounding.
    CHECK(f->value(x + a * u) == f->value(scaled + a * scaled_u));
    CHECK(std::abs(f->value(x + a * d) - f->value(scaled + a * d)) > 1e-3);
  }
}

TEST_CASE("random directions have length 1 and are functions of seed and number that are nearly orthogonal") {
  const Vector u = random_direction(10000, 5, 0);
  const Vector v = random_direction(10000, 5, 1);
  CHECK(std::abs(u.norm() - 1) <= 1e-12);
  // The cosine has standard deviation n^-1/2 = 0.01.
  CHECK(std::abs(u.dot(v)) <= 0.05);
  CHECK(random_direction(10000, 5, 0) == u);
  CHECK(random_direction(10000, 6, 0) != u);
}

TEST_CASE("gradient directions are -g and the part of Hg across it orthonormal and against the closed form") {
  Vector eigenvalues(3);
  eigenvalues << 1, 4, 9;
  Quadratic f(eigenvalues, Vector::Zero(3));
  Vector x(3);
  x << 1, 1, 1;
  const Directions d = gradient_directions(f, x, 2);
  REQUIRE(d.vectors.cols() == 2);
  const Vector g = eigenvalues;  // A x
  Vector across = eigenvalues.cwiseProduct(g);
  across -= across.dot(g) / g.squaredNorm() * g;
  CHECK((d.vectors.col(0) + g.normalized()).norm() <= 10 * kEps);
  CHECK((d.vectors.col(1) - across.normalized()).norm() <= 100 * kEps);
  CHECK(d.labels.size() == 2);
  CHECK(d.message.empty());
}

TEST_CASE("where the gradient is 0 or an eigenvector there are fewer gradient directions and a message") {
  Quadratic f(linear_spectrum(4, 10), Vector::Zero(4));
  const Directions none = gradient_directions(f, Vector::Zero(4), 2);
  CHECK(none.vectors.cols() == 0);
  CHECK_THAT(none.message, Contains("gradient is 0"));
  const Directions one = gradient_directions(f, Vector::Unit(4, 2), 2);
  CHECK(one.vectors.cols() == 1);
  CHECK_THAT(one.message, Contains("eigenvector"));
  FunctorObjective<Rosenbrock> rosenbrock({}, 2);
  const Directions bad = gradient_directions(rosenbrock, Vector::Constant(2, std::nan("")), 2);
  CHECK(bad.vectors.cols() == 0);
  CHECK_THAT(bad.message, Contains("not finite"));
  CHECK_THROWS_AS(gradient_directions(f, Vector::Zero(4), 3), Error);
}

TEST_CASE("eigenvector directions satisfy u'Hu = lambda for the eigenvalues of the dense Hessian") {
  auto f = make_objective({{3, 4, 2}, Activation::tanh, Loss::squared_error}, make_data(3, 2, 30, Loss::squared_error));
  const Vector x = test_point(f->size());
  const Matrix H = dense(*f->curvature(x, Curvature::hessian));
  Vector values;
  Matrix vectors;
  REQUIRE(symmetric_eigen(H, values, vectors));
  const Index n = values.size();
  // Rayleigh quotients err by n eps |H|.
  const double tolerance = 10 * static_cast<double>(n) * kEps * values.cwiseAbs().maxCoeff();
  const Directions top = eigenvector_directions(*f, x, 2, EigenvectorChoice::largest);
  const Directions ends = eigenvector_directions(*f, x, 2, EigenvectorChoice::ends);
  const auto quotient = [&](const Directions& d, Index i) { return d.vectors.col(i).dot(H * d.vectors.col(i)); };
  CHECK(std::abs(quotient(top, 0) - values[n - 1]) <= tolerance);
  CHECK(std::abs(quotient(top, 1) - values[n - 2]) <= tolerance);
  CHECK(std::abs(quotient(ends, 0) - values[n - 1]) <= tolerance);
  CHECK(std::abs(quotient(ends, 1) - values[0]) <= tolerance);
  CHECK((top.vectors.transpose() * top.vectors - Matrix::Identity(2, 2)).norm() <= 1e-12);
  CHECK(top.labels.size() == 2);
  CHECK_THROWS_AS(eigenvector_directions(*f, x, 0, EigenvectorChoice::ends), Error);
}

TEST_CASE("eigenvector directions are had from products that are symmetric to their rounding and else there are none") {
  const Vector h = linear_spectrum(30, 20);
  const Vector x = Vector::Zero(30);
  SkewedQuadratic rounded(h, 5e-6);
  REQUIRE(asymmetry(*rounded.curvature(x, Curvature::hessian), 0) > 1e-6);
  REQUIRE(asymmetry(*rounded.curvature(x, Curvature::hessian), 0) < 1e-5);
  CHECK(eigenvector_directions(rounded, x, 2, EigenvectorChoice::ends).vectors.cols() == 2);
  SkewedQuadratic broken(h, 1e-2);
  const Directions none = eigenvector_directions(broken, x, 2, EigenvectorChoice::ends);
  CHECK(none.vectors.cols() == 0);
  CHECK_THAT(none.message, Contains("not symmetric"));
}
