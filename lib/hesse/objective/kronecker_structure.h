/// \file
/// Kronecker factors of the layers of a network, for K-FAC and its kin.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <vector>

namespace hesse {

/// The model G (x) A of one layer's block of a Fisher matrix (Martens and Grosse 2015, section 3), for a layer
/// s = W a + b whose parameters are W (outputs x inputs, row-major) and then b:
///
///     A = mean of (a, 1)(a, 1)'        inputs of the layer, with a 1 for the bias
///     G = mean of g g'                 g the adjoint of s for the loss of one sample
///
/// For a single sample the product is the block itself.
struct KroneckerFactors {
  Index begin = 0;  ///< of W among the parameters; b follows it
  Index inputs = 0;
  Index outputs = 0;
  Matrix A;  ///< (inputs + 1) x (inputs + 1)
  Matrix G;  ///< outputs x outputs
};

/// An objective made of layers whose Fisher blocks have Kronecker factors.
class KroneckerStructure {
 public:
  virtual ~KroneckerStructure() = default;

  /// Factors at x over the selected samples, one entry for each such layer, in the order of the parameters.
  /// `kind` is fisher_sampled (targets drawn from the model, as K-FAC asks) or fisher_empirical; anything
  /// else throws Error. Costs a value, a backward sweep, and 2 (inputs^2 + outputs^2) flops a layer and sample;
  /// allocates nothing when `factors` comes from a call before.
  virtual void kronecker_factors(const Vector& x, Curvature kind, std::vector<KroneckerFactors>& factors) = 0;
};

}  // namespace hesse
