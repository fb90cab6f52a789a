#include "hesse/curvature/worst_case.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/curvature/ascent.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <numbers>

using namespace hesse;

namespace {

Vector drawn(Index n, std::uint64_t step) {
  Vector x(n);
  RandomStream(11, Purpose::test, step).fill_normal(x);
  return x;
}

/// max over |z| <= b of h/2 (x + z)^2 - h/2 x^2.
double rise_of_one(double h, double x, double b) {
  if (h > 0) return h * (std::abs(x) * b + b * b / 2);
  const double z = std::min(std::abs(x), b);  // towards 0, where a maximum lies
  return -h * (std::abs(x) * z - z * z / 2);
}

/// log x, which is not finite at 0 and below.
struct Logarithm {
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    return log(x[0]);
  }
};

}  // namespace

TEST_CASE("The worst case of a quadratic around its centre is rho^2 lambda / 2 in the ball") {
  const Index reflections = GENERATE(0, 3);
  Vector eigenvalues(8);
  eigenvalues << 4, 1, 0.5, 0.2, 0, -0.5, 2, -3;
  Quadratic f(eigenvalues, drawn(8, 0), reflections, 5);
  BallOptions options;
  options.rho = 0.3;
  options.ascent.iterations = 40;
  const WorstCase worst = worst_in_ball(f, f.centre(), options);
  // The gradient at the centre is 0: only random starts are left.
  CHECK(worst.first_order == 0);
  CHECK(worst.is_finite);
  const double exact = 0.3 * 0.3 * 4 / 2;
  // Each step of the power method reduces the angle's tangent by 2 / 4 at least, and the value has its square.
  CHECK(worst.rise <= exact * (1 + 1e-14));
  CHECK(worst.rise >= exact * (1 - 1e-12));
  CHECK(worst.perturbation.norm() <= 0.3 * (1 + 1e-14));
  CHECK(f.value(f.centre() + worst.perturbation) == Approx(worst.rise).epsilon(1e-13));
}

TEST_CASE(
    "The worst case in a disc is the best of a hundred thousand points of it and the first step goes along the "
    "gradient") {
  Matrix A(2, 2);
  A << 3, 1, 1, -2;
  DenseQuadratic f(A, Vector::Constant(2, 0.2));
  const Vector x = Eigen::Vector2d(0.3, -0.1);
  BallOptions options;
  options.rho = 0.5;
  options.ascent.iterations = 60;
  const WorstCase worst = worst_in_ball(f, x, options);
  double best = 0;
  for (int i = 0; i < 1000; ++i) {
    const double angle = 2 * std::numbers::pi * i / 1000;
    for (int j = 1; j <= 100; ++j) {
      const Vector e = 0.005 * j * Eigen::Vector2d(std::cos(angle), std::sin(angle));
      best = std::max(best, f.value(x + e) - f.value(x));
    }
  }
  // A grid of step 2 pi 0.5 / 1000 misses a maximum by half the curvature, at most 4, times half the step's square.
  CHECK(worst.rise >= best - 1e-12);
  CHECK(worst.rise <= best + 2 * std::pow(0.5 * 2 * std::numbers::pi * 0.5 / 1000, 2));
  Vector g;
  const double value = f.value_and_gradient(x, g);
  CHECK(worst.first_order == Approx(f.value(x + 0.5 * g / g.norm()) - value).epsilon(1e-12));
  CHECK(worst.value == value);
}

TEST_CASE("Keskar's sharpness of a diagonal quadratic is the sum over the sides of the box") {
  Vector h(6);
  h << 5, 2, 1, 0.5, -1, -3;
  Quadratic f(h, Vector::Zero(6), 0);
  const Vector x = GENERATE(false, true) ? Vector(0.01 * drawn(6, 1)) : Vector(Vector::Zero(6));
  BoxOptions options;
  options.epsilon = 0.02;
  const WorstCase worst = worst_in_box(f, x, options);
  double exact = 0;
  for (Index i = 0; i < 6; ++i) exact += rise_of_one(h[i], x[i], 0.02 * (std::abs(x[i]) + 1));
  // Steps to a corner are exact; where h < 0 the maximum lies inside, and the last step may stop short of it.
  CHECK(worst.rise <= exact * (1 + 1e-12));
  CHECK(worst.rise >= exact * (1 - 1e-6));
  CHECK(keskar_sharpness(worst.rise, f.value(x)) == Approx(100 * worst.rise / (1 + f.value(x))).epsilon(1e-15));
}

TEST_CASE("In a random subspace the box is that of its coordinates") {
  const Index n = 9;
  const Index p = GENERATE(1, 4, 9);
  const double h = 1.7;
  Quadratic f(Vector::Constant(n, h), Vector::Zero(n), 0);
  const Vector x = drawn(n, 2);
  BoxOptions options;
  options.epsilon = 0.1;
  options.subspace = p;
  options.ascent.seed = 4;
  const WorstCase worst = worst_in_box(f, x, options);
  Matrix G(n, p);
  RandomStream(4, Purpose::probe).fill_normal(G.reshaped());
  const Matrix A = Eigen::HouseholderQR<Matrix>(G).householderQ() * Matrix::Identity(n, p);
  // f(x + A z) - f(x) = h (x'A z + |z|^2 / 2), whatever the signs of the columns.
  const Vector y = A.transpose() * x;
  double exact = 0;
  for (Index i = 0; i < p; ++i) exact += rise_of_one(h, y[i], 0.1 * (std::abs(y[i]) + 1));
  CHECK(worst.rise == Approx(exact).epsilon(1e-12));
  CHECK((worst.perturbation - A * (A.transpose() * worst.perturbation)).norm() <= 1e-13);
}

TEST_CASE("In units of the parameters the worst case is rho^2 times the largest eigenvalue of T H T over 2") {
  ParameterLayout layout;
  layout.add("layer1.weight", {2, 3});
  layout.add("layer1.bias", {2});
  Vector x(8);
  x << 3, 0, 4, -1, 2, 2, 0.5, -0.25;
  Vector elementwise(8), filterwise(8);
  elementwise << 3, 0, 4, 1, 2, 2, 0.5, 0.25;
  filterwise << 5, 5, 5, 3, 3, 3, 0.5, 0.25;
  CHECK(unit_scale(layout, x, Units::elementwise) == elementwise);
  CHECK(unit_scale(layout, x, Units::filterwise) == filterwise);
  CHECK(unit_scale(layout, x, Units::filterwise, 0.5) == filterwise + Vector::Constant(8, 0.5));
  CHECK(unit_scale(layout, x, Units::plain) == Vector::Ones(8));
  CHECK_THROWS_AS(unit_scale(layout, Vector(7), Units::plain), Error);
  CHECK_THROWS_AS(unit_scale(layout, x, Units::elementwise, -1), Error);

  const Matrix B = Matrix::NullaryExpr(8, 8, [](Index i, Index j) { return std::cos(static_cast<double>(3 * i + j)); });
  const Matrix H = B * B.transpose();
  DenseQuadratic f(H, -H * x);  // with its minimum at x
  BallOptions options;
  options.rho = 0.1;
  options.units = Units::elementwise;
  options.ascent.iterations = 200;
  const Matrix THT = elementwise.asDiagonal() * H * elementwise.asDiagonal();
  const double exact = 0.01 * Eigen::SelfAdjointEigenSolver<Matrix>(THT).eigenvalues()[7] / 2;
  // f is about -x'Hx / 2, of the order of 100, and its differences lose as much to rounding.
  const WorstCase worst = worst_in_ball(f, x, options);
  CHECK(std::abs(worst.rise - exact) <= 1e-9 * exact + 1e-12);
  Matrix applied(8, 8);
  in_units(dense_operator(H), elementwise)->apply(Matrix::Identity(8, 8), applied);
  CHECK((applied - THT).norm() <= 1e-14 * THT.norm());
}

TEST_CASE("With batches of one sample a linear model's worst case is that of each residual alone") {
  const Case c{{3, 1}, Activation::identity, Loss::squared_error};
  const auto data = make_data(3, 1, 12, c.loss);
  const auto f = make_objective(c, data);
  const Vector x = test_point(4);
  BatchOptions options;
  options.rho = 0.2;
  options.m = 1;
  const std::vector<Index> before = {1, 5};
  f->select(before);
  const BatchSharpness sharpness = worst_in_batches(*f, x, options);
  CHECK(std::vector<Index>(f->selection().begin(), f->selection().end()) == before);
  // r^2 / 2 with r moved by at most rho |(a, 1)|, away from 0: along the gradient r (a, 1).
  double exact = 0;
  for (Index i = 0; i < 12; ++i) {
    const Vector a = data->inputs.col(i);
    const double r = x.head(3).dot(a) + x[3] - data->targets(0, i);
    const double c_i = std::sqrt(a.squaredNorm() + 1);
    exact += (std::pow(std::abs(r) + 0.2 * c_i, 2) - r * r) / 2 / 12;
  }
  CHECK(sharpness.whole);
  CHECK(sharpness.rise.samples == 12);
  CHECK(sharpness.first_order.value == Approx(exact).epsilon(1e-12));
  CHECK(sharpness.rise.value == Approx(exact).epsilon(1e-12));
  CHECK(sharpness.rise.standard_error > 0);

  SECTION("and with one batch of all it is the worst case of the whole without an error") {
    options.m = 100;
    f->select_all();
    const BatchSharpness all = worst_in_batches(*f, x, options);
    BallOptions ball = options;
    CHECK(all.rise.value == worst_in_ball(*f, x, ball).rise);
    CHECK(all.rise.standard_error == 0);
    CHECK(all.rise.samples == 1);
  }
  SECTION("and the fewer samples to a batch the sharper") {
    // Jensen: a maximum of means is no larger than the mean of maxima.
    double last = 0;
    for (const Index m : {12, 6, 3, 1}) {
      options.m = m;
      const double now = worst_in_batches(*f, x, options).rise.value;
      CHECK(now >= last - 1e-12);
      last = now;
    }
  }
}

TEST_CASE("A loss that is not finite in the neighbourhood has no worst case there") {
  FunctorObjective<Logarithm> f({}, 1);
  BallOptions options;
  options.rho = 2;
  CHECK(!worst_in_ball(f, Vector::Ones(1), options).is_finite);
  options.rho = 0.5;
  CHECK(worst_in_ball(f, Vector::Ones(1), options).rise == Approx(std::log(1.5)).epsilon(1e-14));
  CHECK(!worst_in_ball(f, -Vector::Ones(1), options).is_finite);
}

TEST_CASE("A flat loss has no worst case above it") {
  DenseQuadratic f(Matrix::Zero(3, 3), Vector::Zero(3), 7);
  CHECK(worst_in_ball(f, Vector::Ones(3), {}).rise == 0);
  CHECK(worst_in_box(f, Vector::Ones(3), {}).rise == 0);
  // At a maximum x itself is the worst, which ascent from the rim does not quite reach.
  Quadratic hill(-linear_spectrum(3, 10), Vector::Zero(3), 2);
  BallOptions options;
  options.ascent.iterations = 1;
  const WorstCase worst = worst_in_ball(hill, Vector::Zero(3), options);
  CHECK(worst.rise == 0);
  CHECK(worst.perturbation.norm() == 0);
  options.ascent.iterations = 100;
  options.ascent.random_starts = 1;
  CHECK(worst_in_ball(hill, Vector::Zero(3), options).rise == 0);
}

TEST_CASE("Ascent stays in its set and never falls") {
  const UnitSet set = GENERATE(UnitSet::ball, UnitSet::box);
  const Matrix B = Matrix::NullaryExpr(7, 7, [](Index i, Index j) { return std::sin(static_cast<double>(i + 5 * j)); });
  DenseQuadratic f(B + B.transpose(), drawn(7, 3));
  const auto at = [&](const Vector& z, Vector& g) { return f.value_and_gradient(z, g); };
  Vector z = 0.1 * drawn(7, 4);
  double last = f.value(z);
  for (const Index iterations : {0, 1, 2, 5, 20}) {
    const Ascent ascent = projected_ascent(set, at, z, iterations);
    CHECK((set == UnitSet::ball ? ascent.z.norm() : ascent.z.cwiseAbs().maxCoeff()) <= 1 + 1e-15);
    CHECK(ascent.value >= last);
    CHECK(ascent.value == f.value(ascent.z));
    last = ascent.value;
  }
  // The first-order condition: nothing in the set lies further along the gradient.
  const Ascent end = projected_ascent(set, at, z, 500);
  Vector g;
  f.value_and_gradient(end.z, g);
  CHECK(g.dot(furthest_along(set, g) - end.z) <= 1e-6 * g.norm());
}

TEST_CASE("Impossible neighbourhoods are refused") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  const Vector x = Vector::Ones(3);
  BallOptions ball;
  ball.rho = 0;
  CHECK_THROWS_AS(worst_in_ball(f, x, ball), Error);
  ball = {};
  ball.ascent.iterations = -1;
  CHECK_THROWS_AS(worst_in_ball(f, x, ball), Error);
  BoxOptions box;
  box.epsilon = std::nan("");
  CHECK_THROWS_AS(worst_in_box(f, x, box), Error);
  box = {};
  box.subspace = 4;
  CHECK_THROWS_AS(worst_in_box(f, x, box), Error);
  CHECK_THROWS_AS(worst_in_batches(f, x, {}), Error);  // no samples
}
