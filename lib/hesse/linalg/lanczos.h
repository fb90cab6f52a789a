/// \file
/// The Lanczos process (1950) with full reorthogonalisation: orthonormal vectors Q that span v, Av, A^2 v, ... and the
/// tridiagonal T = Q'A Q. After the recurrence of three terms, Gram and Schmidt against all vectors, once, or twice
/// where the first pass took off more than rounding ("twice is enough", Parlett 1998, section 6.9; Daniel, Gragg,
/// Kaufman and Stewart 1976), keeps Q orthogonal to rounding, so that T is A seen in the subspace and no eigenvalue
/// appears twice. k steps cost k products and 2 n k^2 flops; n k memory.
#pragma once

#include "hesse/linalg/linear_operator.h"
#include "hesse/linalg/tall_products.h"

namespace hesse {

/// The process, step by step.
class Lanczos {
 public:
  /// Begins with v / |v|, v not 0, and room for `most` vectors.
  void start(const Vector& v, Index most);
  /// Takes one more step: one product. False when the product was not finite.
  bool extend(const LinearOperator& A);

  /// k, steps taken so far.
  Index steps() const { return steps_; }
  /// True when no further step is possible: the subspace is invariant under A to rounding, or there is no room.
  bool complete() const { return complete_; }
  /// True for an invariant subspace.
  bool invariant() const { return invariant_; }
  /// n x k.
  auto basis() const { return basis_.leftCols(steps_); }
  /// k x k.
  auto projected() const { return projected_.topLeftCorner(steps_, steps_); }
  /// |A Q - Q T|: the norm of what the next vector will be scaled from.
  double residual() const { return residual_; }

 private:
  Matrix basis_;
  Matrix projected_;
  Vector product_;
  Vector coefficients_;
  TallWorkspace workspace_;
  Index steps_ = 0;
  bool complete_ = false;
  bool invariant_ = false;
  double residual_ = 0;
  double largest_ = 0;  // entry of T
};

}  // namespace hesse
