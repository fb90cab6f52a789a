/// \file
/// The clock that decisions go by: budgets in seconds, limits on waiting. Processes that run in step have to decide
/// alike and so read one clock; whoever joins them sets it.
#pragma once

#include <functional>

namespace hesse {

/// Seconds since some fixed moment, never less than before.
double decision_clock();

/// From now on decision_clock() is `clock()`; empty for this machine's own steady clock, as at first. Not to be called
/// while anything else runs.
void set_decision_clock(std::function<double()> clock);

}  // namespace hesse
