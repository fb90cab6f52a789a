#include "hesse/linalg/spd_inverse.h"

#include "hesse/core/random.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

Matrix draw(Index rows, Index columns) {
  Matrix M(rows, columns);
  RandomStream(11, Purpose::test).fill_normal(Eigen::Map<Vector>(M.data(), M.size()));
  return M;
}

/// A with its lower triangle spoiled, which nobody may read.
Matrix upper_of(Matrix A) {
  A.triangularView<Eigen::StrictlyLower>().setConstant(std::nan(""));
  return A;
}

}  // namespace

TEST_CASE("The inverse of a damped matrix times the matrix is the identity to the condition times eps") {
  const Index n = GENERATE(1, 2, 3, 10, 50, 200);
  const Matrix B = draw(n, n + 5);
  const Matrix A = B * B.transpose() / static_cast<double>(n + 5);
  InverseWorkspace workspace;
  for (const double shift : {1e-4, 1.0}) {
    Matrix inverse;
    const InverseReport report = spd_inverse(upper_of(A), shift, inverse, workspace);
    CHECK(report.status == InverseStatus::by_cholesky);
    const Matrix M = A + shift * Matrix::Identity(n, n);
    CHECK(inverse == inverse.transpose());
    // Higham (2002), section 14.3: |M X - I| <= c n eps cond.
    const double nd = static_cast<double>(n);
    CHECK((M * inverse - Matrix::Identity(n, n)).norm() <= 4 * nd * kEps * report.condition);
    const Vector values = M.selfadjointView<Eigen::Upper>().eigenvalues();
    CHECK(report.condition >= (1 - 1e-10) * values.maxCoeff() / values.minCoeff());
    CHECK(report.condition <= (1 + 1e-10) * nd * values.maxCoeff() / values.minCoeff());
  }
}

TEST_CASE("The inverse of a singular matrix is finite and definite") {
  const Index n = 12;
  const Matrix B = draw(n, 5);
  const Matrix A = B * B.transpose();
  InverseWorkspace workspace;
  Matrix inverse;
  // A negative pivot is certain with a little less than nothing on the diagonal of the null space.
  const Matrix below = A - 1e-13 * A.norm() * Matrix::Identity(n, n);
  const InverseReport report = spd_inverse(upper_of(below), 0, inverse, workspace);
  CHECK(report.status == InverseStatus::by_eigenvalues);
  CHECK(inverse.allFinite());
  const Vector values = inverse.selfadjointView<Eigen::Lower>().eigenvalues();
  CHECK(values.minCoeff() > 0);
  // What was below n eps |A| counts as that, and no less.
  const double largest = A.selfadjointView<Eigen::Lower>().eigenvalues().maxCoeff();
  CHECK(values.maxCoeff() == Approx(1 / (static_cast<double>(n) * kEps * largest)).epsilon(1e-3));
  CHECK(values.minCoeff() == Approx(1 / largest).epsilon(0.2));
  spd_inverse(Matrix::Zero(3, 3), 0, inverse, workspace);
  CHECK(inverse.allFinite());
}

TEST_CASE("A matrix that is not finite leaves the inverse as it was") {
  InverseWorkspace workspace;
  Matrix inverse = Matrix::Identity(3, 3);
  Matrix A = Matrix::Identity(3, 3);
  A(0, 2) = GENERATE(std::nan(""), std::numeric_limits<double>::infinity());
  CHECK(spd_inverse(A, 1, inverse, workspace).status == InverseStatus::non_finite);
  CHECK(inverse == Matrix::Identity(3, 3));
}
