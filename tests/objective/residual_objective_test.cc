#include "hesse/objective/residual_objective.h"
#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/l2_objective.h"

#include <catch2/catch.hpp>

#include <ceres/jet.h>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

/// r_i = exp(x_i) x_{i+1} + sin(i x_0), i < m, indices modulo n.
struct Waves {
  Index n = 1;
  Index m = 1;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp, std::sin;
    for (Index i = 0; i < m; ++i) r[i] = exp(x[i % n]) * x[(i + 1) % n] + sin(static_cast<double>(i) * x[0]);
  }
};

/// 1/2 |r|^2 of the same, for FunctorObjective.
struct WavesSum {
  Waves waves;
  template <class T>
  T operator()(const T* x) const {
    std::vector<T> r(static_cast<std::size_t>(waves.m));
    waves(x, r.data());
    T sum = T(0.0);
    for (const T& ri : r) sum = sum + ri * ri;
    return 0.5 * sum;
  }
};

/// The derivatives of r by hand: J, and the symmetric H_i.
void by_hand(const Waves& f, const Vector& x, Vector& r, Matrix& J, std::vector<Matrix>& H) {
  r = Vector::Zero(f.m);
  J = Matrix::Zero(f.m, f.n);
  H.assign(static_cast<std::size_t>(f.m), Matrix::Zero(f.n, f.n));
  for (Index i = 0; i < f.m; ++i) {
    const auto w = static_cast<double>(i);
    const Index a = i % f.n, b = (i + 1) % f.n;
    const double e = std::exp(x[a]);
    Matrix& Hi = H[static_cast<std::size_t>(i)];
    r[i] = e * x[b] + std::sin(w * x[0]);
    J(i, a) += e * x[b];
    J(i, b) += e;
    J(i, 0) += w * std::cos(w * x[0]);
    Hi(a, a) += e * x[b];
    Hi(a, b) += e;
    Hi(b, a) += e;
    Hi(0, 0) -= w * w * std::sin(w * x[0]);
  }
}

Vector random_vector(Index n, std::uint64_t step) {
  Vector x(n);
  RandomStream(21, Purpose::test, step).fill_normal(x);
  return x;
}

}  // namespace

TEST_CASE("residuals, Jacobian, gradient, Hessian and Gauss-Newton matrix agree with those by hand") {
  // Each entry is a sum of at most m terms with relative errors of a few eps.
  for (const auto& [n, m] :
       {std::pair<Index, Index>{1, 1}, {2, 5}, {7, 9}, {8, 3}, {9, 20}, {17, 17}, {64, 66}, {65, 70}, {70, 30}}) {
    const Waves waves{n, m};
    ResidualObjective<Waves> f(waves, n, m);
    const Vector x = 0.3 * random_vector(n, static_cast<std::uint64_t>(n));
    Vector r;
    Matrix J;
    std::vector<Matrix> H;
    by_hand(waves, x, r, J, H);
    Matrix hessian = J.transpose() * J;
    for (Index i = 0; i < m; ++i) hessian += r[i] * H[static_cast<std::size_t>(i)];
    const double scale = static_cast<double>(m) * (1 + J.squaredNorm() + r.norm() * static_cast<double>(m * m));
    INFO("n = " << n << ", m = " << m);

    Vector got;
    Matrix got_J;
    f.residuals(x, got);
    CHECK((got - r).norm() <= 20 * kEps * (1 + r.norm()) * static_cast<double>(m));
    f.residuals_and_jacobian(x, got, got_J);
    CHECK((got - r).norm() <= 20 * kEps * (1 + r.norm()) * static_cast<double>(m));
    CHECK((got_J - J).norm() <= 20 * kEps * (1 + J.norm()) * static_cast<double>(m));
    CHECK(std::abs(f.value(x) - r.squaredNorm() / 2) <= 50 * kEps * r.squaredNorm());
    Vector g;
    CHECK(std::abs(f.value_and_gradient(x, g) - r.squaredNorm() / 2) <= 50 * kEps * r.squaredNorm());
    CHECK((g - J.transpose() * r).norm() <= 20 * kEps * scale);
    CHECK((to_dense(*f.curvature(x, Curvature::hessian)) - hessian).norm() <= 20 * kEps * scale);
    CHECK((to_dense(*f.curvature(x, Curvature::gauss_newton)) - J.transpose() * J).norm() <= 20 * kEps * scale);

    const Vector v = random_vector(n, 1000);
    Vector rvv;
    f.second_derivative_along(x, v, rvv);
    REQUIRE(rvv.size() == m);
    for (Index i = 0; i < m; ++i) {
      const Matrix& Hi = H[static_cast<std::size_t>(i)];
      CHECK(std::abs(rvv[i] - v.dot(Hi * v)) <= 20 * kEps * (1 + Hi.norm()) * v.squaredNorm());
    }
  }
}

TEST_CASE("least squares by residuals and half their sum of squares as a plain formula are one function") {
  const Waves waves{5, 12};
  ResidualObjective<Waves> f(waves, 5, 12);
  FunctorObjective<WavesSum> plain({waves}, 5);
  const Vector x = random_vector(5, 3);
  Vector g, plain_g;
  CHECK(f.value_and_gradient(x, g) == Approx(plain.value_and_gradient(x, plain_g)).epsilon(1e-14));
  CHECK((g - plain_g).norm() <= 1e-13 * plain_g.norm());
  const Matrix H = to_dense(*plain.curvature(x, Curvature::hessian));
  CHECK((to_dense(*f.curvature(x, Curvature::hessian)) - H).norm() <= 1e-13 * H.norm());
}

TEST_CASE("the Jacobian is that of the last point asked for, whatever was asked between") {
  const Waves waves{3, 4};
  ResidualObjective<Waves> f(waves, 3, 4);
  const Vector x = random_vector(3, 1), y = random_vector(3, 2);
  Vector r, g, again;
  Matrix J, at_x;
  f.residuals_and_jacobian(x, r, at_x);
  const auto operator_at_x = f.curvature(x, Curvature::gauss_newton);
  f.value(y);
  f.residuals_and_jacobian(x, r, J);
  CHECK(J == at_x);
  f.value_and_gradient(y, g);
  f.curvature(y, Curvature::gauss_newton);
  f.value_and_gradient(x, g);
  CHECK((g - at_x.transpose() * r).norm() <= 10 * kEps * at_x.norm() * r.norm());
  CHECK((to_dense(*operator_at_x) - at_x.transpose() * at_x).norm() <= 10 * kEps * at_x.squaredNorm());
}

TEST_CASE("residuals under ceres::Jet have the same Jacobian as under dual numbers") {
  using Jet = ceres::Jet<double, 3>;
  const Waves waves{3, 6};
  ResidualObjective<Waves> f(waves, 3, 6);
  const Vector x = random_vector(3, 5);
  Vector r;
  Matrix J;
  f.residuals_and_jacobian(x, r, J);
  std::vector<Jet> p, out(6);
  for (int i = 0; i < 3; ++i) p.emplace_back(x[i], i);
  waves(p.data(), out.data());
  for (std::size_t i = 0; i < 6; ++i) {
    const auto row = static_cast<Index>(i);
    CHECK(std::abs(out[i].a - r[row]) <= 4 * kEps * (1 + std::abs(r[row])));
    CHECK((out[i].v.transpose() - J.row(row)).norm() <= 10 * kEps * (1 + J.row(row).norm()));
  }
}

TEST_CASE("least squares is found through decorators and its curvatures are priced apart") {
  const Waves waves{4, 6};
  ResidualObjective<Waves> f(waves, 4, 6);
  CountingObjective counted(f);
  REQUIRE(find<LeastSquares>(counted) != nullptr);
  CHECK(find<LeastSquares>(counted)->residual_count() == 6);
  const Vector x = random_vector(4, 7);
  Vector g, y(4);
  counted.value_and_gradient(x, g);
  CHECK(counted.cost().gradient_equivalents == 1.0);
  // J is there from the gradient, and J'J is formed once.
  counted.curvature(x, Curvature::gauss_newton)->apply(x, y);
  CHECK(counted.cost().gradient_equivalents == 1.0);
  counted.curvature(g, Curvature::gauss_newton)->apply(x, y);
  CHECK(counted.cost().gradient_equivalents == 2.0);
  // A Hessian of 4 columns, each of two gradients.
  counted.curvature(x, Curvature::hessian)->apply(x, y);
  CHECK(counted.cost().gradient_equivalents == 10.0);
}

TEST_CASE("least squares refuses what it cannot be or give, and names a residual that is not finite") {
  using F = ResidualObjective<Waves>;
  CHECK_THROWS_WITH(F({}, 0, 1), Catch::Contains("0 variables"));
  CHECK_THROWS_WITH(F({}, 1, 0), Catch::Contains("0 residuals"));
  F f({2, 3}, 2, 3);
  CHECK_THROWS_WITH(f.curvature(Vector::Zero(2), Curvature::fisher), Catch::Contains("gauss-newton"));
  CHECK_THAT(f.explain_non_finite(Eigen::Vector2d(1, 1e9)), Catch::Contains("residual 1 (from 0) is inf"));
  CHECK_THAT(f.explain_non_finite(Eigen::Vector2d(std::numeric_limits<double>::quiet_NaN(), 0)),
             Catch::Contains("parameter"));
  CHECK(f.explain_non_finite(Eigen::Vector2d(0, 1)).empty());
}
