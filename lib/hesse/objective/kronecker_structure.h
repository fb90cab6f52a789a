/// \file
/// Kronecker factors of the layers of a network, for K-FAC and its kin.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// How a layer that applies its matrix at several places (a convolution's pixels, a sequence's positions) is modelled
/// (Eschenhagen et al. 2023). Both are the same for a single place.
enum class WeightSharing {
  expand,  ///< every place a sample of its own: KFC (Grosse and Martens 2016)
  reduce,  ///< inputs averaged and adjoints summed over the places of a sample
};

/// The model G (x) A of one layer's block of a Fisher matrix (Martens and Grosse 2015, section 3), for a layer
/// s = W a + b whose parameters are W (outputs x inputs, row-major) and then b:
///
///     A = mean of (a, 1)(a, 1)'        inputs of the layer, with a 1 for the bias where there is one
///     G = mean of g g'                 g the adjoint of s for the loss of one sample
///
/// Only the upper triangles of A and G are kept; complete() fills the lower ones.
///
/// For a layer with R places, `expand` takes A as the mean over samples and places and G as the mean over samples of
/// the sum over places; `reduce` takes the mean of the inputs and the sum of the adjoints of a sample first. For a
/// single sample and place the product is the block itself.
struct KroneckerFactors {
  Index begin = 0;  ///< of W among the parameters; b follows it
  Index inputs = 0;
  Index outputs = 0;
  Index places = 1;
  bool bias = true;
  Matrix A;  ///< (inputs + 1) x (inputs + 1), without the 1 where there is no bias
  Matrix G;  ///< outputs x outputs
  /// Mean of (a, 1)(a_next, 1)' and of g g_next' with the next entry of the list, both with one place; empty when not
  /// asked for, and for the last.
  Matrix A_next;
  Matrix G_next;

  Index columns() const { return inputs + (bias ? 1 : 0); }
};

/// Copies the upper triangles of A and G to the lower ones.
inline void complete(KroneckerFactors& factors) {
  factors.A.triangularView<Eigen::StrictlyLower>() = factors.A.transpose();
  factors.G.triangularView<Eigen::StrictlyLower>() = factors.G.transpose();
}

/// Which statistics are wanted.
struct FactorRequest {
  /// fisher_sampled (targets drawn from the model, as K-FAC asks) or fisher_empirical.
  Curvature kind = Curvature::fisher_sampled;
  std::uint64_t seed = 0;  ///< the sampled targets and the samples of a share are functions of (seed, draw)
  std::uint64_t draw = 0;
  /// tau_1 in (0, 1]: over ceil(share N) of the N selected samples, drawn without replacement (SubsetSampler with the
  /// stream of Purpose::curvature_samples), or over all of them where layers couple samples.
  double share = 1;
  double decay = 0;  ///< factors become decay factors + (1 - decay) statistics; in [0, 1)
  WeightSharing sharing = WeightSharing::expand;
  bool neighbours = false;  ///< A_next and G_next too
};

/// An orthonormal basis on either side of a layer's gradient; both empty for the entries as they are.
struct KroneckerBasis {
  Matrix A;  ///< columns x columns
  Matrix G;  ///< outputs x outputs
};

/// An objective made of layers whose Fisher blocks have Kronecker factors.
class KroneckerStructure {
 public:
  virtual ~KroneckerStructure() = default;

  /// The layers that have factors, without the factors.
  virtual std::vector<KroneckerFactors> kronecker_layers() const = 0;

  /// Statistics at x over the selected samples, one entry for each layer that is a linear map, in the order of the
  /// parameters. Throws Error for another kind, or a share or decay out of range. With the gradient at x known, the
  /// empirical kind costs inputs^2 + outputs^2 flops a layer, place and sample, and the sampled one a backward sweep of
  /// its share more; returns the price in gradient equivalents on the selected samples, which nobody has counted yet
  /// (see charge_work() in counting_objective.h). Allocates nothing when `factors` comes from a call before.
  virtual double kronecker_factors(const Vector& x, const FactorRequest& request,
                                   std::vector<KroneckerFactors>& factors) = 0;

  /// Second moments of the gradients of single samples in the given bases, one outputs x columns matrix a layer:
  ///
  ///     moments_ij = mean of (U_G' (dL/dW, dL/db) U_A)_ij^2
  ///
  /// (George et al. 2018, eq. (11)), entering `moments` as request.decay says. Costs as above and two products with the
  /// bases a place and sample. `bases` and `moments` are in the order of kronecker_factors().
  virtual double kronecker_moments(const Vector& x, const FactorRequest& request,
                                   const std::vector<KroneckerBasis>& bases, std::vector<Matrix>& moments) = 0;
};

}  // namespace hesse
