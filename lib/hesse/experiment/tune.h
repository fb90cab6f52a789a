/// \file
/// Tuning all methods alike: each gets the same number of trials under the same budget, on a seed that the comparison
/// does not use. There are two searches.
///
/// `rate` varies the learning rate alone. A fixed grid is fair only to methods whose best rate it holds, so the search
/// begins at the rate that the method came with, moves by tenfolds until a worse rate lies on either side of the best
/// one, and then spends the trials that are left on the middles, in logarithm, of the gaps beside the best: 10^(1/2),
/// then 10^(1/4) away, and so on. What a rate is worth is assumed to have one peak, as in Smith (2017), section 3.3.
///
/// `space` varies every option for which the registry declares a range (rate, momentum, damping: `hesse describe NAME`)
/// at once: the method as it came, and then the points of a Halton sequence, shifted at random by the seed (Dahl et al.
/// 2023, section 4.4.2, draw their tuning points likewise). It assumes nothing, and its trials are exchangeable, so
/// that the best of fewer can be told from the same runs.
#pragma once

#include "hesse/experiment/run.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace hesse {

enum class Search { rate, space };
/// "rate", "space".
const char* to_string(Search search);

/// One trial of a method, and what it came to.
struct TuningTrial {
  std::string method;  ///< with the options that were tried
  RunOutcome outcome;
  /// The objective on all samples at the end; infinite when the trial diverged or failed. With a finite target, the
  /// gradient equivalents after which the target was reached; infinite where it was not.
  double score(double target) const;
  /// The objective on all samples at the end, infinite when the trial diverged or failed: between trials of equal
  /// score, as those that missed a target are, the lesser is the better one.
  double value() const;
};

/// The trials of a method, and the best of them.
struct Tuning {
  std::string given;
  std::string best;                 ///< the method of the least score; `given` where all diverged
  std::vector<TuningTrial> trials;  ///< in the order in which they were run; none for a method without anything to tune
  bool at_edge = false;  ///< the best rate is the lowest or the highest tried: the trials were too few (`rate` alone)
  bool interrupted = false;  ///< some trials are missing
};

/// A rate that was tried, as a power of ten of the given one, with score and value as TuningTrial has them.
struct Tried {
  double power = 0;
  double score = 0;
  double value = std::numeric_limits<double>::infinity();
};

/// The power to try next. Where all that was tried diverged, one below; of equal scores and values the lower rate
/// counts as the better one.
double next_power(std::span<const Tried> tried);

/// The median of the best of k trials, and its quartiles, when k of the n trials are drawn without replacement: entry
/// k - 1 is for k = 1..n. Exact, by counting (Dodge et al. 2019 give the mean for draws with replacement).
struct BestOf {
  std::vector<double> lower;
  std::vector<double> median;
  std::vector<double> upper;
};
BestOf best_of(std::vector<double> scores);

/// `method` with its tuned options at a point of the unit cube: ranges are those of the registry, in ratio to the
/// values that the method came with. Throws Error on bad grammar.
std::string at_point(const std::string& method, std::span<const double> point);
/// How many options of a method are tuned.
std::size_t tuned_options(const std::string& method);

/// Point `index` >= 0 of a Halton sequence (Halton 1960) shifted modulo 1, a function of (dimensions, seed, index).
std::vector<double> halton_point(std::size_t dimensions, std::uint64_t seed, std::uint64_t index);

/// `method` with its learning rate times 10^power, written with three digits; empty when it has no option lr. Throws
/// Error on bad grammar.
std::string at_power(const std::string& method, double power);

/// Runs the trials of settings.method one after the other, each in a folder of its own below `folder`; those that are
/// finished there are read back. A method without anything to tune has none. `hooks_of` gives the hooks of a trial by
/// its method.
Tuning tune(const RunSettings& settings, Problem& problem, Search search, Index trials,
            const std::filesystem::path& folder, const std::function<RunHooks(const std::string&)>& hooks_of);

}  // namespace hesse
