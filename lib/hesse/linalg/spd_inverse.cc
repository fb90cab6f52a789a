#include "hesse/linalg/spd_inverse.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/workspaces.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

/// Largest sum of absolute values in a column of the symmetric matrix of which A is the upper triangle, and which has
/// `shift` more on its diagonal. NaN where an entry is.
double one_norm(ConstMatrixView A, double shift, VectorView sums) {
  sums.setZero();
  for (Index j = 0; j < A.cols(); ++j) {
    const auto above = A.col(j).head(j).cwiseAbs();
    sums.head(j) += above;
    sums[j] += above.sum() + std::abs(A(j, j) + shift);
  }
  return sums.size() == 0 ? 0.0 : sums.maxCoeff<Eigen::PropagateNaN>();
}

void mirror_upper(MatrixView A) {
  // Blocks, so that neither side strides through memory.
  constexpr Index kBlock = 64;
  for (Index j = 0; j < A.cols(); j += kBlock) {
    const Index columns = std::min(kBlock, A.cols() - j);
    for (Index i = 0; i < j; i += kBlock) {
      const Index rows = std::min(kBlock, A.rows() - i);
      A.block(j, i, columns, rows) = A.block(i, j, rows, columns).transpose();
    }
    for (Index k = j; k < j + columns; ++k) {
      for (Index i = j; i < k; ++i) A(k, i) = A(i, k);
    }
  }
}

}  // namespace

InverseReport spd_inverse(const Matrix& A, double shift, Matrix& inverse, InverseWorkspace& workspace) {
  const Index n = A.rows();
  if (A.cols() != n) fail("inverse: a {} x {} matrix is not square", A.rows(), A.cols());
  InverseReport report;
  auto values = vector_in(workspace.values, n);
  const double norm = one_norm(A, shift, values);
  if (!std::isfinite(norm)) {
    report.status = InverseStatus::non_finite;
    return report;
  }
  if (n == 0) {
    inverse.resize(0, 0);
    return report;
  }
  // In the workspace, so that an inverse that is not to be had leaves the one that there is. Cholesky's factorisation
  // reads the upper triangle alone.
  auto M = matrix_in(workspace.matrix, n, n);
  M.triangularView<Eigen::Upper>() = A;
  M.diagonal().array() += shift;
  keep_blas_on_calling_thread();
  const auto size = static_cast<lapack_int>(n);
  lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', size, M.data(), size);
  if (info == 0) info = LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'U', size, M.data(), size);
  if (info == 0) {
    report.condition = norm * one_norm(M, 0, values);
    if (std::isfinite(report.condition)) {
      mirror_upper(M);
      inverse = M;
      return report;
    }
  }
  report.status = InverseStatus::by_eigenvalues;
  M = A;
  mirror_upper(M);
  M.diagonal().array() += shift;
  if (!symmetric_eigen_in_place(M, values, workspace.eigen)) {
    report.status = InverseStatus::non_finite;
    return report;
  }
  const double least =
      std::max(static_cast<double>(n) * std::numeric_limits<double>::epsilon() * values.cwiseAbs().maxCoeff(),
               std::numeric_limits<double>::min());
  // U / sqrt(values), times its own transpose.
  for (Index i = 0; i < n; ++i) M.col(i) /= std::sqrt(std::max(values[i], least));
  inverse.resize(n, n);
  gemm(Transpose::no, Transpose::yes, n, n, n, 1.0, M.data(), n, M.data(), n, 0.0, inverse.data(), n);
  report.condition = norm * one_norm(inverse, 0, values);
  return report;
}

}  // namespace hesse
