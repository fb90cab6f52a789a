#include "hesse/linalg/inertia.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"

#include <lapacke.h>

#include <algorithm>
#include <limits>

namespace hesse {
namespace {

/// Adds the signs of the eigenvalues of the 2 x 2 block [a b; b c] of D. Pivoting makes b the largest, so that the
/// determinant is negative; the general rule costs nothing.
void count_pair(double a, double b, double c, Inertia& count) {
  const double determinant = a * c - b * b;
  if (determinant < 0) {
    ++count.negative;
    ++count.positive;
  } else if (determinant > 0) {
    (a + c > 0 ? count.positive : count.negative) += 2;
  } else {
    ++count.zero;
    ++(a + c > 0 ? count.positive : a + c < 0 ? count.negative : count.zero);
  }
}

}  // namespace

Inertia inertia(const Matrix& A, double t, InertiaWorkspace& workspace) {
  const Index n = A.rows();
  if (A.cols() != n) fail("inertia: the matrix is {} x {}, not square", n, A.cols());
  Inertia count;
  if (n == 0) return count;
  Matrix& F = workspace.factor;
  F = A;
  F.diagonal().array() -= t;
  if (!F.allFinite()) {
    count.is_finite = false;
    return count;
  }
  // Scaled to one, so that products of pivots stay in range whatever the units.
  const double scale = F.cwiseAbs().maxCoeff();
  if (scale == 0) {
    count.zero = n;
    return count;
  }
  F /= scale;
  workspace.pivots.resize(static_cast<std::size_t>(n));
  const auto size = static_cast<lapack_int>(n);
  constexpr lapack_int kBlock = 64;
  workspace.work.resize(static_cast<std::size_t>(n * kBlock));
  keep_blas_on_calling_thread();
  // A positive return says that D has an exact zero, which is counted as such.
  LAPACKE_dsytrf_work(LAPACK_COL_MAJOR, 'L', size, F.data(), size, workspace.pivots.data(), workspace.work.data(),
                      size * kBlock);
  for (Index j = 0; j < n; ++j) {
    if (workspace.pivots[static_cast<std::size_t>(j)] < 0) {  // the first of a pair
      count_pair(F(j, j), F(j + 1, j), F(j + 1, j + 1), count);
      ++j;
    } else {
      ++(F(j, j) < 0 ? count.negative : F(j, j) > 0 ? count.positive : count.zero);
    }
  }
  return count;
}

SignCount count_signs(const Matrix& A, double tolerance, InertiaWorkspace& workspace) {
  const Inertia below = inertia(A, -tolerance, workspace);
  const Inertia above = inertia(A, tolerance, workspace);
  SignCount count;
  count.is_finite = below.is_finite && above.is_finite;
  if (!count.is_finite) return count;
  count.negative = below.negative;
  count.positive = above.positive;
  count.within = A.rows() - count.negative - count.positive;
  return count;
}

double inertia_error(const Matrix& A) {
  if (A.size() == 0) return 0;
  const double norm_bound = A.cwiseAbs().rowwise().sum().maxCoeff();
  return 10 * static_cast<double>(A.rows()) * std::numeric_limits<double>::epsilon() * norm_bound;
}

}  // namespace hesse
