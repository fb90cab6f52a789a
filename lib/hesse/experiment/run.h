/// \file
/// One run: a method on a problem from one seed, recorded in a folder of its own (docs/records.md),
/// so that it can be read by anyone and continued to the same bits after any interruption.
#pragma once

#include "hesse/core/precision.h"
#include "hesse/core/registry.h"
#include "hesse/curvature/curvature_meter.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"
#include "hesse/report/run_record.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hesse {

/// A method as it is written: an optimizer's chain (optim/registry.h), in whose first link `batch=N` (samples of a
/// step, 0 for all) and `full_batch_at=K` (the step at which they have grown to all samples, BatchSequence) belong to
/// the run and not to the optimizer.
struct Method {
  std::string text;                ///< as given; the method's name in tables
  OptimizerSpec optimizer;         ///< without those two
  Index batch = -1;                ///< -1: left to the run
  std::int64_t full_batch_at = 0;  ///< 0: batches do not grow
};
/// Throws Error on bad grammar or an impossible batch.
Method parse_method(std::string_view text);

/// How a run is made; all that its record needs to repeat it.
struct RunSettings {
  std::string problem;
  std::string method;
  std::uint64_t seed = 0;
  Precision precision = Precision::float32;
  Index batch_size = 128;  ///< of methods that name none and do not want all samples; 0 for all
  std::string budget = "10epochs";
  double target = -std::numeric_limits<double>::infinity();
  double gradient_tolerance = 0;
  bool escape = false;             ///< go on along negative curvature from a stationary point that is no minimum
  double checkpoint_seconds = 30;  ///< between checkpoints, >= 0; at 0 there is one at the end alone
  Index trace_rows = 1;            ///< of the trace an epoch, >= 1; of an objective that is no finite sum, a step each
  Index save_every = 0;            ///< steps between points of the trajectory (report/trajectory.h), 0 for none
  Index curvature_every = 0;       ///< steps between rows of curvature.csv (report/curvature_trace.h), 0 for none
  Index curvature_top = 1;         ///< eigenvalues of such a row
  std::string curvature_measures = kDefaultCurvatureMeasures;  ///< of such a row (curvature/curvature_meter.h)
  Index chunks = 0;  ///< most chunks in which ranks share the samples (distributed/), 0: they are not shared
  Index ranks = 1;   ///< that run in step; for the record
};

/// How a run ended, as its caller sees it.
enum class RunStatus {
  finished,     ///< ended by a rule of its own; the verdict says which
  interrupted,  ///< asked to stop; can be resumed
  failed,       ///< the method or the objective threw
};

/// How a run ended, with its verdict.
struct RunOutcome {
  RunStatus status = RunStatus::finished;
  Verdict verdict;
  std::string warning;  ///< of the checkpoint it was resumed from; empty if none
};

/// What the caller adds to a run.
struct RunHooks {
  std::vector<Observer*> observers;  ///< progress bars and the like
  std::function<bool()> interrupted = [] { return false; };
  /// Told what the method or the objective threw: observers then hear of no end.
  std::function<void(const std::string& message)> failed = [](const std::string&) {};
};

/// Throws Error, before any work, when problem, method or budget cannot be built.
void check_run(const RunSettings& settings, Problem& problem);

/// What run.json says of such a run before its first step. Throws Error as check_run does.
RunRecord planned_record(const RunSettings& settings, Problem& problem);

/// Makes the run in `folder` (created if missing), or continues the one that is there. A finished run
/// is read back and not repeated. Exceptions of method and objective become an outcome with status
/// `failed`; Error is thrown only for bad settings and files, WriteError where records cannot be written: the
/// folder then holds an interrupted run.
RunOutcome run(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder,
               const RunHooks& hooks = {});

/// Draws the run that is recorded in `folder` into its folder "figures": training objective, metrics and the method's
/// telemetry, against steps. Throws Error where gnuplot is missing or complains.
void draw_run(const std::filesystem::path& folder, const Problem& problem);

/// The settings that a record was made with.
RunSettings settings_of(const RunRecord& record);

}  // namespace hesse
