/// \file
/// A curvature matrix formed entry by entry, for methods that factorise it: n^2 memory and n products.
#pragma once

#include "hesse/linalg/linear_operator.h"

#include <string_view>

namespace hesse {

/// The Hessian at a point by its entries.
class DenseHessian final : public LinearOperator {
 public:
  /// Throws Error when a matrix of size n needs more than `kLimit` bytes; `method` is named in it.
  static void check_size(std::string_view method, Index n);
  static constexpr double kLimit = 4.0 * 1024 * 1024 * 1024;

  /// Forms A in symmetric form (A + A') / 2. False when an entry is not finite.
  bool form(const LinearOperator& A);

  const Matrix& matrix() const { return matrix_; }
  Index size() const override { return matrix_.rows(); }
  void apply(ConstMatrixView X, MatrixView Y) const override { Y.noalias() = matrix_ * X; }

 private:
  Matrix matrix_;
  Matrix unit_;  // some columns of the identity
};

}  // namespace hesse
