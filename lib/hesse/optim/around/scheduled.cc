#include "hesse/optim/around/scheduled.h"

#include "hesse/core/error.h"

#include <cmath>

namespace hesse {

Scheduled::Scheduled(std::string name, Schedule schedule, std::unique_ptr<Optimizer> inner)
    : Modifier(std::move(name), std::move(inner)), schedule_(std::move(schedule)) {
  if (learning_rate() == nullptr) fail("{}: this method has no learning rate to schedule", name_);
  if (schedule_({0, 0.0}).needs_momentum && momentum() == nullptr) {
    fail("{}: this method has no momentum to schedule; use it with momentum, nesterov or one of the Adam family",
         name_);
  }
}

StepReport Scheduled::step(Objective& f, Vector& x) {
  const ScheduleValue now = schedule_({step_, share_});
  ++step_;
  double* const rate = learning_rate();
  double* const weight = momentum();
  const double base_rate = *rate;
  const double base_weight = weight != nullptr ? *weight : 0.0;
  *rate *= now.rate;
  if (weight != nullptr && !std::isnan(now.momentum)) *weight = now.momentum;
  const StepReport report = inner_->step(f, x);
  *rate = base_rate;
  if (weight != nullptr) *weight = base_weight;
  return report;
}

}  // namespace hesse
