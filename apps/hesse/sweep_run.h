/// \file
/// Makes or continues a sweep, with a line for each cell on standard error and the tables on standard output. Shared by
/// the subcommands that start and that resume.
#pragma once

#include "hesse/experiment/sweep.h"

#include <filesystem>

namespace hesse::app {

struct SweepSwitches {
  Index workers = 1;
  Index threads = 0;  ///< of a worker; 0: its share of the processors
  bool fresh = false;
  bool json = false;
  bool quiet = false;
};

/// Both return the exit code.
int run_and_show_sweep(SweepPlan plan, const std::filesystem::path& folder, const SweepSwitches& switches);
/// Measures one cell of each pair of a problem and a method's grid, and prints what the sweep would take.
int dry_run_sweep(const SweepPlan& plan, const SweepSwitches& switches);

}  // namespace hesse::app
