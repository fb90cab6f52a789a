/// \file
/// Makes or continues a comparison or a single run, with progress on standard error and the result on
/// standard output. Shared by the subcommands that start and that resume.
#pragma once

#include "hesse/experiment/compare.h"

#include <filesystem>

namespace hesse::app {

/// Both return the exit code.
int run_comparison(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
                   bool quiet);
int run_single(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
               bool quiet);

}  // namespace hesse::app
