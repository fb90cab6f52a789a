/// \file
/// Tuning all methods alike: each gets the same number of trials, on a seed that the comparison does not use, in one
/// search over its learning rate that goes where its own losses lead.
///
/// A fixed grid is fair only to methods whose best rate it holds. The search here begins at the rate that the method came
/// with, moves by tenfolds until a worse rate lies on either side of the best one, and then spends the trials that are
/// left on the middles, in logarithm, of the gaps beside the best: 10^(1/2), then 10^(1/4) away, and so on. What a rate
/// is worth is assumed to have one peak, as in Smith (2017), section 3.3.
#pragma once

#include "hesse/experiment/run.h"

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hesse {

struct Trial {
  std::string method;  ///< with its rate
  RunOutcome outcome;
  double power = 0;  ///< its rate is the given one times 10^power
  /// The objective on all samples at the end; infinite when the trial diverged or failed.
  double score() const;
};

struct Tuning {
  std::string given;
  std::string best;           ///< the method of the least score; `given` where all diverged
  std::vector<Trial> trials;  ///< in the order in which they were run; none for a method without a learning rate
  bool at_edge = false;       ///< the best rate is the lowest or the highest tried: the trials were too few
  bool interrupted = false;   ///< some trials are missing
};

/// A rate that was tried, as a power of ten of the given one, and its score, infinite where it diverged.
struct Tried {
  double power = 0;
  double score = 0;
};

/// The power to try next. Where all that was tried diverged, one below; of equal scores the lower rate counts as the
/// better one.
double next_power(std::span<const Tried> tried);

/// `method` with its learning rate times 10^power, written with three digits; empty when it has no option lr. Throws
/// Error on bad grammar.
std::string at_power(const std::string& method, double power);

/// Runs the trials of settings.method one after the other, each in a folder of its own below `folder`; those that are
/// finished there are read back. `hooks_of` gives the hooks of a trial by its method.
Tuning tune(const RunSettings& settings, Problem& problem, Index trials, const std::filesystem::path& folder,
            const std::function<RunHooks(const std::string&)>& hooks_of);

}  // namespace hesse
