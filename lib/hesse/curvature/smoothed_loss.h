/// \file
/// A loss averaged over normal noise around x: sharpness as the mean case.
///
///     R(sigma) = E f(x + sigma T u) - f(x),  u ~ N(0, I)    expected sharpness
///     sigma*   = the largest sigma up to which R <= rise    PAC-Bayes flatness
///     log E exp(-f(x + u / sqrt(gamma)))                    local entropy
///
/// R is sigma^2 tr(T H T) / 2 to second order. sigma* is that of Neyshabur, Bhojanapalli, McAllester and Srebro (2017)
/// and Jiang, Neyshabur, Mobahi, Krishnan and Bengio (2020), magnitude-aware with T. The local entropy is that of
/// Chaudhari et al. (2017), section 3, with the Gaussian normalised.
///
/// Noise comes in pairs u and -u, whose mean is free of the gradient and all odd orders, and is a function of the seed
/// alone: two points, or two sigma, see the same draws.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/perturbation.h"
#include "hesse/objective/objective.h"

#include <cstdint>

namespace hesse {

/// The noise over which a loss is averaged.
struct NoiseOptions {
  Units units = Units::plain;
  double eta = 0;    ///< of the units, >= 0
  Index pairs = 50;  ///< of noise, >= 2; each costs two values
  std::uint64_t seed = 0;
};

/// R(sigma), with Student's interval over the pairs. Throws Error on impossible options.
Estimate expected_rise(Objective& f, const Vector& x, double sigma, const NoiseOptions& options);

/// sigma*: where R, over the same draws for every sigma, first exceeds `rise`, scanned by factors of 2 and then
/// bisected and interpolated within 9 percent on logarithmic scales, on which a quadratic is a straight line. The ends
/// of the interval are where Student's bounds on R do, so that it covers where R rises with sigma (Fieller 1954). A
/// loss that is not finite counts as risen. Where a curve has no logarithm at an end of its bracket, 9 percent wide,
/// the value is the bracket's lower end, and an end of the interval the bracket's outer one. The value is infinite, and
/// `reached` false, where R stays below up to sigma = 2^40. The standard error is that of the delta method, infinite
/// where that has none: of an infinite value, and where R does not rise at sigma*. About 15 evaluations of R. Throws
/// Error on impossible options, and unless rise > 0.
Estimate pac_bayes_sigma(Objective& f, const Vector& x, double rise, const NoiseOptions& options);

/// The local entropy with how far its weights can be trusted.
struct LocalEntropy {
  /// With the interval of the delta method, log(mean weight) +- t s / mean.
  Estimate estimate;
  /// (sum w)^2 / sum w^2 of the weights w = exp(-f): how many equal weights would tell as much. Where it is small few
  /// draws carry the mean, others that would carry more were missed, and the interval does not tell.
  double effective_samples = 0;
};

/// By importance sampling with the Gaussian itself: every draw has the weight exp(-f). For f a mean loss and gamma not
/// small weights hardly differ. For f = 1/2 (x - c)'H(x - c) + f0 it is -f0 - 1/2 log det(I + H / gamma) at c. Throws
/// Error unless gamma > 0.
LocalEntropy local_entropy(Objective& f, const Vector& x, double gamma, const NoiseOptions& options);

}  // namespace hesse
