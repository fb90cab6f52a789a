/// \file
/// Curvature along training: at every so many steps the largest eigenvalues of the Hessian on all samples, each with
/// its residual, from the eigenvectors of the time before, into `curvature.csv`.
///
///     step, sharpness (the largest), second, third, ..., residual (the largest of their residuals), converged (1 or
///     0), alignment (share of |g|^2 in their space), products, preconditioned (the largest eigenvalue of P^-1/2 H
///     P^-1/2 for a method with a diagonal P, Cohen et al. 2022), preconditioned_residual
///
/// The run is not disturbed: the objective is one of its own.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"
#include "hesse/report/trace.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace hesse {

/// The file's name within the folder of a run.
inline constexpr const char* kCurvatureFile = "curvature.csv";

/// When eigenvalues are taken along a run, and how many.
struct CurvatureTraceOptions {
  std::int64_t every_steps = 1;  ///< >= 1; the start and the end always have a row
  Index top = 1;                 ///< eigenvalues, >= 1, at most n
  double tolerance = 1e-3;       ///< on |Hv - lambda v| / |H|
  Index max_products = 500;      ///< of a row; what has not converged by then is recorded as such
  std::uint64_t seed = 0;        ///< of the first vectors
};

/// A resumed run keeps the rows up to its checkpoint and begins again with random vectors: later rows agree with those
/// of an uninterrupted run to the tolerance.
class CurvatureTrace final : public Observer {
 public:
  /// Throws Error on impossible options.
  CurvatureTrace(std::filesystem::path path, std::shared_ptr<Objective> f, const CurvatureTraceOptions& options);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;

 private:
  void record(std::int64_t step, const Vector& x, const Optimizer& optimizer);

  std::filesystem::path path_;
  std::shared_ptr<Objective> f_;
  CurvatureTraceOptions options_;
  Trace trace_;
  Optimizer* optimizer_ = nullptr;
  Matrix vectors_;                 // of the last row
  Matrix preconditioned_vectors_;  // likewise
};

/// Draws sharpness_by_steps.svg, and preconditioned_by_steps.svg where a method has a diagonal preconditioner, of runs
/// whose traces are read from curvature.csv. Throws Error where gnuplot is missing or complains.
void write_curvature_plots(const std::filesystem::path& folder, std::span<const RecordedRun> runs, Palette& palette);

}  // namespace hesse
