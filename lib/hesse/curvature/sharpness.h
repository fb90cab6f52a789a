/// \file
/// The sharpness of a loss at a point by every measure in use, each with its error, what kind of number it is, and
/// whether it changes under a rescaling that leaves the function as it is (Dinh, Pascanu, Bengio and Bengio 2017).
///
///     eigenvalue          lambda_max(H)
///     trace               tr(H)
///     frobenius           |H|_F
///     log-volume          -1/2 log det(H_+ + delta I)                                  log_volume.h
///     keskar              100 (max over a box - f) / (1 + f), in R^n and in a subspace  worst_case.h
///     sam                 max over a ball, first-order step and ascent
///     m-sharpness         the same, averaged over batches of m samples
///     adaptive            the same in units of the parameters, elementwise and filterwise
///     expected            E f(x + sigma T u) - f(x), T = I and T = diag(|x|), and its second-order prediction
///     pac-bayes           the sigma at which that reaches a given rise, T = I and T = diag(|x|)
///     fisher-rao          x'F x                                                         weighted_curvature.h
///     relative-flatness   sum_ss' <w_s, w_s'> tr(H_ss') of one layer
///     local-entropy       log E exp(-f(x + u / sqrt(gamma)))                            smoothed_loss.h
///
/// Those in units of the parameters, the Fisher-Rao norm and relative flatness do not change when a layer is scaled by
/// alpha and the next by 1 / alpha; all others do, and two points compare by them only where nothing was rescaled,
/// which nobody knows.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/worst_case.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// What the figure of a measure is.
enum class NumberKind {
  exact,        ///< to rounding, or to the residual of an eigenvalue
  estimate,     ///< with an interval
  lower_bound,  ///< of a maximum, which may be larger
};
/// "exact", "estimate", "lower bound".
const char* to_string(NumberKind kind);

/// One measure of sharpness at a point.
struct Measure {
  std::string key;   ///< "sam", "adaptive-filterwise": unique in a report
  std::string name;  ///< with its parameters: "SAM, ascent, rho = 0.05"
  NumberKind kind = NumberKind::exact;
  bool invariant = false;      ///< to the rescaling of layers
  bool large_is_flat = false;  ///< else large is sharp
  /// lower and upper are the 95 % interval of an estimate; value -+ residual of an eigenvalue; of a lower bound the
  /// value, and the value plus the spread over the starts of the ascent, which is no bound. Those of a rise are moved
  /// out by the rounding of its two values.
  Estimate number = {};
  double rounding = 0;    ///< of the two values of a rise, or an eigenvalue's residual; 0 where nothing tells it
  std::string note = {};  ///< what else one should know; may be empty
};

/// Which measures, and the radii, deviations and probes of each.
struct SharpnessOptions {
  /// Some of sharpness_measures(); empty: all that this objective has and that cost no more memory than 1 GiB.
  std::vector<std::string> measures;
  Curvature curvature = Curvature::hessian;  ///< of eigenvalue, trace, frobenius and log-volume
  Index max_products = 100;                  ///< of each trace and norm, >= 6; all are exact where n is no more
  double eigen_tolerance = 1e-6;             ///< of the eigenvalue, relative to it
  Index probes = 10;                         ///< of the log-volume, >= 2
  Index steps = 40;                          ///< of Lanczos from each, >= 1
  double delta = 0.01;                       ///< of the log-volume, > 0
  double epsilon = 1e-3;                     ///< of Keskar's box
  Index subspace = 100;                      ///< p of Keskar's random subspace; at most n
  double rho = 0.05;                         ///< radius of SAM's ball
  double adaptive_rho = 0.5;                 ///< the same in units of the parameters
  double eta = 0;                            ///< added to those units; > 0 takes their invariance away
  Index m = 128;                             ///< samples of a batch of m-sharpness
  Index batches = 32;                        ///< at most, >= 2
  AscentOptions ascent;                      ///< of every worst case; its seed is not used
  double sigma = 0.01;                       ///< of the noise
  double adaptive_sigma = 0.1;               ///< the same in units of the parameters
  double rise = 0.1;                         ///< of the PAC-Bayes sigma
  double gamma = 100;                        ///< of the local entropy
  Index samples = 100;                       ///< of noise, in pairs, >= 4
  std::string layer;                         ///< of relative flatness: a block of weights; empty: the last
  std::uint64_t seed = 0;                    ///< of all probes, starts, batches and noise
};

/// The names above, in their order.
std::vector<std::string> sharpness_measures();

/// A measure that was not taken, and why.
struct LeftOut {
  std::string name;
  std::string why;
};

/// All measures at a point.
struct SharpnessReport {
  double value = 0;
  double gradient_norm = 0;
  std::vector<Measure> measures;  ///< in the order of sharpness_measures()
  std::vector<LeftOut> left_out;  ///< only when no measures were named
  bool is_finite = true;          ///< false when f or its gradient at x was not: then there are no measures
  std::string message;            ///< what was not finite, or what a penalty takes the invariance from
  /// Figures that are closer than this, relative to the larger, are equal to the rounding of sums and products, which
  /// no interval tells: max(1e-8, 1e3 value_noise()) of f.
  double tolerance = 0;
};

/// What the measures evaluate, in evaluations of the selected samples.
struct SharpnessWork {
  double values = 0;
  double gradients = 0;  ///< values with gradients
  double products = 0;   ///< with a curvature matrix
  /// Of the products, a guess of what Lanczos takes for the largest eigenvalue, where it is not formed densely.
  double guessed_products = 0;
  Index vectors_at_once = 0;  ///< in a product, at most
  double bytes = 0;           ///< of the vectors that the largest of them keeps, beside what an evaluation needs
};

/// What measure_sharpness(f, x, options) will evaluate, counted before it: every start of an ascent with all its
/// iterations and without halvings, and the 15 means of a PAC-Bayes sigma that are usual. Evaluates f once. Throws
/// Error as it does.
SharpnessWork sharpness_work(Objective& f, const Vector& x, const SharpnessOptions& options);

/// The measures at x on the selected samples, m-sharpness on batches of all samples. Where f has a penalty |x|^2, which
/// no rescaling leaves as it is, no measure of f counts as invariant; the Fisher-Rao norm and relative flatness are
/// those of the loss beneath the penalty, and do. A largest eigenvalue that the rounding of products leaves no meaning
/// has no value, and a note. Throws Error on impossible options, on an unknown measure, and when one that was named is
/// not to be had, before anything is computed.
SharpnessReport measure_sharpness(Objective& f, const Vector& x, const SharpnessOptions& options);

/// True when b differs from a by more than `tolerance` relative to the larger, and by more than twice their rounding.
/// For one measure with one seed at two points, which sees the same random numbers at both.
bool has_moved(const Measure& a, const Measure& b, double tolerance);

enum class Flatness { flatter, sharper, undecided };
/// "flatter", "sharper", "undecided".
const char* to_string(Flatness flatness);

/// What one measure says of a against b: decided where their intervals lie apart by more than `tolerance`, relative to
/// the larger value; SharpnessReport has the one of its objective.
Flatness flatness_of(const Measure& a, const Measure& b, double tolerance);

/// Which of two points is flatter, by all measures that may say so.
struct FlatnessVerdict {
  Flatness flatness = Flatness::undecided;  ///< of a against b
  std::string message;                      ///< one sentence, which names the measures
};

/// flatter or sharper only where every invariant measure that both have says so beyond its error and `tolerance`; else
/// undecided, with who disagrees. Measures that a rescaling moves have no vote.
FlatnessVerdict compare_flatness(std::span<const Measure> a, std::span<const Measure> b, double tolerance);

}  // namespace hesse
