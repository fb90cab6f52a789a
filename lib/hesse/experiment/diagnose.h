/// \file
/// The checks that a person runs when training fails, each with its number and a verdict.
#pragma once

#include "hesse/core/precision.h"
#include "hesse/nn/network_objective.h"
#include "hesse/problems/problem.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace hesse {

/// What a check found.
enum class Finding {
  good,
  suspicious,  ///< may be meant
  bad,         ///< training is not to be expected to work
  skipped,     ///< does not apply here; the message says why
};
const char* to_string(Finding finding);

/// One check of a training, with what it found and what to do.
struct Check {
  std::string name;
  Finding finding = Finding::good;
  double figure = std::numeric_limits<double>::quiet_NaN();  ///< what the verdict is taken from
  std::string message = {};                                  ///< one line: the figure, the bound, and what to do
};

/// What training does to one block of parameters: medians over the observed steps.
struct BlockNorms {
  std::string name;
  double gradient_rms = 0;   ///< |g_B| / sqrt(size), at the start
  double relative_step = 0;  ///< |dx_B| / |x_B|
};

/// Units of one activation layer, judged by their outputs.
struct UnitCounts {
  std::string name;  ///< "layer 2 (relu)"
  Index units = 0;
  Index dead = 0;       ///< the same output for every sample, and not saturated
  Index saturated = 0;  ///< within 1 % of a bound of tanh or sigmoid for 95 % of the samples
};

/// What is diagnosed, and for how many steps.
struct DiagnoseOptions {
  std::string method = "momentum";  ///< a chain, as it is written
  std::uint64_t seed = 0;
  Precision precision = Precision::float64;  ///< that the objective computes in
  Index batch_size = 128;                    ///< 0 for all
  Index steps = 100;                         ///< of training that are observed
  Index overfit_steps = 1000;                ///< that ten samples get
};

/// All checks of a training.
struct Diagnosis {
  std::vector<Check> checks;
  std::vector<BlockNorms> blocks;
  std::vector<UnitCounts> units;
  /// The worst of the findings.
  Finding finding() const;
};

/// Runs every check from the problem's start of the seed. Checks that need a network are skipped for other problems.
/// Throws Error when the method cannot be built.
Diagnosis diagnose(Problem& problem, const DiagnoseOptions& options);

/// Not finite, constant, or badly scaled features: the greatest |mean| and standard deviation of a feature.
Check check_inputs(const Dataset& data);
/// Labels that are no class, classes without samples, classes of very different sizes, and equal inputs with different
/// labels.
Check check_labels(const Dataset& data);
/// The loss at x over what outputs of 0 give: log K for K classes, log 2 for each binary output, half the mean square
/// of the targets.
Check check_initial_loss(NetworkObjective& f, const Vector& x);
/// Gradient and Hessian products against central differences, on the first 50 samples.
Check check_gradient(Objective& f, const Vector& x, const DiagnoseOptions& options);
/// What is left of the loss on ten samples after `overfit_steps`, beyond the least that any model reaches there.
Check check_overfit(NetworkObjective& f, const Vector& x, const DiagnoseOptions& options);
/// Gradients at the first layer over those at the last, from the norms of blocks.
Check check_gradient_flow(const std::vector<BlockNorms>& blocks);
/// The size of steps relative to the weights they change, from the norms of blocks.
Check check_updates(const std::vector<BlockNorms>& blocks);
Check check_units(const std::vector<UnitCounts>& units);
/// The method's learning rate within the range that trains (experiment/find_lr.h).
Check check_learning_rate(Objective& f, const Vector& x, const DiagnoseOptions& options);

/// Trains a copy of x for `steps` and watches; leaves the point reached in x. `finite` tells whether it stayed finite.
std::vector<BlockNorms> observe_training(Objective& f, Vector& x, const DiagnoseOptions& options, bool& finite);
/// Counts units at x on at most 1000 samples.
std::vector<UnitCounts> count_units(NetworkObjective& f, const Vector& x);

}  // namespace hesse
