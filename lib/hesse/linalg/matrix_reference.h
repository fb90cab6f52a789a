/// \file
/// A dense symmetric matrix that somebody else owns and changes, as an operator.
#pragma once

#include "hesse/linalg/linear_operator.h"

namespace hesse {

/// Y = A X with A as it is when it is applied; A must outlive this. 2 n^2 flops a vector.
class MatrixReference final : public LinearOperator {
 public:
  explicit MatrixReference(const Matrix& A) : A_(A) {}
  Index size() const override { return A_.rows(); }
  void apply(ConstMatrixView X, MatrixView Y) const override { Y.noalias() = A_ * X; }

 private:
  const Matrix& A_;
};

}  // namespace hesse
