/// \file
/// Inverses of Kronecker-factored curvature, the heart of K-FAC: every layer's block of the Fisher matrix is modelled
/// as G (x) A (objective/kronecker_structure.h), damped, inverted, and applied to the layer's gradient. Written with V
/// the outputs x columns matrix of a layer's gradient, (dL/dW, dL/db):
///
///     factored         (G + gamma / pi I)^-1 V (A + pi gamma I)^-1          Martens and Grosse (2015), section 6.3
///     eigenvalues      U_G ((U_G' V U_A) / (s_G s_A' + gamma^2)) U_A'       the same model, its damping exact
///     ekfac            U_G ((U_G' V U_A) / (moments + gamma^2)) U_A'        George et al. (2018), Algorithm 1
///     tridiagonal      with the layers' neighbours: section 4.3 and appendix B of Martens and Grosse (2015)
///
/// with pi^2 = (tr A / dim A) / (tr G / dim G) and gamma^2 the damping. Factors that are not finite leave a
/// preconditioner as it was; singular ones are inverted by their eigenvalues: nothing here returns NaN for finite
/// gradients, as long as inverses stay within the range of the precision.
#pragma once

#include "hesse/core/precision.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/objective/work_sharing.h"
#include "hesse/optim/optimizer.h"

#include <memory>
#include <string>
#include <vector>

namespace hesse {

enum class KroneckerForm { factored, eigenvalues, ekfac, tridiagonal };

/// What a refresh met.
struct RefreshReport {
  Index by_eigenvalues = 0;  ///< factors that had to be inverted by their eigenvalues
  Index non_finite = 0;      ///< factors that were not finite: the layer's old inverse stays
  double condition = 0;      ///< largest condition of a damped factor
};

/// The statistics of all blocks and what is made of them.
class KroneckerPreconditioner {
 public:
  virtual ~KroneckerPreconditioner() = default;

  /// Computes the inverses of `factors` damped by gamma_l > 0 for layer l. About n^3 flops for a factor of size n by
  /// Cholesky, 10 n^3 by eigenvalues; in parallel over factors, and by `processes` too unless that is null.
  virtual RefreshReport refresh(const std::vector<KroneckerFactors>& factors, const std::vector<double>& gamma,
                                WorkSharing* processes) = 0;
  /// The same in this process.
  RefreshReport refresh(const std::vector<KroneckerFactors>& factors, const std::vector<double>& gamma) {
    return refresh(factors, gamma, nullptr);
  }

  /// Writes the preconditioned gradient of the factored layers into `out`, and leaves its other entries alone. Two
  /// products a layer, (outputs + columns) outputs columns multiplications; `eigenvalues` and `ekfac` twice as many.
  virtual void apply(const Vector& v, Vector& out) = 0;

  /// The bases in which moments are wanted, for ekfac; null otherwise.
  virtual const std::vector<KroneckerBasis>* bases() const { return nullptr; }
  /// The moments in these bases, to be filled by KroneckerStructure::kronecker_moments(); null otherwise.
  virtual std::vector<Matrix>* moments() { return nullptr; }

  virtual StateView state() = 0;

  /// Of each factor, that of A and then that of G layer by layer, what its present inverse came to: the condition as it
  /// is damped, and whether it was inverted by its eigenvalues (kFallback) or stayed for want of a finite factor
  /// (kFailed). kPreconditionerFigures x factors, part of state(); the other figures are not known.
  const Matrix& figures() const { return figures_; }

 protected:
  Matrix figures_;
};

/// `layers` tells shapes alone. Products run in `precision`, inverses are computed in double.
std::unique_ptr<KroneckerPreconditioner> make_kronecker_preconditioner(KroneckerForm form,
                                                                       const std::vector<KroneckerFactors>& layers,
                                                                       Precision precision);

/// pi in the damping of a layer: 1 where a trace is zero.
double damping_split(const KroneckerFactors& factors);

}  // namespace hesse
