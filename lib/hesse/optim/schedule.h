/// \file
/// Schedules: the learning rate and the momentum as functions of time. `hesse schedule NAME` draws them.
///
/// A schedule is written behind an optimizer, adam:lr=1e-3+warmup+cosine, and gives a factor of the optimizer's own
/// rate, so that the rate that is written is the greatest. Several multiply.
///
/// Durations are steps when they are 1 or more, and shares of the run when they are below: of `steps` where that is
/// given, else of the run's budget, whatever that is counted in.
#pragma once

#include "hesse/core/registry.h"

#include <cstdint>
#include <functional>
#include <limits>

namespace hesse {

/// Where a run stands before a step.
struct SchedulePoint {
  std::int64_t step = 0;  ///< from 0
  double share = 0;       ///< of the budget that is spent, [0, 1]; NaN where there is none
};

/// What a schedule sets before a step.
struct ScheduleValue {
  double rate = 1;                                             ///< factor of the learning rate, >= 0
  double momentum = std::numeric_limits<double>::quiet_NaN();  ///< [0, 1); NaN leaves it alone
  bool needs_momentum = false;  ///< a schedule of the momentum, without sense for methods that have none
};

/// Throws Error when it needs a share of a budget that there is not.
using Schedule = std::function<ScheduleValue(const SchedulePoint&)>;

using ScheduleRegistry = Registry<Schedule, const NoContext&>;

/// Every schedule by name. A new one is a function and a line in schedule.cc.
const ScheduleRegistry& schedules();

}  // namespace hesse
