/// \file
/// A sweep: problems x methods x seeds, the specifications written as grids (experiment/grid.h), in one folder:
///
///     sweep.json               what was asked for last
///     lock                     held while a sweep is at work (report/folder_lock.h)
///     cells/NAME/              one run each (experiment/run.h)
///     results.csv, results.json   a row a cell, those that failed among them, with the reason
///     best.csv                 the best method of each problem by its median
///     table.txt, table.md, table.tex   median and quartiles a method, problem by problem
///     figures/*.svg            the final objective against each option that varies
///
/// A cell is addressed by its content: its name is a hash of everything that its bits depend on (`cell_specification`),
/// so that no order, spelling or repetition of what is asked for runs a cell twice, a sweep in the same folder takes up
/// whatever cells earlier ones left there, and one that was killed goes on where it was, inside a cell from its last
/// checkpoint. Cells are processes of their own: what crashes, is killed or runs out of memory is one row.
#pragma once

#include "hesse/experiment/grid.h"
#include "hesse/experiment/run.h"
#include "hesse/report/table.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// What a sweep is over.
struct SweepSettings {
  RunSettings run;                    ///< `problem`, `method` and `seed` are those of each cell
  std::vector<std::string> problems;  ///< grids
  std::vector<std::string> methods;   ///< grids
  std::uint64_t seed = 1;             ///< the first; repetition r has seed + r
  Index repetitions = 1;
  Index samples = 0;  ///< of what the grids draw, for each combination of the rest
  Sampling sampling = Sampling::quasi_random;
};

/// How a cell stands.
enum class CellState {
  waiting,
  finished,  ///< its record has a verdict, which may be that the method threw
  failed,    ///< its process ended without one
};
const char* to_string(CellState state);

/// One cell of a sweep, and how it stands.
struct SweepCell {
  RunSettings settings;
  std::string given_problem;  ///< the grids that it is a point of
  std::string given_method;
  /// What varies and its value here; an option of the problem is "problem.NAME".
  std::vector<std::pair<std::string, std::string>> varied;
  RunRecord planned;          ///< before its first step
  std::string specification;  ///< `cell_specification` of that
  std::string name;           ///< its folder's, 16 hexadecimal digits
  CellState state = CellState::waiting;
  std::optional<Verdict> verdict;  ///< where it is finished
  std::string reason;              ///< why it failed, or what a method that threw said
};

/// Everything that the bits of a run depend on as one line of JSON with sorted keys: the problem and the optimizer with
/// the values of all their options, numbers in one spelling; seed, precision, samples of a step, the budget's limits,
/// and the settings of the run but for the time between checkpoints; and the version of the record. What is in a file
/// that a data set is read from is not part of it.
std::string cell_specification(const RunRecord& record);
/// The first 16 hexadecimal digits of its SHA-256.
std::string cell_name(const std::string& specification);

/// All cells in the order of problems, methods and seeds, each specification once.
struct SweepPlan {
  SweepSettings settings;
  std::vector<SweepCell> cells;
  std::map<std::string, std::vector<std::string>> metrics;           ///< of each problem, by its text
  std::map<std::string, std::vector<std::string>> higher_is_better;  ///< those of which that is true
  Index repeated = 0;                                                ///< cells that were asked for more than once
};
/// Cells with a verdict in `folder`, which need not be there, are finished. Builds every problem and every method once.
/// Throws Error, before any work, on whatever `run` would refuse.
SweepPlan plan_sweep(const SweepSettings& settings, const std::filesystem::path& folder);

/// How the cells are run.
struct SweepExecution {
  std::string program;  ///< hesse itself
  Index workers = 1;    ///< cells at once
  Index threads = 0;    ///< of each; 0: its share of the processors
  bool fresh = false;   ///< finished cells too
  std::function<void(const SweepCell&)> started = [](const SweepCell&) {};
  /// With the seconds that the cell took, and those that are likely left for the rest.
  std::function<void(const SweepCell&, double seconds, double left)> ended = [](const SweepCell&, double, double) {};
  std::function<bool()> interrupted = [] { return false; };
};

/// A method on a problem, over its seeds.
struct SweepRow {
  std::string problem;
  std::string method;
  std::vector<const SweepCell*> cells;
  SampleSummary value;  ///< the final objective; what failed or diverged ranks as worst
};

/// Rows point into the plan and into each other, so that it moves and is not copied.
struct Sweep {
  explicit Sweep(SweepPlan its_plan) : plan(std::move(its_plan)) {}
  Sweep(Sweep&&) = default;
  Sweep& operator=(Sweep&&) = default;

  SweepPlan plan;
  std::vector<SweepRow> rows;
  std::map<std::string, const SweepRow*> best;  ///< of each problem; none where all failed
  std::vector<Table> tables;                    ///< one a problem, in the order of the plan
  bool interrupted = false;
  std::vector<std::string> warnings;
};

/// Runs every cell of the plan that is not finished in `folder` and writes the results. Throws Error when another
/// process works in the folder, WriteError when records cannot be written.
Sweep run_sweep(SweepPlan plan, const std::filesystem::path& folder, const SweepExecution& execution);

/// The whole as JSON text, as results.json holds it.
std::string results_json(const Sweep& sweep);

/// What sweep.json says.
SweepSettings read_sweep(const std::filesystem::path& folder);
inline constexpr const char* kSweepFile = "sweep.json";

}  // namespace hesse
