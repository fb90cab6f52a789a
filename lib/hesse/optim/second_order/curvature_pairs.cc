#include "hesse/optim/second_order/curvature_pairs.h"

#include <algorithm>

namespace hesse {

void CurvaturePairs::reserve(Index n) {
  if (S_.rows() == n && S_.cols() == memory_) return;
  // Zeros, not garbage, in the columns that hold no pair yet: checkpoints carry them.
  S_ = Matrix::Zero(n, memory_);
  Y_ = Matrix::Zero(n, memory_);
  pairs_ = 0;
  next_ = 0;
}

void CurvaturePairs::add(const Vector& s, const Vector& y) {
  S_.col(next_) = s;
  Y_.col(next_) = y;
  next_ = (next_ + 1) % memory_;
  pairs_ = std::min<std::int64_t>(pairs_ + 1, memory_);
}

bool CurvaturePairs::clear() {
  const bool any = pairs_ > 0;
  pairs_ = 0;
  return any;
}

StateView CurvaturePairs::state() { return {{"S", &S_}, {"Y", &Y_}, {"pairs", &pairs_}, {"next", &next_}}; }

}  // namespace hesse
