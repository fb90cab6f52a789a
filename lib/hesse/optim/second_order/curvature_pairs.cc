#include "hesse/optim/second_order/curvature_pairs.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>

namespace hesse {

void CurvaturePairs::reserve(Index n) {
  if (S_.rows() == n && S_.cols() == memory_) {
    if (stale_) multiply();
    return;
  }
  // Zeros, not garbage, in the columns that hold no pair yet: checkpoints carry them.
  S_ = Matrix::Zero(n, memory_);
  Y_ = Matrix::Zero(n, memory_);
  sy_ = Vector::Zero(memory_);
  yy_ = Vector::Zero(memory_);
  stale_ = false;
  pairs_ = 0;
  next_ = 0;
}

void CurvaturePairs::add(const Vector& s, const Vector& y) {
  S_.col(next_) = s;
  Y_.col(next_) = y;
  sy_[next_] = dot(s, y);
  yy_[next_] = dot(y, y);
  next_ = (next_ + 1) % memory_;
  pairs_ = std::min<std::int64_t>(pairs_ + 1, memory_);
}

bool CurvaturePairs::clear() {
  const bool any = pairs_ > 0;
  pairs_ = 0;
  return any;
}

void CurvaturePairs::multiply() {
  stale_ = false;
  sy_.resize(memory_);
  yy_.resize(memory_);
  for (Index age = 0; age < pairs_; ++age) {
    const Index i = column(age);
    sy_[i] = dot(S_.col(i), Y_.col(i));
    yy_[i] = dot(Y_.col(i), Y_.col(i));
  }
}

StateView CurvaturePairs::state() {
  stale_ = true;
  return {{"S", &S_}, {"Y", &Y_}, {"pairs", &pairs_}, {"next", &next_}};
}

}  // namespace hesse
