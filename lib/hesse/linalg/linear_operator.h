/// \file
/// The symmetric linear operator: all that curvature analysis and Krylov methods see of a matrix.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// y = A x with A symmetric, n x n, known only through its products. `apply` takes a block of
/// vectors and forms all products in one pass. It is safe to call again and again on one thread;
/// two threads must not apply the same operator at once (operators own workspace).
class LinearOperator {
 public:
  virtual ~LinearOperator() = default;

  /// n.
  virtual Index size() const = 0;

  /// Y = A X for X and Y of size n x k. X and Y must not overlap. Allocates nothing once it has
  /// been called with this k.
  virtual void apply(ConstMatrixView X, MatrixView Y) const = 0;
};

}  // namespace hesse
