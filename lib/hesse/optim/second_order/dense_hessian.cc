#include "hesse/optim/second_order/dense_hessian.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>

namespace hesse {

void DenseHessian::check_size(std::string_view method, Index n) {
  const double bytes = 8.0 * static_cast<double>(n) * static_cast<double>(n);
  if (bytes > kLimit) {
    fail(
        "{}: a matrix of {} x {} needs {:.3g} GiB and {:.3g} GiB are allowed; use newton-cg or lbfgs, which need "
        "products "
        "alone",
        method, n, n, bytes / (1024.0 * 1024 * 1024), kLimit / (1024.0 * 1024 * 1024));
  }
}

bool DenseHessian::form(const LinearOperator& A) {
  // Products share passes over the data, in blocks whose workspace stays moderate.
  constexpr Index kBlock = 32;
  const Index n = A.size();
  matrix_.resize(n, n);
  unit_.resize(n, std::min(n, kBlock));
  for (Index begin = 0; begin < n; begin += kBlock) {
    const Index k = std::min(kBlock, n - begin);
    unit_.setZero();
    for (Index j = 0; j < k; ++j) unit_(begin + j, j) = 1;
    A.apply(unit_.leftCols(k), matrix_.middleCols(begin, k));
  }
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < j; ++i) matrix_(i, j) = matrix_(j, i) = 0.5 * (matrix_(i, j) + matrix_(j, i));
  }
  return all_finite(Eigen::Map<const Vector>(matrix_.data(), matrix_.size()));
}

}  // namespace hesse
