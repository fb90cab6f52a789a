/// \file
/// Curvature along training: at every so many steps the figures of curvature/curvature_meter.h on all samples, into
/// `curvature.csv`: the column `step` and those of the meter. With the measure `density` the spectrum as a whole goes
/// into `curvature_density.csv`,
///
///     step, probe, eigenvalue, weight
///
/// the nodes and weights of each probe's quadrature, whose mean over the probes is the density of eigenvalues at the
/// step; where the matrix was small enough to be formed, probe 0 has every eigenvalue with the weight 1 / n. With the
/// measure `layers` the ends and the trace of each layer's diagonal block go into `curvature_layers.csv`,
///
///     step, layer, parameters, largest, largest_residual, smallest, smallest_residual, trace, trace_lower,
///     trace_upper, converged
///
/// The run is not disturbed: the objective is one of its own, and the loop's clock and counters stand.
#pragma once

#include "hesse/core/types.h"
#include "hesse/curvature/curvature_meter.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/report/figure.h"
#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"
#include "hesse/report/trace.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// The files' names within the folder of a run.
inline constexpr const char* kCurvatureFile = "curvature.csv";
inline constexpr const char* kCurvatureDensityFile = "curvature_density.csv";
inline constexpr const char* kCurvatureLayersFile = "curvature_layers.csv";

/// When curvature is measured along a run, and what.
struct CurvatureTraceOptions : CurvatureMeterOptions {
  std::int64_t every_steps = 1;  ///< >= 1; the start and the end always have a row
};

/// A run that is resumed with `state()` from its checkpoint has the rows of one that was never interrupted, bit for
/// bit.
class CurvatureTrace final : public Observer {
 public:
  /// Throws Error on impossible options, and where f has not got what a measure needs.
  CurvatureTrace(const std::filesystem::path& folder, std::shared_ptr<Objective> f,
                 const CurvatureTraceOptions& options);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;

  /// What the next row depends on: for checkpoints (report/checkpoint.h), before which this observer has to be called.
  StateView state() { return meter_.state(); }

 private:
  void record(std::int64_t step, const Vector& x, const Optimizer& optimizer);

  std::filesystem::path path_;
  std::filesystem::path density_path_;
  std::filesystem::path layers_path_;
  std::shared_ptr<Objective> f_;
  std::int64_t every_steps_;
  CurvatureMeter meter_;
  bool with_density_ = false;
  bool with_layers_ = false;
  Trace trace_;
  Optimizer* optimizer_ = nullptr;
};

/// Where a method is at the edge of stability: the largest eigenvalue of a quadratic, preconditioned if the method is,
/// beyond which its steps on all samples grow.
struct StabilityEdge {
  std::string column;   ///< "sharpness" or "preconditioned"
  double value = 0;     ///< 20
  std::string formula;  ///< "2 / lr"
};

/// The edge of a run's method, by the roots of its recurrence on a quadratic (Cohen, Kaur, Li, Kolter and Talwalkar
/// 2021, appendix B; Cohen et al. 2022, eq. (2)), with beta the momentum:
///
///     gd, sgd, momentum             2 (1 + beta) / lr;  (1 + beta) / (1 - beta) 2 / lr in the averaged form
///     the same, Nesterov's          2 (1 + beta) / ((1 + 2 beta) lr)
///     rmsprop                       2 (1 + beta) / lr, preconditioned
///     adam                          2 (1 + beta1) / ((1 - beta1) lr), preconditioned: 38 / lr
///
/// Nothing for other methods, with weight decay, and where a modifier or a schedule acts on the step.
std::optional<StabilityEdge> stability_edge(const RunRecord& record);

/// The runs that have a curvature.csv, with it in place of their traces.
std::vector<RecordedRun> with_curvature(std::span<const RecordedRun> runs);

/// A figure of what was measured, and the runs in it.
struct CurvatureFigure {
  Figure figure;
  std::vector<RecordedRun> runs;
};

/// One figure for each column of drawn_curvature_columns(), of the runs that have figures in it, and the edge of
/// stability where all are of one; an estimate's interval is the band where there is but one run a method. Then the
/// largest eigenvalues over their edges, where these differ. Runs are those of with_curvature().
std::vector<CurvatureFigure> curvature_figures(std::span<const RecordedRun> runs);

/// The density of a run's eigenvalues over its steps, from curvature_density.csv: a column for each of at most 200
/// evenly spaced steps, that of the row at or before it, on 160 eigenvalues from end to end, blurred by a hundredth of
/// the range, densities below a millionth of the largest raised to it. Nothing where the run has no such file or one
/// row only.
std::optional<ContourPlot> density_map(const RecordedRun& run);

/// The largest and the smallest eigenvalue and the trace, with its interval, of each layer's diagonal block of a run
/// over its steps, from curvature_layers.csv: three figures named layers_largest, layers_smallest and layers_trace, or
/// none where the run has no such file.
std::vector<Figure> layer_figures(const RecordedRun& run);

/// Draws each of these figures to COLUMN_by_steps.svg, and of each run the density to density_by_steps.svg and the
/// layers to layers_largest_by_steps.svg and so on or, of several runs, to density_by_steps_METHOD_seed-N.svg and so
/// on. Throws Error where gnuplot is missing or complains.
void write_curvature_plots(const std::filesystem::path& folder, std::span<const RecordedRun> runs, Palette& palette);

}  // namespace hesse
