#include "hesse/linalg/modified_cholesky.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;
const double kTau = std::cbrt(kEps);

/// Q diag(lambda) Q' with a random orthogonal Q.
Matrix with_spectrum(const Vector& lambda, std::uint64_t seed) {
  const Index n = lambda.size();
  Matrix A(n, n);
  RandomStream(seed, Purpose::test, 1).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  const Matrix V = Eigen::SelfAdjointEigenSolver<Matrix>(A + A.transpose()).eigenvectors();
  const Matrix B = V * lambda.asDiagonal() * V.transpose();
  return 0.5 * (B + B.transpose());
}

/// Eigenvalues drawn from [low, high], one of them negative at least: the test matrices of Schnabel and Eskow (1999),
/// section 5.
Vector random_spectrum(Index n, double low, double high, std::uint64_t seed) {
  Vector lambda(n);
  RandomStream(seed, Purpose::test, 2).fill_uniform(lambda, low, high);
  RandomStream(seed, Purpose::test, 3).fill_uniform(lambda.head(1), low, std::min(0.0, high));
  return lambda;
}

Vector eigenvalues(const Matrix& A) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(A, Eigen::EigenvaluesOnly).eigenvalues();
}

/// |P (A + E) P' - L L'| / |A|.
double backward_error(const ModifiedCholesky& factors, const Matrix& A) {
  const Index n = A.rows();
  const Matrix L = factors.factor().triangularView<Eigen::Lower>();
  Matrix M = A;
  M.diagonal() += factors.correction();
  Matrix permuted(n, n);
  const auto at = [&](Index i) { return factors.permutation()[static_cast<std::size_t>(i)]; };
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) permuted(i, j) = M(at(i), at(j));
  }
  const double norm = M.cwiseAbs().maxCoeff();  // whose square is out of range at some scales
  const double root = std::sqrt(norm);
  return (permuted / norm - L / root * (L / root).transpose()).norm() / (M / norm).norm();
}

/// What phase one left: the Schur complement of the rows that it took.
Matrix left_over(const ModifiedCholesky& factors, const Matrix& A) {
  const Index n = A.rows();
  const Index k = factors.plain_pivots();
  const auto at = [&](Index i) { return factors.permutation()[static_cast<std::size_t>(i)]; };
  Matrix P(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) P(i, j) = A(at(i), at(j));
  }
  const Index m = n - k;
  if (k == 0) return P;
  return P.bottomRightCorner(m, m) -
         P.bottomLeftCorner(m, k) * P.topLeftCorner(k, k).ldlt().solve(P.topRightCorner(k, m));
}

double least_gerschgorin(const Matrix& S) {
  double least = std::numeric_limits<double>::infinity();
  for (Index i = 0; i < S.rows(); ++i) {
    least = std::min(least, S(i, i) - (S.row(i).cwiseAbs().sum() - std::abs(S(i, i))));
  }
  return least;
}

}  // namespace

TEST_CASE("A positive definite matrix is factorised as it is, with E = 0") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const double condition = GENERATE(1.0, 1e3, 1e7);
  Vector lambda(n);
  for (Index i = 0; i < n; ++i) {
    lambda[i] = std::pow(condition, -static_cast<double>(i) / static_cast<double>(std::max<Index>(n - 1, 1)));
  }
  const Matrix A = with_spectrum(lambda, 4);
  ModifiedCholesky factors;
  REQUIRE(factors.compute(A));
  CAPTURE(n, condition);
  CHECK(factors.plain_pivots() == n);
  CHECK(factors.correction().isZero(0));
  CHECK(backward_error(factors, A) <= static_cast<double>(n) * kEps);
  const Vector x = Vector::LinSpaced(n, -1, 2);
  Vector b = A * x;
  factors.solve_in_place(b);
  // n eps cond, the bound on the error of a solution by Cholesky's factors (Higham 2002, Theorem 10.4, without its
  // constant).
  CHECK((b - x).norm() <= 10 * static_cast<double>(n) * kEps * condition * x.norm());
}

TEST_CASE("A positive definite matrix whose least eigenvalue is eps^(2/3) of its diagonal is not corrected") {
  const Index n = 10;
  Vector lambda = Vector::Ones(n);
  lambda[0] = 1.1 * kTau * kTau;
  ModifiedCholesky factors;
  REQUIRE(factors.compute(with_spectrum(lambda, 9)));
  CHECK(factors.correction().isZero(0));
  lambda[0] = 0;
  REQUIRE(factors.compute(with_spectrum(lambda, 9)));
  CHECK(factors.largest_correction() > 0);
  CHECK(factors.largest_correction() <= 2 * kTau * kTau);
}

TEST_CASE("An indefinite matrix is made positive definite by a diagonal within the bound of Schnabel and Eskow") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const auto [low, high] = GENERATE(std::pair{-1.0, 1e4}, std::pair{-1.0, 1.0}, std::pair{-1e4, -1.0});
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Matrix A = with_spectrum(random_spectrum(n, low, high, seed), seed);
    const double least = eigenvalues(A)[0];
    ModifiedCholesky factors;
    REQUIRE(factors.compute(A));
    CAPTURE(n, low, high, seed, least, factors.plain_pivots());
    Matrix M = A;
    M.diagonal() += factors.correction();
    CHECK(backward_error(factors, A) <= 10 * static_cast<double>(n) * kEps);
    CHECK(factors.correction().minCoeff() >= 0);

    const Vector values = eigenvalues(M);
    CHECK(values[0] > 0);
    // Pivots are at least eps^(2/3) gamma and the columns of L from phase two are bounded by them. What the inverse of
    // L adds to that may grow exponentially with n in theory; here n is never reached.
    CHECK(values[n - 1] / values[0] <= static_cast<double>(n + 1) / (kTau * kTau));

    // lambda_min(A + E) <= lambda_min(A) + max E, so that no diagonal can be smaller than this.
    CHECK(factors.largest_correction() >= -least);
    const Matrix S = left_over(factors, A);
    const double gamma = A.diagonal().cwiseAbs().maxCoeff();
    // The last two rows of diagonally dominant pivots have lambda_hi - lambda_lo <= 2 (gamma + |G|).
    const double G = least_gerschgorin(S);
    const double bound =
        std::max(0.0, -G) + std::max(2 * kTau / (1 - kTau) * (gamma + std::abs(G)), kTau * kTau * gamma);
    CHECK(factors.largest_correction() <= bound * (1 + 1e-10));
    worst = std::max(worst, factors.largest_correction() / -least);
  }
  CAPTURE(n, low, high, worst);
  // As the authors found, E is a small multiple of the least there can be. Worst, 21 at n = 50, where one eigenvalue
  // near 0 stands against many up to 1e4; at most 3.3 where all are of one size.
  CHECK(worst <= (high > 1 ? 0.5 * static_cast<double>(n) + 1 : 4));
}

TEST_CASE("Diagonal, zero and one-sided matrices are corrected as their entries say") {
  ModifiedCholesky factors;
  SECTION("nothing at all") {
    REQUIRE(factors.compute(Matrix(0, 0)));
    CHECK(factors.largest_correction() == 0);
  }
  SECTION("zeros") {
    REQUIRE(factors.compute(Matrix::Zero(4, 4)));
    CHECK(factors.largest_correction() > 0);
    Vector b = Vector::Ones(4);
    factors.solve_in_place(b);
    CHECK(b.allFinite());
  }
  SECTION("a zero diagonal, of which the least eigenvalue is -1") {
    const Matrix A = (Matrix(2, 2) << 0, 1, 1, 0).finished();
    REQUIRE(factors.compute(A));
    CHECK(factors.largest_correction() >= 1);
    CHECK(factors.largest_correction() <= 1 + 3 * kTau);
  }
  SECTION("-1 alone") {
    REQUIRE(factors.compute(Matrix::Constant(1, 1, -1)));
    CHECK(factors.largest_correction() == Approx(1 + kTau / (1 - kTau)).epsilon(1e-12));
  }
  SECTION("what is above the diagonal is not read") {
    Matrix A = with_spectrum(Vector::LinSpaced(5, -1, 3), 2);
    REQUIRE(factors.compute(A));
    const Vector E = factors.correction();
    A.triangularView<Eigen::StrictlyUpper>().setConstant(std::nan(""));
    REQUIRE(factors.compute(A));
    CHECK(factors.correction() == E);
  }
  SECTION("a larger floor is the least pivot") {
    REQUIRE(factors.compute(Eigen::Vector3d(1, -1, 0.5).asDiagonal().toDenseMatrix(), 1e-3));
    // The last two get what lifts the lesser of them, and tau / (1 - tau) of what is between them.
    CHECK(factors.factor().diagonal().minCoeff() >= std::sqrt(1e-3) * (1 - 1e-12));
    CHECK(factors.largest_correction() == Approx(1 + 1e-3).epsilon(1e-12));
    CHECK_THROWS_AS(factors.compute(Matrix::Identity(2, 2), 0), Error);
  }
  SECTION("what is not finite is told, and what is not square refused") {
    Matrix A = Matrix::Identity(3, 3);
    A(2, 1) = std::nan("");
    CHECK_FALSE(factors.compute(A));
    A(2, 1) = std::numeric_limits<double>::infinity();
    CHECK_FALSE(factors.compute(A));
    CHECK_THROWS_AS(factors.compute(Matrix::Zero(2, 3)), Error);
  }
}

TEST_CASE("modified Cholesky passes LAPACK's test ratios at any scale") {
  const Index n = GENERATE(0, 1, 2, 3, 5, 10, 50);
  const double scale = GENERATE(1.0, 1e150, 1e-150);
  const auto [low, high] = GENERATE(std::pair{1e-3, 1.0}, std::pair{-1.0, 1.0}, std::pair{-1.0, -1e-3});
  const double size = static_cast<double>(n);
  const Vector spectrum =
      low > 0 || n == 0 ? Vector(Vector::LinSpaced(n, low, high)) : random_spectrum(n, low, high, 7);
  const Matrix plain = n == 0 ? Matrix() : with_spectrum(spectrum, 8);
  CAPTURE(n, scale, low, high);
  ModifiedCholesky factors;
  REQUIRE(factors.compute(scale * plain));
  CHECK(factors.size() == n);
  Matrix corrected = scale * plain;
  corrected.diagonal() += factors.correction();
  Vector b = Vector::Constant(n, scale);
  factors.solve_in_place(b);
  if (n == 0) return;
  CHECK(backward_error(factors, scale * plain) / (size * kEps) < 30);
  const Matrix unit = corrected / scale;
  const Vector residual = unit * b - Vector::Ones(n);
  const double norm = unit.cwiseAbs().rowwise().sum().maxCoeff();
  CHECK(residual.cwiseAbs().maxCoeff() / (norm * b.cwiseAbs().maxCoeff() * size * kEps) < 30);
  CHECK((low > 0) == (factors.largest_correction() == 0));
}
