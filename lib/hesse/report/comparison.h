/// \file
/// Several runs side by side, from their records alone: one table and the plots of a comparison.
#pragma once

#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"
#include "hesse/report/table.h"

#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// What a comparison's table says besides the figures.
struct ComparisonTableOptions {
  std::vector<std::string> higher_is_better;  ///< names of the metrics of which that is true
  /// With a finite target, columns tell the gradient equivalents, steps and seconds after which a run's training
  /// objective was first known to be at or below it; a run that never was ranks as infinity.
  double target = -std::numeric_limits<double>::infinity();
};

/// How a run ended as a row of results.csv, all digits: how, what kind of point, the objective, the norm of the
/// gradient, each metric, what it took, and the message.
std::vector<Column> verdict_columns(std::span<const std::string> metrics);
std::vector<Cell> verdict_cells(const Verdict& verdict, std::span<const std::string> metrics);

/// One row a method (the optimizer's specification as given), in the order of first appearance: the
/// final objective and each metric as median and quartiles over the runs; the medians of gradient
/// equivalents, steps and seconds; n, failures, and how the runs ended. Runs that ended in NaN or
/// infinity or threw rank as worst and are counted as failed; so do runs without a verdict. The best
/// finite median of the objective and of each metric is emphasised.
Table comparison_table(std::span<const RecordedRun> runs, const ComparisonTableOptions& options = {});

/// How each method's `y` column went over its `x` column, both of the trace ("train_value" against
/// "step", "seconds" or "gradient_equivalents"). Rows without a figure in either are left out; a
/// run whose verdict is non_finite ends in infinity, so that it ranks as worst from there on. The y axis is
/// logarithmic when lower is better and all figures drawn are positive and span more than a factor of 5.
Plot comparison_plot(std::span<const RecordedRun> runs, std::string_view x, std::string_view y,
                     bool higher_is_better = false);

/// Draws `y` against steps, seconds and gradient equivalents into `folder`: "NAME_by_steps.svg",
/// "NAME_by_seconds.svg", "NAME_by_gradient_equivalents.svg", each with its CSV. Returns the paths of the plots.
std::vector<std::filesystem::path> write_comparison_plots(const std::filesystem::path& folder,
                                                          std::span<const RecordedRun> runs, const std::string& y,
                                                          Palette& palette, bool higher_is_better = false);

/// What methods tell of themselves (damping, condition, staleness, ...): the columns of the traces that are neither of
/// every run nor among `metrics`, in which some run has two finite figures.
std::vector<std::string> telemetry_columns(std::span<const RecordedRun> runs, std::span<const std::string> metrics);

/// Draws each of them against steps into `folder`, "NAME_by_steps.svg" with its CSV, with the runs that tell it. A run
/// that diverged ends where it ended. Returns the paths of the plots.
std::vector<std::filesystem::path> write_telemetry_plots(const std::filesystem::path& folder,
                                                         std::span<const RecordedRun> runs,
                                                         std::span<const std::string> metrics, Palette& palette);

}  // namespace hesse
