#include "hesse/optim/second_order/compact_matrix.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {

bool CompactMatrix::bind(const CurvaturePairs& pairs, Index n, double gamma) {
  const Index k = pairs.count();
  n_ = n;
  gamma_ = gamma;
  columns_ = 0;
  if (k == 0) return true;
  const bool bfgs = form_ == CompactForm::bfgs;
  const Index columns = bfgs ? 2 * k : k;
  const Index most = bfgs ? 2 * pairs.S().cols() : pairs.S().cols();
  if (W_.rows() != n || W_.cols() != most) W_.resize(n, most);
  middle_.resize(most, most);
  pivots_.resize(static_cast<std::size_t>(most));
  const auto s = [&](Index i) { return pairs.S().col(pairs.column(k - 1 - i)); };
  const auto y = [&](Index i) { return pairs.Y().col(pairs.column(k - 1 - i)); };
  // B does not change when a pair is scaled; with |s| = 1 the middle matrix is about as well conditioned as B.
  scale_.resize(pairs.S().cols());
  for (Index i = 0; i < k; ++i) scale_[i] = 1 / norm(s(i));
  for (Index i = 0; i < k; ++i) {
    if (bfgs) {
      W_.col(i) = (gamma * scale_[i]) * s(i);
      W_.col(k + i) = scale_[i] * y(i);
    } else {
      W_.col(i) = scale_[i] * (y(i) - gamma * s(i));
    }
    for (Index j = 0; j <= i; ++j) {
      const double ss = gamma * scale_[i] * scale_[j] * dot(s(i), s(j));
      const double sy = scale_[i] * scale_[j] * dot(s(i), y(j));  // L for i > j, D for i = j
      if (bfgs) {
        middle_(i, j) = middle_(j, i) = ss;
        middle_(i, k + j) = middle_(k + j, i) = i > j ? sy : 0;
        middle_(j, k + i) = middle_(k + i, j) = 0;
        middle_(k + i, k + j) = middle_(k + j, k + i) = i == j ? -sy : 0;
      } else {
        middle_(i, j) = middle_(j, i) = sy - ss;
      }
    }
  }
  columns_ = columns;
  if (factorise()) return true;
  columns_ = 0;
  return false;
}

bool CompactMatrix::factorise() {
  double largest = 0;
  for (Index k = 0; k < columns_; ++k) {
    Index pivot = k;
    for (Index i = k + 1; i < columns_; ++i) {
      if (std::abs(middle_(i, k)) > std::abs(middle_(pivot, k))) pivot = i;
    }
    pivots_[static_cast<std::size_t>(k)] = pivot;
    if (pivot != k) {
      for (Index j = 0; j < columns_; ++j) std::swap(middle_(k, j), middle_(pivot, j));
    }
    largest = std::max(largest, std::abs(middle_(k, k)));
    if (!(std::abs(middle_(k, k)) > std::numeric_limits<double>::epsilon() * largest)) return false;
    for (Index i = k + 1; i < columns_; ++i) {
      middle_(i, k) /= middle_(k, k);
      for (Index j = k + 1; j < columns_; ++j) middle_(i, j) -= middle_(i, k) * middle_(k, j);
    }
  }
  return true;
}

void CompactMatrix::solve(double* b) const {
  for (Index k = 0; k < columns_; ++k) std::swap(b[k], b[pivots_[static_cast<std::size_t>(k)]]);
  for (Index i = 1; i < columns_; ++i) {
    for (Index j = 0; j < i; ++j) b[i] -= middle_(i, j) * b[j];
  }
  for (Index i = columns_ - 1; i >= 0; --i) {
    for (Index j = i + 1; j < columns_; ++j) b[i] -= middle_(i, j) * b[j];
    b[i] /= middle_(i, i);
  }
}

void CompactMatrix::apply(ConstMatrixView X, MatrixView Y) const {
  Y = gamma_ * X;
  if (columns_ == 0) return;
  const double sign = form_ == CompactForm::bfgs ? -1 : 1;
  inner_.resize(W_.cols(), X.cols());
  for (Index j = 0; j < X.cols(); ++j) {
    for (Index i = 0; i < columns_; ++i) inner_(i, j) = dot(W_.col(i), X.col(j));
    solve(inner_.col(j).data());
    for (Index i = 0; i < columns_; ++i) Y.col(j) += (sign * inner_(i, j)) * W_.col(i);
  }
}

}  // namespace hesse
