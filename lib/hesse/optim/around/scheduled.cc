#include "hesse/optim/around/scheduled.h"

#include "hesse/core/error.h"

#include <cmath>

namespace hesse {

Scheduled::Scheduled(std::string name, Schedule schedule, std::unique_ptr<Optimizer> inner)
    : Modifier(std::move(name), std::move(inner)), schedule_(std::move(schedule)) {
  if (learning_rate() == nullptr) fail("{}: this method has no learning rate to schedule", name_);
}

StepReport Scheduled::step(Objective& f, Vector& x) {
  const ScheduleValue now = schedule_({step_, share_});
  ++step_;
  double* const rate = learning_rate();
  double* const weight = momentum();
  if (!std::isnan(now.momentum) && weight == nullptr) {
    fail("{}: this method has no momentum to schedule", name_);
  }
  const double base_rate = *rate;
  const double base_weight = weight != nullptr ? *weight : 0.0;
  *rate *= now.rate;
  if (!std::isnan(now.momentum)) *weight = now.momentum;
  const StepReport report = inner_->step(f, x);
  *rate = base_rate;
  if (weight != nullptr) *weight = base_weight;
  return report;
}

}  // namespace hesse
