/// \file
/// A quadratic model g's + 1/2 s'B s with B = Q Lambda Q' decomposed once, and its minimisers under a bound or with a
/// cubic term. In the eigenbasis both subproblems are one equation in one unknown, lambda >= max(0, -lambda_1) with
///
///     (B + lambda I) s = -g,   B + lambda I positive semidefinite,
///     |s| = Delta, or lambda = 0 and |s| <= Delta         (trust region; More and Sorensen 1983)
///     lambda = sigma |s|                                  (cubic; Cartis, Gould and Toint 2011a, section 6)
///
/// which is necessary and sufficient for a global minimiser. In the hard case g has no part in the eigenspace of
/// lambda_1 < 0 and no lambda makes s long enough; then lambda = -lambda_1 and the missing length is put along an
/// eigenvector, to either side. The unknown is the distance of lambda from the pole at -lambda_1, so that nearly hard
/// cases lose no digits.
///
/// 9 n^3 flops for the decomposition, after which every radius or sigma costs 4 n^2.
#pragma once

#include "hesse/core/types.h"
#include "hesse/linalg/eigen.h"

namespace hesse {

/// A step from the spectral model, and what the model promises of it.
struct SpectralStep {
  double lambda = 0;
  double decrease = 0;     ///< m(0) - m(s) >= 0
  bool hard_case = false;  ///< part of s lies along an eigenvector that g knows nothing of
};

/// A quadratic model in the eigenvectors of its matrix, minimised for any radius or regularisation.
class SpectralModel {
 public:
  /// Decomposes B (its lower triangle). False when an entry is not finite. Throws Error unless B is square.
  bool decompose(const Matrix& B);

  Index size() const { return values_.size(); }
  /// Eigenvalues, ascending, and orthonormal eigenvectors.
  const Vector& values() const { return values_; }
  const Matrix& vectors() const { return vectors_; }

  /// Global minimiser of the model within |s| <= radius, > 0.
  SpectralStep in_ball(const Vector& g, double radius, Vector& s);
  /// Global minimiser of the model plus sigma/3 |s|^3, sigma > 0.
  SpectralStep with_cubic(const Vector& g, double sigma, Vector& s);
  /// s = -(Q max(|Lambda|, floor) Q')^-1 g: Newton's step with negative curvature turned round (Dauphin et al. 2014).
  void absolute(const Vector& g, double floor, Vector& s);
  /// s = -(B + tau I)^-1 g with the least tau >= 0 that leaves every eigenvalue at least `floor` > 0. Returns tau.
  double shifted(const Vector& g, double floor, Vector& s);

 private:
  template <class Wanted>
  SpectralStep solve(const Vector& g, bool inside, const Wanted& wanted, Vector& s);

  Vector values_;
  Matrix vectors_;
  Vector coefficients_;  // Q'g
  Vector in_basis_;      // Q's
  SymmetricEigenWorkspace workspace_;
};

}  // namespace hesse
