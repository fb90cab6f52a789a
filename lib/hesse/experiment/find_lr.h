/// \file
/// The learning-rate range test (Smith 2017, section 3.3): the rate rises exponentially from step to step, and the loss
/// tells where training begins, where it is fastest, and where it breaks.
#pragma once

#include "hesse/objective/objective.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

/// The rates of a range test.
struct FindLrOptions {
  double low = 1e-7;       ///< first rate, > 0
  double high = 10;        ///< last rate, > low
  Index steps = 100;       ///< >= 10
  double smoothing = 0.9;  ///< weight of the past in the smoothed loss, [0, 1)
  double stop = 4;         ///< the sweep ends where the smoothed loss exceeds this multiple of its least, > 1
  Index batch_size = 0;    ///< samples of a step; 0 for all
  std::uint64_t seed = 0;  ///< of the batches
};

/// The fall is from the first smoothed loss to the least. Rates are NaN where the loss never fell.
struct LrSweep {
  std::vector<double> rate;
  std::vector<double> loss;      ///< after the step at this rate, on the next step's samples
  std::vector<double> smoothed;  ///< exponential mean, without the bias of its start
  double begins = 0;             ///< the rate at which a tenth of the fall has happened
  double steepest = 0;           ///< where the smoothed loss falls fastest in log rate
  double slows = 0;              ///< the rate at which nine tenths of the fall have happened
  double least = 0;              ///< the rate of the least smoothed loss
  bool diverged = false;         ///< ended before the last rate
  std::string message;           ///< one line
};

/// Steps `optimizer` on `f` from x, setting its learning rate before each step and restoring it at the end. One
/// gradient a step, and one value. Throws Error when the optimizer has no learning rate or an option is out of range.
LrSweep find_lr(Optimizer& optimizer, Objective& f, Vector x, const FindLrOptions& options);

}  // namespace hesse
