/// \file
/// What a run will take, told before it is made from its first steps.
#pragma once

#include "hesse/experiment/run.h"

#include <cstddef>
#include <string>

namespace hesse {

/// The estimate of one run. Time is extrapolated: what the steps after the first took, times the steps that the budget
/// holds, plus one evaluation of the objective on all samples and of the metrics for each row of the trace. Work that
/// a method does only every tenth step, convergence before the budget is spent, and steps whose cost changes are not
/// seen. Memory is counted where it can be and measured as a whole.
struct RunEstimate {
  Index parameters = 0;
  double state_bytes = 0;  ///< of the optimizer after these steps: what a checkpoint holds besides the parameters
  double disk_bytes = 0;   ///< of the two checkpoints that a run keeps, in double precision
  std::int64_t measured_steps = 0;
  double step_seconds = 0;        ///< mean of the steps after the first; of the first where there is but one
  double evaluation_seconds = 0;  ///< of a row of the trace
  double steps = 0;               ///< that the budget holds, or infinity where nothing was spent
  double seconds = 0;             ///< steps * step_seconds + rows * evaluation_seconds
  std::string ended;  ///< why the run ended before the budget was spent, within the steps that were measured
};

/// Takes up to three steps of the run in memory, and no more once two seconds have passed, and writes nothing. Throws
/// Error as check_run does, and whatever the method throws.
RunEstimate estimate_run(const RunSettings& settings, Problem& problem);

}  // namespace hesse
