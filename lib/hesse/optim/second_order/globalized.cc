#include "hesse/optim/second_order/globalized.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"

#include <cmath>
#include <utility>

namespace hesse {

Globalized::Globalized(std::unique_ptr<Direction> direction, std::unique_ptr<Globalization> globalization)
    : direction_(std::move(direction)), globalization_(std::move(globalization)) {
  if (const std::string why = globalization_->misfit(*direction_); !why.empty()) fail("{}", why);
}

StateView Globalized::state() {
  StateView all = {{"x", &x_}, {"g", &g_}, {"f", &f_}, {"on_all_samples", &on_all_samples_}};
  for (StateEntry& entry : direction_->state()) all.push_back(std::move(entry));
  for (StateEntry& entry : globalization_->state()) all.push_back(std::move(entry));
  return all;
}

StepReport Globalized::step(Objective& objective, Vector& x) {
  StepReport report;
  // On all samples f is one function for ever; on batches it is one as long as its revision stands.
  const bool all_samples = objective.samples() == objective.total_samples();
  const bool same_function = (all_samples && on_all_samples_ != 0) || revision_ == objective.revision();
  const bool known = same_function && x_.size() == x.size() && x_ == x;
  if (known && !warm_) {
    // After a restart the objective is shown the point again, uncounted, so that what it shares between a gradient and
    // a curvature is there as in the run that went on, and costs the same.
    auto* counting = find<CountingObjective>(objective);
    Objective& uncounted = counting != nullptr ? *counting->decorated() : objective;
    direction_->evaluator(uncounted).value_and_gradient(x_, trial_.g);
  }
  warm_ = true;
  Objective& f = direction_->evaluator(objective);
  if (!known) {
    x_ = x;
    f_ = f.value_and_gradient(x, g_);
  }
  revision_ = f.revision();
  on_all_samples_ = all_samples ? 1 : 0;
  report.value = f_;
  report.gradient_norm = norm(g_);
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  if (report.gradient_norm == 0) {
    report.value_after = report.value;
    report.gradient_norm_after = 0;
    report.step_norm = 0;
    return report;
  }

  const Point at{x_, g_, f_, report.gradient_norm};
  trial_.x.resize(x.size());
  direction_->prepare(f, at);
  report.status = globalization_->advance(f, *direction_, at, trial_, report);
  if (report.status == StepStatus::line_search_failed || report.status == StepStatus::line_search_at_rounding) {
    if (direction_->forget()) {
      const Index spent = report.inner_iterations;
      report.telemetry_count = 0;
      report.status = globalization_->advance(f, *direction_, at, trial_, report);
      report.inner_iterations += spent;
    }
  }
  if (report.status != StepStatus::ok) return report;

  s_ = trial_.x - x_;
  y_ = trial_.g - g_;
  direction_->update(s_, y_);
  report.step_norm = norm(s_);
  f_ = trial_.value;
  std::swap(x_, trial_.x);
  std::swap(g_, trial_.g);
  x = x_;
  report.value_after = f_;
  report.gradient_norm_after = norm(g_);
  return report;
}

}  // namespace hesse
