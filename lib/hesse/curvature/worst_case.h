/// \file
/// How far a loss rises within a neighbourhood of x: sharpness as the worst case.
///
///     box    max { f(x + A z) - f(x) : |z_i| <= epsilon (|(A^+ x)_i| + 1) }      Keskar et al. (2017), metric 2.1
///     ball   max { f(x + T u) - f(x) : |u|_2 <= rho }                            Foret et al. (2021), eq. (1), T = I;
///                                                                                Kwon et al. (2021), section 3
///     m      the mean of the latter over batches of m samples, each with its own worst case: m-sharpness, Foret et al.
///            (2021), section 4.1
///
/// A maximum over a neighbourhood of a loss that is not concave cannot be had: what is returned is what ascent found
/// from several starts, a lower bound of the maximum.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/perturbation.h"
#include "hesse/objective/objective.h"

#include <cstdint>

namespace hesse {

/// How many starts and steps the maximum is sought with.
struct AscentOptions {
  Index iterations = 20;    ///< of spectral projected gradients from each start, >= 0
  Index random_starts = 2;  ///< beside the one along the gradient at x, >= 0
  std::uint64_t seed = 0;
};

/// The worst that was found.
struct WorstCase {
  double rise = 0;         ///< f(x + e) - f(x) there, >= 0: a lower bound of the maximum
  double first_order = 0;  ///< f(x + e) - f(x) for the e that raises f most to first order; 0 where the gradient is 0
  double spread = 0;       ///< best start minus worst start: where it is not small the starts found different maxima
  double rounding = 0;     ///< of a rise, from the noise of the values that it is the difference of
  double value = 0;        ///< f(x)
  Vector perturbation;     ///< e
  Index gradients = 0;     ///< values with gradients
  bool is_finite = true;   ///< false when f was not somewhere in the neighbourhood: then the maximum is no number
};

/// The ball over which the worst case is taken.
struct BallOptions {
  double rho = 0.05;  ///< > 0, in units of T
  Units units = Units::plain;
  double eta = 0;  ///< of the units, >= 0
  AscentOptions ascent;
};

/// Over the ball. (1 + random_starts) (iterations + 1) gradients and some halvings. Throws Error on impossible options.
WorstCase worst_in_ball(Objective& f, const Vector& x, const BallOptions& options);

/// The box over which the worst case is taken.
struct BoxOptions {
  double epsilon = 1e-3;  ///< > 0
  /// p: the columns of A, orthonormalised normal vectors (then A^+ = A'); 0 for A = I. n p numbers of memory.
  Index subspace = 0;
  AscentOptions ascent;
};

/// Over the box. Throws Error on impossible options, such as a subspace of more than n dimensions.
WorstCase worst_in_box(Objective& f, const Vector& x, const BoxOptions& options);

/// 100 rise / (1 + f(x)), Keskar et al. (2017), eq. (4); they take f >= 0.
double keskar_sharpness(double rise, double value);

/// The batches of m-sharpness.
struct BatchOptions : BallOptions {
  Index m = 128;       ///< samples of a batch, >= 1; all where there are fewer
  Index batches = 32;  ///< at most, >= 2; of a partition of the samples at random, without a smaller last one
};

/// The worst cases of batches, and their mean.
struct BatchSharpness {
  Estimate rise;         ///< mean over the batches of what ascent found
  Estimate first_order;  ///< mean over the batches of the rise of the first-order step, as the paper has it
  bool whole = false;    ///< all batches of the partition were used
};

/// m-sharpness over the samples of the finite sum behind f, with Student's interval over the batches. With one batch
/// of all samples there is no error. The selection is as it was afterwards. Throws Error when f is no mean over
/// samples.
BatchSharpness worst_in_batches(Objective& f, const Vector& x, const BatchOptions& options);

}  // namespace hesse
