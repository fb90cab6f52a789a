/// \file
/// Options that several subcommands share: how a run is made, and where its records go.
#pragma once

#include "hesse/experiment/compare.h"
#include "hesse/problems/problem.h"
#include "hesse/report/plot.h"

#include <filesystem>
#include <string>

namespace hesse::app {

struct RunOptions {
  std::string problem;
  Index seed = 1;
  Precision precision = Precision::float32;
  Index batch_size = 128;
  std::string budget = "10epochs";
  std::string target;  ///< empty: none
  double gradient_tolerance = 0;
  bool escape = false;
  double checkpoint_seconds = 30;
  Index trace_rows = 1;
  Index curvature_every = 0;
  Index curvature_top = 1;
  std::string curvature_measures = kDefaultCurvatureMeasures;
  Index threads = 0;  ///< 0: as many as there are processors
  std::string output;
  bool dry_run = false;
  bool json = false;
  bool quiet = false;
};

/// Visits the options above, in the order in which help shows them.
void visit_run_options(RunOptions& options, OptionVisitor& visitor);
/// All of them but --problem.
void visit_run_settings(RunOptions& options, OptionVisitor& visitor);

/// Visits --precision and --threads.
void visit_precision(Precision& precision, OptionVisitor& visitor);
void visit_threads(Index& threads, OptionVisitor& visitor);

/// The library's settings; method and seed are left to the caller.
RunSettings settings_of(const RunOptions& options);

/// Sets the number of threads; 0 leaves it as it is.
void use_threads(Index threads);

/// Builds the problem, its sums over samples shared by the ranks in at most so many chunks (joined_ranks.h; by default
/// as many as they want); throws Error on all ranks when none is given or it cannot be built on one.
Problem make_problem(const std::string& text, Precision precision, Index chunks);
Problem make_problem(const std::string& text, Precision precision);

/// The folder for records: `output`, which must not exist or be empty, or a new one under runs/. It is not made
/// yet, but fails where it cannot be: call it before any work. The report will be written there (records.h).
std::filesystem::path output_folder(const std::string& output, const std::string& name);

/// Visits --plot.
void visit_plot(bool& plot, OptionVisitor& visitor);
/// Throws Error where both are asked for: a plot is no JSON.
void check_plot(bool plot, bool json);
/// Columns of a plot in the terminal: its own, from 40 to 120, or 80 where it has none.
Index plot_width();
/// Prints a plot in characters that fits the terminal; what keeps gnuplot from it is a warning.
void print_plot(const Plot& plot);

/// From now on SIGINT and SIGTERM ask runs to stop after their step; a second one ends the program.
void catch_interrupts();
/// True once a signal has come.
bool interrupted();
/// True once one has come to any rank: all ask together.
bool any_rank_interrupted();
/// 130 after SIGINT, 143 after SIGTERM.
int interrupted_exit_code();

}  // namespace hesse::app
