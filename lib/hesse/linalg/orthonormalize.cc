#include "hesse/linalg/orthonormalize.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"

#include <lapacke.h>

namespace hesse {
namespace {

/// LAPACK's blocks of columns; its workspace has as many columns.
constexpr Index kBlock = 64;

}  // namespace

void OrthonormalizeWorkspace::reserve(Index n) {
  const auto size = static_cast<std::size_t>(n);
  if (work.size() < kBlock * size) work.resize(kBlock * size);
  if (scalars.size() < size) scalars.resize(size);
  if (signs.size() < size) signs.resize(size);
}

bool orthonormalize(MatrixView A, OrthonormalizeWorkspace& workspace) {
  const Index m = A.rows();
  const Index n = A.cols();
  if (n > m) fail("orthonormalize: {} columns of {} entries cannot be orthonormal", n, m);
  if (n == 0) return true;
  if (!A.allFinite()) return false;
  // Scaled to one, so that squares inside LAPACK stay in range whatever the units.
  const double scale = A.cwiseAbs().maxCoeff();
  if (scale > 0) A /= scale;
  keep_blas_on_calling_thread();
  workspace.reserve(n);
  const auto rows = static_cast<lapack_int>(m);
  const auto columns = static_cast<lapack_int>(n);
  const auto stride = static_cast<lapack_int>(A.outerStride());
  const auto room = static_cast<lapack_int>(kBlock * n);
  if (LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, rows, columns, A.data(), stride, workspace.scalars.data(),
                          workspace.work.data(), room) != 0) {
    return false;
  }
  for (Index j = 0; j < n; ++j) workspace.signs[static_cast<std::size_t>(j)] = A(j, j) < 0 ? -1.0 : 1.0;
  if (LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, rows, columns, columns, A.data(), stride, workspace.scalars.data(),
                          workspace.work.data(), room) != 0) {
    return false;
  }
  for (Index j = 0; j < n; ++j) {
    if (workspace.signs[static_cast<std::size_t>(j)] < 0) A.col(j) = -A.col(j);
  }
  return true;
}

}  // namespace hesse
