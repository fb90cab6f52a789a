#include "hesse/optim/time_limit.h"

#include "hesse/core/clock.h"
#include "hesse/core/error.h"

namespace hesse {

TimeLimit::TimeLimit(double seconds) : seconds_(seconds) {
  if (!(seconds > 0)) fail("time limit: {} s; give a number > 0", seconds);
}

void TimeLimit::begin(const Progress&, const Vector&, Optimizer&) { begin_ = decision_clock(); }

bool TimeLimit::after_step(const Iterate&) { return decision_clock() - begin_ >= seconds_; }

std::string TimeLimit::stop_reason() const {
  return fmt::format("the limit of {:g} s on the wall clock was reached", seconds_);
}

}  // namespace hesse
