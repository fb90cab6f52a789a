#include "hesse/linalg/inverse_operators.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

Matrix random_matrix(Index rows, Index columns, std::uint64_t seed) {
  Vector entries(rows * columns);
  RandomStream(seed, Purpose::test).fill_normal(entries);
  return entries.reshaped(rows, columns);
}

Matrix random_basis(Index n, Index k, std::uint64_t seed) {
  return Eigen::HouseholderQR<Matrix>(random_matrix(n, k, seed)).householderQ() * Matrix::Identity(n, k);
}

Matrix with_spectrum(const Vector& values, std::uint64_t seed) {
  const Matrix Q = random_basis(values.size(), values.size(), seed);
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return 0.5 * (A + A.transpose());
}

}  // namespace

TEST_CASE("the inverse by conjugate gradients is the inverse to its tolerance times the condition") {
  for (const Index n : {1, 2, 3, 10, 50}) {
    const Matrix A = with_spectrum(Vector::LinSpaced(n, 1, 20), 1);
    const auto accuracy = std::make_shared<InverseAccuracy>();
    const OperatorPtr inverse = cg_inverse(dense_operator(A), {}, accuracy);
    const Matrix D = to_dense(*inverse);
    // |A^-1| |b - A x| <= 1 * 1e-10 a column.
    CHECK((D - A.llt().solve(Matrix::Identity(n, n))).norm() <= 2e-10 * static_cast<double>(n));
    CHECK(accuracy->solves == n);
    CHECK(accuracy->failures == 0);
    CHECK(accuracy->worst_residual <= 1e-10);
  }
  // An indefinite operator is not inverted, and the count says so.
  const auto accuracy = std::make_shared<InverseAccuracy>();
  const OperatorPtr none = cg_inverse(diagonal_operator(Eigen::Vector2d(1, -1)), {}, accuracy);
  to_dense(*none);
  CHECK(accuracy->failures > 0);
  CHECK_THROWS_AS(cg_inverse(nullptr), Error);
  CHECK_THROWS_AS(cg_inverse(scaled_identity(2, 1), {.tolerance = 0}), Error);
}

TEST_CASE("a Neumann series of so many terms is the inverse but for the power that it leaves out") {
  const Vector values = Vector::LinSpaced(12, 0.5, 2);
  const Matrix Q = random_basis(12, 12, 3);
  const OperatorPtr A = dense_operator(Q * values.asDiagonal() * Q.transpose());
  const double s = 0.8;
  for (const Index terms : {0, 1, 5, 40}) {
    const Vector expected = (1 - (1 - s * values.array()).pow(static_cast<double>(terms + 1))) / values.array();
    const Matrix D = to_dense(*neumann_inverse(A, s, terms));
    CHECK((D - Q * expected.asDiagonal() * Q.transpose()).norm() <= 100 * static_cast<double>(terms + 1) * 12 * kEps);
  }
  CHECK_THROWS_AS(neumann_inverse(A, 0, 3), Error);
  CHECK_THROWS_AS(neumann_inverse(A, 0.1, -1), Error);
  CHECK_THROWS_AS(neumann_inverse(nullptr, 0.1, 1), Error);
}

TEST_CASE("a shift of an operator of low rank times its inverse is the identity") {
  const Index n = 30;
  const Matrix U = random_basis(n, 4, 5);
  const Vector d = Eigen::Vector4d(5, -2, 0.1, 3);
  for (const double shift : {1.0, -0.5}) {
    const Matrix A = U * d.asDiagonal() * U.transpose() + shift * Matrix::Identity(n, n);
    const Matrix D = to_dense(*low_rank_shift_inverse(U, d, shift));
    CHECK((D * A).isIdentity(1e-12));
  }
  CHECK_THROWS_AS(low_rank_shift_inverse(U, d, 0), Error);
  CHECK_THROWS_AS(low_rank_shift_inverse(U, d, 2), Error);  // d_2 + shift = 0
  CHECK_THROWS_AS(low_rank_shift_inverse(Matrix::Ones(n, 2), Vector::Ones(2), 1), Error);
  CHECK_THROWS_AS(low_rank_shift_inverse(U, Vector::Ones(2), 1), Error);
}
