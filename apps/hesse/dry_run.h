/// \file
/// What `--dry-run` prints: the runs that a command would make, and what they will take, measured on a few steps. It
/// writes nothing.
#pragma once

#include "hesse/experiment/run.h"

#include <functional>
#include <string>
#include <vector>

namespace hesse::app {

/// Runs that cost alike.
struct PlannedRuns {
  RunSettings settings;  ///< one of them, which is measured
  Index count = 1;       ///< to be made
  Index finished = 0;    ///< that are there already
};

/// Measures each and prints runs, time, memory and disk; returns the exit code. `workers` runs at once share the
/// machine, each a process of its own or, where there is one, this. `problem_of` builds the problem of a run.
int dry_run(const std::vector<PlannedRuns>& plan, Index workers,
            const std::function<Problem&(const RunSettings&)>& problem_of, bool json);

/// What an analysis evaluates at one precision, counted before it begins.
struct AnalysisWork {
  double values = 0;
  double gradients = 0;
  double products = 0;
  double flops = 0;                ///< of dense factorisations, beside these
  double bytes = 0;                ///< that it keeps beside what an evaluation needs
  std::vector<std::string> notes;  ///< what of it is guessed, and what is not counted
};

/// Measures one value, gradient and product at x and prints what the work takes; returns the exit code.
int dry_run(Objective& f, const Vector& x, const AnalysisWork& work, bool json);

}  // namespace hesse::app
