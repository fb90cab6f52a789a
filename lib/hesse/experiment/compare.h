/// \file
/// A comparison: several methods on one problem, each from the same seeds under the same budget, in
/// one folder:
///
///     comparison.json                    what is compared
///     tuning/METHOD/trial-N/             one run each, where methods are tuned (experiment/tune.h)
///     tuning.csv, tuned.json             what the trials gave, and the best of each method
///     METHOD/seed-N/                     one run each (experiment/run.h)
///     results.csv, results.json          a row a run
///     table.txt, table.md, table.csv, table.tex   median and quartiles a method
///     figures/*.svg                      figures of merit against steps, seconds and gradient equivalents
///     figures/telemetry/*.svg            what methods tell of themselves, against steps
///
/// Runs are independent: one that diverges, throws or is killed leaves the others' bits as they are.
#pragma once

#include "hesse/experiment/run.h"
#include "hesse/experiment/tune.h"
#include "hesse/report/table.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hesse {

/// What a comparison runs, and how often.
struct ComparisonSettings {
  RunSettings run;  ///< `method` and `seed` are those of each cell
  std::vector<std::string> methods;
  std::uint64_t seed = 1;  ///< the first; repetition r has seed + r
  Index repetitions = 1;
  /// Trials that tune each method, on a seed of their own and under the same budget; 0 leaves the methods as they are.
  Index trials = 0;
  Search search = Search::rate;  ///< what the trials vary
};

/// One run of a comparison.
struct ComparisonCell {
  std::string method;
  std::uint64_t seed = 0;
  std::filesystem::path folder;
  RunOutcome outcome;
};

/// The runs of a comparison, and how it ended.
struct Comparison {
  ComparisonSettings settings;
  std::vector<Tuning> tunings;        ///< by method, where they were tuned; the cells then have the best ones
  std::vector<ComparisonCell> cells;  ///< those that were run, method by method
  Table table;                        ///< a row a method; empty when interrupted
  bool interrupted = false;
  std::vector<std::string> warnings;  ///< figures that could not be drawn, and the like
};

/// Throws Error, before any work, when a method or the budget cannot be built or a method is named twice.
void check_comparison(const ComparisonSettings& settings, Problem& problem);

/// Runs every cell that is not finished in `folder`, then writes results, tables and figures.
/// `hooks_of` gives the hooks of a cell (its progress bar), by method and seed.
Comparison compare(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder,
                   const std::function<RunHooks(const ComparisonCell&)>& hooks_of);

/// What comparison.json says.
ComparisonSettings read_comparison(const std::filesystem::path& folder);
inline constexpr const char* kComparisonFile = "comparison.json";

/// What tuned.json says.
struct TunedMethods {
  std::vector<std::string> methods;   ///< the best of each, in the order in which they were tuned
  std::vector<std::string> warnings;  ///< a line each where they were tuned under another budget or for another target
};
/// The best of each method that was tuned in `folder`. Throws Error when it was tuned on another problem, precision or
/// batch size than `settings` have, or on a seed that is one of theirs.
TunedMethods read_tuned(const std::filesystem::path& folder, const ComparisonSettings& settings);
inline constexpr const char* kTunedFile = "tuned.json";

/// The whole as JSON text, as results.json holds it.
std::string results_json(const Comparison& comparison);

}  // namespace hesse
