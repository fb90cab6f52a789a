#include "hesse/linalg/orthonormalize.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"

#include <lapacke.h>

namespace hesse {
namespace {

/// LAPACK's blocks of columns; its workspace has as many columns.
constexpr Index kBlock = 64;

lapack_int geqrf(lapack_int m, lapack_int n, double* A, lapack_int stride, double* scalars, double* work,
                 lapack_int room) {
  return LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, A, stride, scalars, work, room);
}
lapack_int geqrf(lapack_int m, lapack_int n, float* A, lapack_int stride, float* scalars, float* work,
                 lapack_int room) {
  return LAPACKE_sgeqrf_work(LAPACK_COL_MAJOR, m, n, A, stride, scalars, work, room);
}
lapack_int orgqr(lapack_int m, lapack_int n, double* A, lapack_int stride, const double* scalars, double* work,
                 lapack_int room) {
  return LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, m, n, n, A, stride, scalars, work, room);
}
lapack_int orgqr(lapack_int m, lapack_int n, float* A, lapack_int stride, const float* scalars, float* work,
                 lapack_int room) {
  return LAPACKE_sorgqr_work(LAPACK_COL_MAJOR, m, n, n, A, stride, scalars, work, room);
}

}  // namespace

template <class T>
void OrthonormalizeWorkspace<T>::reserve(Index n) {
  const auto size = static_cast<std::size_t>(n);
  if (work.size() < kBlock * size) work.resize(kBlock * size);
  if (scalars.size() < size) scalars.resize(size);
  if (signs.size() < size) signs.resize(size);
}

template <class T>
bool orthonormalize(std::type_identity_t<Eigen::Ref<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>> A,
                    OrthonormalizeWorkspace<T>& workspace) {
  const Index m = A.rows();
  const Index n = A.cols();
  if (n > m) fail("orthonormalize: {} columns of {} entries cannot be orthonormal", n, m);
  if (n == 0) return true;
  if (!A.allFinite()) return false;
  // Scaled to one, so that squares inside LAPACK stay in range whatever the units.
  const T scale = A.cwiseAbs().maxCoeff();
  if (scale > 0) A /= scale;
  keep_blas_on_calling_thread();
  workspace.reserve(n);
  const auto rows = static_cast<lapack_int>(m);
  const auto columns = static_cast<lapack_int>(n);
  const auto stride = static_cast<lapack_int>(A.outerStride());
  const auto room = static_cast<lapack_int>(kBlock * n);
  T* const scalars = workspace.scalars.data();
  T* const work = workspace.work.data();
  if (geqrf(rows, columns, A.data(), stride, scalars, work, room) != 0) return false;
  for (Index j = 0; j < n; ++j) workspace.signs[static_cast<std::size_t>(j)] = A(j, j) < 0 ? T(-1) : T(1);
  if (orgqr(rows, columns, A.data(), stride, scalars, work, room) != 0) return false;
  for (Index j = 0; j < n; ++j) {
    if (workspace.signs[static_cast<std::size_t>(j)] < 0) A.col(j) = -A.col(j);
  }
  return true;
}

template struct OrthonormalizeWorkspace<float>;
template struct OrthonormalizeWorkspace<double>;
template bool orthonormalize<float>(Eigen::Ref<Eigen::MatrixXf>, OrthonormalizeWorkspace<float>&);
template bool orthonormalize<double>(Eigen::Ref<Matrix>, OrthonormalizeWorkspace<double>&);

}  // namespace hesse
