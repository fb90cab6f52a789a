/// \file
/// Gradients for targets that the model itself draws, for Gauss-Newton-Bartlett estimates.
#pragma once

#include "hesse/core/types.h"

#include <cstdint>

namespace hesse {

/// Implemented beside Objective by models with a predictive distribution.
class SampledGradient {
 public:
  virtual ~SampledGradient() = default;

  /// Writes into g the mean over the first `share` of the N selected samples of s_i, the gradient of sample i's loss for a
  /// target drawn from the model, a function of (seed, draw). Its mean over draws is 0, and that of
  ///
  ///     N g o g
  ///
  /// is the diagonal of the Gauss-Newton matrix (Liu et al. 2023, section 2.3, from Bartlett's identity). Returns the
  /// price in gradient equivalents on the selected samples, which nobody has counted yet (see charge_work()).
  virtual double sampled_gradient(const Vector& x, std::uint64_t seed, std::uint64_t draw, double share, Vector& g) = 0;
};

}  // namespace hesse
