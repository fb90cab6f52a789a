/// \file
/// Makes or continues a comparison or a single run, with progress on standard error and the result on
/// standard output. Shared by the subcommands that start and that resume.
#pragma once

#include "run_options.h"

#include "hesse/experiment/compare.h"

#include <filesystem>

namespace hesse::app {

/// What `compare` and `tune` have in common: methods from seeds on, and trials that tune them.
template <class Options>
ComparisonSettings comparison_settings(const Options& options) {
  ComparisonSettings settings;
  settings.run = settings_of(options);
  settings.methods = options.optimizer;
  settings.seed = static_cast<std::uint64_t>(options.seed);
  settings.repetitions = options.repetitions;
  settings.trials = options.trials;
  settings.search = options.search;
  return settings;
}

/// Prints what a comparison would take; returns the exit code.
int dry_run_comparison(const ComparisonSettings& settings, Problem& problem, bool json);

/// Both return the exit code.
int run_comparison(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
                   bool quiet, bool plot = false);
int run_single(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
               bool quiet);

}  // namespace hesse::app
