#include "hesse/linalg/orthonormalize.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <lapacke.h>
#include <algorithm>
#include <atomic>

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

/// Fewest rows of a panel of a tall matrix.
constexpr Index kPanelRows = 4096;

template <class T>
using DenseMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using DenseView = Eigen::Ref<DenseMatrix<T>>;

/// Q of A over A. `keep` sees A between, with R in its upper triangle.
template <class T, class Keep>
bool decompose(DenseView<T> A, T* scalars, T* work, const Keep& keep) {
  const auto rows = static_cast<lapack_int>(A.rows());
  const auto columns = static_cast<lapack_int>(A.cols());
  const auto stride = static_cast<lapack_int>(A.outerStride());
  const auto room = static_cast<lapack_int>(kBlock * A.cols());
  keep_blas_on_calling_thread();
  if (geqrf(rows, columns, A.data(), stride, scalars, work, room) != 0) return false;
  keep(A);
  return orgqr(rows, columns, A.data(), stride, scalars, work, room) == 0;
}

/// The same with R's diagonal made non-negative.
template <class T>
bool decompose_with_signs(DenseView<T> A, OrthonormalizeWorkspace<T>& workspace) {
  workspace.reserve(A.cols());
  Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> signs(workspace.signs.data(), A.cols());
  const auto keep = [&](const DenseView<T>& R) {
    for (Index j = 0; j < R.cols(); ++j) signs[j] = R(j, j) < 0 ? T(-1) : T(1);
  };
  if (!decompose<T>(A, workspace.scalars.data(), workspace.work.data(), keep)) return false;
  for (Index j = 0; j < A.cols(); ++j) {
    if (signs[j] < 0) A.col(j) = -A.col(j);
  }
  return true;
}

/// A = diag(Q_p) S with S the panels' R_p, one under the other, S = Q R: the result is diag(Q_p) Q.
template <class T>
bool decompose_by_panels(DenseView<T> A, Index panel_rows, OrthonormalizeWorkspace<T>& workspace) {
  const Index m = A.rows();
  const Index n = A.cols();
  const Index panels = m / panel_rows;  // the last one takes what is over
  const auto rows_of = [&](Index p) { return p + 1 < panels ? panel_rows : m - p * panel_rows; };
  const Index own = n + kBlock * n;  // scalars and workspace of a panel
  const auto needed = static_cast<std::size_t>(panels * n * n + panels * own + m * n);
  if (workspace.panels.size() < needed) workspace.panels.resize(needed);
  Eigen::Map<DenseMatrix<T>> S(workspace.panels.data(), panels * n, n);
  T* const owned = workspace.panels.data() + S.size();
  T* const copies = owned + panels * own;
  std::atomic<bool> done = true;
  parallel_for(panels, [&](Index p) {
    T* const scalars = owned + p * own;
    const auto keep = [&](const DenseView<T>& R) {
      S.middleRows(p * n, n) = R.topRows(n).template triangularView<Eigen::Upper>();
    };
    if (!decompose<T>(A.middleRows(p * panel_rows, rows_of(p)), scalars, scalars + n, keep)) done = false;
  });
  if (!done || !decompose_with_signs<T>(S, workspace)) return false;
  parallel_for(panels, [&](Index p) {
    auto panel = A.middleRows(p * panel_rows, rows_of(p));
    Eigen::Map<DenseMatrix<T>> copy(copies + p * panel_rows * n, panel.rows(), n);
    copy = panel;
    gemm(Transpose::no, Transpose::no, panel.rows(), n, n, T(1), copy.data(), panel.rows(), S.data() + p * n,
         panels * n, T(0), panel.data(), A.outerStride());
  });
  return true;
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
  const Index panel_rows = std::max(kPanelRows, 4 * n);
  return m >= 2 * panel_rows ? decompose_by_panels<T>(A, panel_rows, workspace) : decompose_with_signs<T>(A, workspace);
}

template struct OrthonormalizeWorkspace<float>;
template struct OrthonormalizeWorkspace<double>;
template bool orthonormalize<float>(Eigen::Ref<Eigen::MatrixXf>, OrthonormalizeWorkspace<float>&);
template bool orthonormalize<double>(Eigen::Ref<Matrix>, OrthonormalizeWorkspace<double>&);

}  // namespace hesse
