/// \file
/// No globalisation: x <- x + step d, whatever f says. Newton's iteration as it stands in textbooks, whose failures can
/// so be shown.
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/globalization/along_line.h"
#include "hesse/optim/globalization/globalizations.h"

#include <cmath>

namespace hesse {

void visit_options(UndampedOptions& o, OptionVisitor& v) {
  v.option("step", o.step, Interval::positive(), "multiple of the direction that is taken");
}

namespace {

class Undamped final : public Globalization {
 public:
  explicit Undamped(const UndampedOptions& options) : options_(options) {}

  std::string misfit(const Direction& direction) const override { return line_search_misfit(direction); }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    const DirectionReport found = direction.direction(at, d_);
    report.inner_iterations += found.inner_iterations;
    if (!found.finite || !all_finite(d_)) return StepStatus::non_finite;
    trial.x = at.x + options_.step * d_;
    trial.value = f.value_and_gradient(trial.x, trial.g);
    if (!std::isfinite(trial.value) || !all_finite(trial.g)) return StepStatus::non_finite;
    report.step_size = options_.step;
    return StepStatus::ok;
  }

 private:
  UndampedOptions options_;
  Vector d_;
};

}  // namespace

std::unique_ptr<Globalization> make_undamped(const UndampedOptions& options) {
  return std::make_unique<Undamped>(options);
}

GlobalizationEntry undamped_entry() {
  return globalization_entry<Undamped, UndampedOptions>("undamped",
                                                        "A fixed multiple of the direction, whatever f says",
                                                        "Newton (1669); Nocedal and Wright (2006), section 3.3");
}

}  // namespace hesse
