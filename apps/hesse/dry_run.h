/// \file
/// What `--dry-run` prints: what a command would do, and what time and memory that will take, measured on a few steps
/// or evaluations. It writes nothing.
#pragma once

#include "hesse/curvature/critical_point.h"
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
  Index vectors_at_once = 1;       ///< in a product
  std::vector<std::string> notes;  ///< what of it is guessed, and what is not counted
};

/// Measures one value, gradient and product at x and prints what the work takes; returns the exit code.
int dry_run(Objective& f, const Vector& x, const AnalysisWork& work, bool json);
/// The seconds of the work, by the same measurement.
double seconds_of(Objective& f, const Vector& x, const AnalysisWork& work);

/// Products that Lanczos takes for as many extreme eigenvalues where these lie apart: a guess.
double usual_lanczos(Index n, Index wanted);

/// What the certificate of a critical point of n variables evaluates, with Lanczos' part guessed.
AnalysisWork classification_work(const ClassifyOptions& options, Index n);

/// Seconds that a cell is tried for, where it is not known beforehand how long solvers take.
constexpr double kTrial = 0.1;

/// Cells that were tried, each for no longer than kTrial.
struct TriedCells {
  std::string name;    ///< the row: a solver, or a problem
  Index cells = 0;     ///< each of them a solver on a problem
  Index cut = 0;       ///< that had not ended then
  double seconds = 0;  ///< of those that had, and of what else the work has for all
};
/// Adds a cell that took so long and may take `max_seconds`: it was cut where its trial was shorter than that and is
/// over.
void add_cell(TriedCells& row, double seconds, double max_seconds);

/// Prints what all cells take when those that were cut end at once and when they take all the time that they may, each
/// `repetitions` times; returns the exit code.
int dry_run(const std::string& rows, const std::vector<TriedCells>& tried, Index repetitions, double max_seconds,
            bool json);

}  // namespace hesse::app
