/// \file
/// An optimizer whose rate and momentum follow a schedule.
#pragma once

#include "hesse/optim/around/modifier.h"
#include "hesse/optim/schedule.h"

#include <limits>

namespace hesse {

/// Before each step the learning rate that the optimizer has is multiplied by the schedule's factor, and afterwards put
/// back, so that several schedules multiply; the momentum is set where the method has one. State: the number of steps.
class Scheduled final : public Modifier {
 public:
  /// Throws Error when the optimizer has no learning rate, or no momentum where the schedule is one of the momentum.
  Scheduled(std::string name, Schedule schedule, std::unique_ptr<Optimizer> inner);
  StepReport step(Objective& f, Vector& x) override;
  void set_budget_share(double share) override {
    share_ = share;
    Modifier::set_budget_share(share);
  }

 protected:
  StateView own_state() override { return {{"step", &step_}}; }

 private:
  Schedule schedule_;
  std::int64_t step_ = 0;
  double share_ = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace hesse
