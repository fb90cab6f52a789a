#include "hesse/linalg/lanczos.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// The share of a vector's length that must be left for a pass of orthogonalisation to have been enough.
constexpr double kLittle = 0.7071;

}  // namespace

void Lanczos::start(const Vector& v, Index most) {
  const Index n = v.size();
  const Index k = std::min(most, n);
  const double length = norm(v);
  if (k < 1 || !(length > 0))
    fail("Lanczos: {} steps from a vector of norm {}; give at least one and a norm > 0", most, length);
  if (basis_.rows() != n || basis_.cols() != k) basis_.resize(n, k);
  projected_.setZero(k, k);
  product_.resize(n);
  coefficients_.resize(k);
  basis_.col(0) = v / length;
  steps_ = 0;
  complete_ = false;
  invariant_ = false;
  residual_ = 0;
  largest_ = 0;
}

bool Lanczos::extend(const LinearOperator& A) {
  const Index j = steps_;
  A.apply(basis_.col(j), product_);
  if (!all_finite(product_)) return false;
  // What the recurrence says comes first: it is all that is not rounding.
  const auto q = basis_.col(j);
  double diagonal = dot(q, product_);
  product_ -= diagonal * q;
  if (j > 0) product_ -= residual_ * basis_.col(j - 1);
  double before = norm(product_);
  for (int pass = 0; pass < 2; ++pass) {
    const auto Q = basis_.leftCols(j + 1);
    auto c = coefficients_.head(j + 1);
    tall_gram(Q, product_, c, workspace_);
    tall_subtract(Q, c, product_);
    diagonal += c[j];
    const double left = norm(product_);
    // Daniel, Gragg, Kaufman and Stewart (1976): a pass that has taken off little leaves nothing behind.
    if (left > kLittle * before) break;
    before = left;
  }
  projected_(j, j) = diagonal;
  residual_ = norm(product_);
  largest_ = std::max({largest_, std::abs(projected_(j, j)), residual_});
  ++steps_;
  invariant_ = !(residual_ > 1e-13 * largest_) || steps_ == basis_.rows();
  complete_ = invariant_ || steps_ == basis_.cols();
  if (complete_) return true;
  projected_(j + 1, j) = projected_(j, j + 1) = residual_;
  basis_.col(j + 1) = product_ / residual_;
  return true;
}

}  // namespace hesse
