/// \file
/// Gradients for targets that the model itself draws, for Gauss-Newton-Bartlett estimates.
#pragma once

#include "hesse/core/types.h"

#include <cstdint>

namespace hesse {

/// What a mean gradient for drawn targets was taken over, and its price.
struct DrawnGradient {
  Index samples = 0;  ///< n
  double cost = 0;    ///< gradient equivalents on the selected samples, which nobody has counted yet (charge_work())
};

/// Implemented beside Objective by models with a predictive distribution.
class SampledGradient {
 public:
  virtual ~SampledGradient() = default;

  /// Writes into g the mean over n of the selected samples of s_i, the gradient of sample i's loss for a target drawn
  /// from the model: ceil(share N) samples drawn without replacement, or all N where layers couple samples. Samples and
  /// targets are functions of (seed, draw). Its mean over draws is 0, and that of
  ///
  ///     n g o g
  ///
  /// is the diagonal of the Gauss-Newton matrix (Liu et al. 2023, section 2.3, from Bartlett's identity).
  virtual DrawnGradient sampled_gradient(const Vector& x, std::uint64_t seed, std::uint64_t draw, double share,
                                         Vector& g) = 0;
};

}  // namespace hesse
