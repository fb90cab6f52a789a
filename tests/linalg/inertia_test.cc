#include "hesse/linalg/inertia.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

Matrix random_matrix(Index rows, Index columns, std::uint64_t seed) {
  Vector entries(rows * columns);
  RandomStream(seed, Purpose::test).fill_normal(entries);
  return entries.reshaped(rows, columns);
}

/// A symmetric matrix with these eigenvalues, in a random basis.
Matrix with_spectrum(const Vector& values, std::uint64_t seed) {
  const Index n = values.size();
  const Matrix Q = Eigen::HouseholderQR<Matrix>(random_matrix(n, n, seed)).householderQ();
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return 0.5 * (A + A.transpose());
}

}  // namespace

TEST_CASE("the inertia of a matrix is that of its planted spectrum whatever its size and units") {
  InertiaWorkspace workspace;
  for (const Index n : {0, 1, 2, 3, 5, 10, 50, 200}) {
    for (const double unit : {1.0, 1e150, 1e-150}) {
      for (Index negative = 0; negative <= n; negative += std::max<Index>(1, n / 4)) {
        // Magnitudes from 1e-6 to 1, far beyond 10 n eps |A| = 4e-13 at the largest n here.
        Vector values(n);
        for (Index i = 0; i < n; ++i) {
          values[i] =
              unit * std::pow(10.0, -6.0 * static_cast<double>(i) / static_cast<double>(std::max<Index>(n - 1, 1)));
        }
        values.head(negative) *= -1;
        const Matrix A = with_spectrum(values, static_cast<std::uint64_t>(n));
        const Inertia count = inertia(A, 0, workspace);
        CAPTURE(n, unit, negative);
        CHECK(count.negative == negative);
        CHECK(count.positive == n - negative);
        CHECK(count.zero == 0);
        const SignCount signs = count_signs(A, 1e-9 * unit, workspace);
        CHECK(signs.negative == negative);
        CHECK(signs.within == 0);
        CHECK(signs.positive == n - negative);
      }
    }
  }
}

TEST_CASE("a shift counts the eigenvalues on either side of it in clusters too") {
  InertiaWorkspace workspace;
  Vector values(30);
  values << Vector::Constant(10, 2), Vector::Constant(7, 2 + 1e-6), Vector::Constant(5, -1), Vector::Constant(8, 0);
  const Matrix A = with_spectrum(values, 3);
  CHECK(inertia(A, 1, workspace).positive == 17);
  // Half way through a gap of 1e-6, which is 3e6 times 10 n eps |A|.
  CHECK(inertia(A, 2 + 5e-7, workspace).positive == 7);
  const SignCount signs = count_signs(A, 1e-9, workspace);
  CHECK(signs.negative == 5);
  CHECK(signs.within == 8);
  CHECK(signs.positive == 17);
}

TEST_CASE("zeros on the diagonal want pivots of two rows and zero matrices have pivots that are zero") {
  InertiaWorkspace workspace;
  // Eigenvalues of [0 C; C' 0] are plus and minus the singular values of C.
  for (const Index k : {1, 2, 7}) {
    Matrix A = Matrix::Zero(2 * k, 2 * k);
    A.topRightCorner(k, k) = random_matrix(k, k, 5);
    A.bottomLeftCorner(k, k) = A.topRightCorner(k, k).transpose();
    const Inertia count = inertia(A, 0, workspace);
    CHECK(count.negative == k);
    CHECK(count.positive == k);
  }
  CHECK(inertia(Matrix::Zero(4, 4), 0, workspace).zero == 4);
  const Vector entries = Eigen::Vector4d(1, 0, -1, 0);
  const Inertia diagonal = inertia(Matrix(entries.asDiagonal()), 0, workspace);
  CHECK(diagonal.negative == 1);
  CHECK(diagonal.zero == 2);
  CHECK(diagonal.positive == 1);
}

TEST_CASE("counts agree with all eigenvalues for random matrices at every shift between two of them") {
  InertiaWorkspace workspace;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Index n = 25;
    const Matrix B = random_matrix(n, n, 100 + seed);
    const Matrix A = 0.5 * (B + B.transpose());
    Vector values;
    Matrix vectors;
    REQUIRE(symmetric_eigen(A, values, vectors));
    for (Index i = 0; i + 1 < n; ++i) {
      const double t = 0.5 * (values[i] + values[i + 1]);
      if (!(values[i + 1] - t > 2 * inertia_error(A))) continue;
      const Inertia count = inertia(A, t, workspace);
      CHECK(count.negative == i + 1);
      CHECK(count.positive == n - i - 1);
    }
  }
}

TEST_CASE("a matrix that is not finite is not counted and one that is not square is refused") {
  InertiaWorkspace workspace;
  Matrix A = Matrix::Identity(3, 3);
  A(2, 1) = std::nan("");
  CHECK_FALSE(inertia(A, 0, workspace).is_finite);
  CHECK_FALSE(count_signs(A, 0.1, workspace).is_finite);
  CHECK_FALSE(inertia(Matrix::Identity(2, 2), std::numeric_limits<double>::infinity(), workspace).is_finite);
  CHECK_THROWS_AS(inertia(Matrix::Zero(2, 3), 0, workspace), Error);
}

TEST_CASE("a pair of eigenvalues whose squares vanish beside the largest counts as zero") {
  // 1 and +-1e-200: the pivot of the pair has the determinant -1e-400, which is 0.
  Matrix A = Matrix::Zero(3, 3);
  A(0, 0) = 1;
  A(1, 2) = A(2, 1) = 1e-200;
  InertiaWorkspace workspace;
  const Inertia count = inertia(A, 0, workspace);
  CHECK(count.positive == 1);
  CHECK(count.zero == 2);
  CHECK(count.negative == 0);
}
