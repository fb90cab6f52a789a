/// \file
/// Tuning all methods alike: each gets the same number of trials, at learning rates spaced evenly in their logarithm
/// around the one it came with, on a seed that the comparison does not use.
#pragma once

#include "hesse/experiment/run.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hesse {

struct Trial {
  std::string method;  ///< with its rate
  RunOutcome outcome;
  /// The objective on all samples at the end; infinite when the trial diverged or failed.
  double score() const;
};

struct Tuning {
  std::string given;
  std::string best;           ///< the method of the least score; `given` where all diverged
  std::vector<Trial> trials;  ///< by rate, rising; none for a method without a learning rate
  bool at_edge = false;       ///< the best rate is the lowest or the highest tried
  bool interrupted = false;   ///< some trials are missing
};

/// The methods that `trials` trials of `method` run: its learning rate times 10^(i/2), i from -(trials - 1)/2 up. Empty
/// when the method has no option lr. Throws Error on bad grammar.
std::vector<std::string> trial_methods(const std::string& method, Index trials);

/// Runs the trials of settings.method, each in a folder of its own below `folder`; those that are finished there are
/// read back. `hooks_of` gives the hooks of a trial by its method.
Tuning tune(const RunSettings& settings, Problem& problem, Index trials, const std::filesystem::path& folder,
            const std::function<RunHooks(const std::string&)>& hooks_of);

}  // namespace hesse
