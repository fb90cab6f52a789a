#include "hesse/optim/second_order/compact_matrix.h"

#include "hesse/core/vector_ops.h"

#include <limits>

namespace hesse {

bool CompactMatrix::bind(const CurvaturePairs& pairs, Index n, double gamma) {
  const Index k = pairs.count();
  n_ = n;
  gamma_ = gamma;
  columns_ = 0;
  if (k == 0) return true;
  const bool bfgs = form_ == CompactForm::bfgs;
  const Index columns = bfgs ? 2 * k : k;
  if (W_.rows() != n || W_.cols() < columns) W_.resize(n, bfgs ? 2 * pairs.S().cols() : pairs.S().cols());
  middle_.resize(columns, columns);
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
  lu_.compute(middle_);
  const auto pivots = lu_.matrixLU().diagonal().cwiseAbs();
  if (!(pivots.minCoeff() > std::numeric_limits<double>::epsilon() * pivots.maxCoeff())) return false;
  columns_ = columns;
  return true;
}

void CompactMatrix::apply(ConstMatrixView X, MatrixView Y) const {
  Y = gamma_ * X;
  if (columns_ == 0) return;
  const double sign = form_ == CompactForm::bfgs ? -1 : 1;
  inner_.resize(columns_, X.cols());
  for (Index j = 0; j < X.cols(); ++j) {
    for (Index i = 0; i < columns_; ++i) inner_(i, j) = dot(W_.col(i), X.col(j));
    inner_.col(j) = lu_.solve(inner_.col(j));
    for (Index i = 0; i < columns_; ++i) Y.col(j) += (sign * inner_(i, j)) * W_.col(i);
  }
}

}  // namespace hesse
