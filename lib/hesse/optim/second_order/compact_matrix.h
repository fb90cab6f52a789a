/// \file
/// The matrix of a limited-memory quasi-Newton method in compact form (Byrd, Nocedal and Schnabel 1994): a multiple of
/// the identity and a correction of low rank,
///
///     L-BFGS, eq. (2.17):  B = gamma I - [gamma S, Y] [ gamma S'S  L ]^-1 [ gamma S' ]      (rank 2 k)
///                                                     [ L'        -D ]    [ Y'       ]
///     L-SR1,  eq. (5.2):   B = gamma I + (Y - gamma S) (D + L + L' - gamma S'S)^-1 (Y - gamma S)'   (rank k)
///
/// with D the diagonal and L the strict lower triangle of S'Y, pairs from the oldest to the newest. A product costs
/// 8 k n flops (L-SR1: 4 k n), forming it 2 k n for a new pair.
#pragma once

#include "hesse/linalg/linear_operator.h"
#include "hesse/optim/second_order/curvature_pairs.h"

#include <vector>

namespace hesse {

enum class CompactForm { bfgs, sr1 };

/// The matrix of the pairs at hand, by its products.
class CompactMatrix final : public LinearOperator {
 public:
  explicit CompactMatrix(CompactForm form) : form_(form) {}

  /// B of these pairs with gamma > 0. False, and B = gamma I, when the middle matrix is singular to rounding.
  bool bind(const CurvaturePairs& pairs, Index n, double gamma);

  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override;

 private:
  /// LU of the middle matrix with row exchanges; false when a pivot is rounding.
  bool factorise();
  /// Replaces b by the solution.
  void solve(double* b) const;

  CompactForm form_;
  Index n_ = 0;
  double gamma_ = 1;
  Index columns_ = 0;  // of W that are in use
  // Sized for all pairs at once, so that nothing is allocated while they come in.
  Matrix W_;  // [gamma S, Y], or Y - gamma S
  Matrix middle_;
  Vector scale_;
  std::vector<Index> pivots_;
  mutable Matrix inner_;
};

}  // namespace hesse
