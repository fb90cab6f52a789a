/// \file
/// The modified Cholesky factorisation of Schnabel and Eskow (1999), SE99: for a symmetric A, definite or not,
///
///     P (A + E) P' = L L',   E >= 0 diagonal, A + E positive definite.
///
/// Phase one is Cholesky's factorisation with diagonal pivoting, for as long as no diagonal entry of what remains falls
/// below -0.1 gamma, where gamma = max |a_ii|. If it reaches the end then E = 0, and so it does for every A whose least
/// eigenvalue is at least floor gamma. Phase two adds to each pivot what makes its column diagonally dominant, by
/// lower Gerschgorin bounds that never fall on the way, and to the last two by their eigenvalues. With G the least
/// lower Gerschgorin bound of the matrix S that phase one left (A itself where phase one made no step),
///
///     max E <= max(0, -G) + max(tau / (1 - tau) (lambda_hi - lambda_lo), floor gamma),   tau = eps^(1/3),
///
/// lambda_hi and lambda_lo being the eigenvalues of the last 2 x 2 block (section 4; Schnabel and Eskow 1990, Theorem
/// 2.3). Since E is diagonal, max E >= -lambda_min(A) always; the authors find it within a small factor of that.
///
/// n^3 / 3 flops, one n x n copy of A. Where A is singular or nearly so a correction of about floor gamma is made,
/// which is what bounds the condition of A + E.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// The factor of A + E, and E.
class ModifiedCholesky {
 public:
  /// eps^(2/3), the authors' choice of the least pivot relative to gamma.
  static constexpr double kFloor = 3.666852862501036e-11;

  /// Factorises A (its lower triangle) with pivots of at least floor gamma, 0 < floor < 1. False when an entry is not
  /// finite. Throws Error unless A is square.
  bool compute(const Matrix& A, double floor = kFloor);

  Index size() const { return L_.rows(); }
  /// b <- (A + E)^-1 b.
  void solve_in_place(Vector& b) const;

  /// The diagonal of E, in the order of A.
  const Vector& correction() const { return correction_; }
  double largest_correction() const { return correction_.size() > 0 ? correction_.maxCoeff() : 0; }
  /// Pivots that phase one took; size() when A was factorised as it is.
  Index plain_pivots() const { return plain_pivots_; }
  /// Lower triangle of L; what stands above it is of no meaning.
  const Matrix& factor() const { return L_; }
  /// Row i of P A P' is row permutation()[i] of A.
  const std::vector<Index>& permutation() const { return permutation_; }

 private:
  void exchange(Index i, Index j);
  void eliminate(Index j);
  void modify_from(Index k, double least);

  Matrix L_;
  Vector correction_;
  std::vector<Index> permutation_;
  Vector bounds_;  // lower Gerschgorin bounds of what remains
  mutable Vector permuted_;
  Index plain_pivots_ = 0;
};

}  // namespace hesse
