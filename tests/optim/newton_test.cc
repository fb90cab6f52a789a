#include "hesse/optim/second_order/newton.h"

#include "hesse/core/random.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

/// A random symmetric matrix with eigenvalues from `low`, which it has for n = 1 too, to `high`.
Matrix with_spectrum(Index n, double low, double high, std::uint64_t seed) {
  Matrix A(n, n);
  RandomStream(seed, Purpose::test, 1).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  const Matrix V = Eigen::SelfAdjointEigenSolver<Matrix>(A + A.transpose()).eigenvectors();
  const Matrix B = V * Vector::LinSpaced(n, high, low).asDiagonal() * V.transpose();
  return 0.5 * (B + B.transpose());
}

/// The direction from x = 0, where the gradient is g.
DirectionReport direction(const Matrix& A, const Vector& g, IndefiniteHessian indefinite, Vector& d) {
  DenseQuadratic f(A, g);
  const Vector x = Vector::Zero(g.size());
  Vector gradient;
  const double value = f.value_and_gradient(x, gradient);
  const Point at{x, gradient, value, gradient.norm()};
  NewtonOptions options;
  options.indefinite = indefinite;
  Newton newton(options);
  newton.prepare(f, at);
  return newton.direction(at, d);
}

}  // namespace

TEST_CASE("Newton with a modified Cholesky factorisation is Newton where the Hessian is positive definite") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const Matrix A = with_spectrum(n, 1, 100, 3);
  const Vector g = Vector::LinSpaced(n, 1, 2);
  Vector d;
  Vector other;
  CHECK_FALSE(direction(A, g, IndefiniteHessian::modified_cholesky, d).negative_curvature);
  direction(A, g, IndefiniteHessian::keep, other);
  CHECK(d == other);
  // n eps cond.
  CHECK((A * d + g).norm() <= 10 * static_cast<double>(n) * kEps * 100 * g.norm());
}

TEST_CASE("Newton with a modified Cholesky factorisation goes down on indefinite quadratics of any size") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const double high = GENERATE(-1.0, 0.0, 5.0, 1e4);
  const Matrix A = with_spectrum(n, -2, high, 5);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Vector g(n);
    RandomStream(seed, Purpose::test).fill_normal(g);
    Vector d;
    const DirectionReport report = direction(A, g, IndefiniteHessian::modified_cholesky, d);
    CAPTURE(n, high, seed);
    CHECK(report.finite);
    CHECK(report.negative_curvature);
    // -g'd / |g||d| >= 1 / cond(H + E), which the floor of 1e-8 keeps above 1e-8 / n.
    CHECK(-g.dot(d) >= 1e-8 / static_cast<double>(n + 1) * g.norm() * d.norm());
    // (H + E) d = -g with E diagonal: where d_i is not 0, e_i = -(g + H d)_i / d_i >= 0.
    const Vector e = (-(g + A * d)).cwiseQuotient(d);
    for (Index i = 0; i < n; ++i) {
      if (std::abs(d[i]) > 1e-3 * d.norm()) CHECK(e[i] >= -1e-6 * A.norm());
    }
  }
}

TEST_CASE("A singular Hessian is corrected, but is no sign of negative curvature") {
  Vector d;
  const DirectionReport report =
      direction(with_spectrum(10, 0, 5, 7), Vector::Ones(10), IndefiniteHessian::modified_cholesky, d);
  CHECK_FALSE(report.negative_curvature);
  CHECK(d.allFinite());
  CHECK(d.sum() < 0);
  CHECK(direction(Matrix::Zero(3, 3), Vector::Ones(3), IndefiniteHessian::modified_cholesky, d).finite);
  CHECK(d.sum() < 0);
}

TEST_CASE("From where the Hessian is indefinite, Newton with each modification and a line search ends at a minimum") {
  const std::string method = GENERATE("newton:indefinite=shift", "newton:indefinite=modified-cholesky");
  const std::string search = GENERATE("+backtracking", "+more-thuente", "+hager-zhang");
  FunctorObjective<StyblinskiTang> f({6}, 6);
  // Some coordinates lie between the inflections at +-sqrt(8 / 3).
  Vector x = (Vector(6) << 0.3, -0.2, 2.5, -2.8, 1.0, 0.5).finished();
  const auto optimizer = make_optimizer(method + search, {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = 1e-10;
  stopping.max_steps = 100;
  const Summary s = minimize(*optimizer, f, x, stopping);
  CAPTURE(method, search, s.message);
  CHECK(s.termination == Termination::gradient);
  for (Index i = 0; i < 6; ++i) CHECK(6 * x[i] * x[i] - 16 > 0);
}
