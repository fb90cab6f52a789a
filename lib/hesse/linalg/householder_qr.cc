#include "hesse/linalg/householder_qr.h"

#include "hesse/core/blas.h"

#include <lapacke.h>

#include <algorithm>

namespace hesse {
namespace {

/// Up to this many columns LAPACK's blocks cost more than they save.
constexpr Index kUnblocked = 32;
/// Columns of one block at most, by which LAPACK sizes its workspace.
constexpr Index kBlock = 64;

}  // namespace

void HouseholderQr::compute(const Matrix& A) {
  keep_blas_on_calling_thread();
  factors_ = A;
  tau_.resize(std::min(A.rows(), A.cols()));
  // Of dormqr too, which keeps a triangular factor of a block there.
  const auto room = static_cast<std::size_t>(kBlock * (std::max<Index>(A.cols(), 1) + kBlock + 1));
  if (work_.size() < room) work_.resize(room);
  const auto m = static_cast<lapack_int>(A.rows());
  const auto n = static_cast<lapack_int>(A.cols());
  if (A.cols() <= kUnblocked) {
    LAPACKE_dgeqr2_work(LAPACK_COL_MAJOR, m, n, factors_.data(), m, tau_.data(), work_.data());
  } else {
    LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, factors_.data(), m, tau_.data(), work_.data(),
                        static_cast<lapack_int>(kBlock) * n);
  }
}

void HouseholderQr::apply_transposed(Vector& b) {
  keep_blas_on_calling_thread();
  const auto m = static_cast<lapack_int>(factors_.rows());
  LAPACKE_dormqr_work(LAPACK_COL_MAJOR, 'L', 'T', m, 1, static_cast<lapack_int>(tau_.size()), factors_.data(), m,
                      tau_.data(), b.data(), m, work_.data(), static_cast<lapack_int>(kBlock * (kBlock + 2)));
}

}  // namespace hesse
