#include "hesse/optim/second_order/online_lbfgs.h"

#include "hesse/core/vector_ops.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(OnlineLbfgsOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive(), "eta_0, rate of the first step");
  v.option("memory", o.memory, Interval::closed(1, 1000), "m, curvature pairs kept");
  v.option("lambda", o.lambda, Interval::non_negative(), "multiple of s that is added to y");
  v.option("tau", o.tau, Interval::non_negative(), "steps after which the rate has halved; 0: it does not fall");
  v.option("curvature", o.curvature, Interval::half_open(0, 1), "least s'y / |s||y| of a pair that is kept");
}

StateView OnlineLbfgs::state() {
  StateView all = pairs_.state();
  all.push_back({"t", &t_});
  return all;
}

StepReport OnlineLbfgs::step(Objective& f, Vector& x) {
  StepReport report;
  report.value = f.value_and_gradient(x, g_);
  report.gradient_norm = norm(g_);
  const double eta =
      options_.tau > 0 ? options_.lr * options_.tau / (options_.tau + static_cast<double>(t_)) : options_.lr;
  report.step_size = eta;
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  pairs_.reserve(x.size());
  d_ = -g_;
  if (pairs_.count() > 0) {
    inverse_.apply(pairs_, InitialScale::mean, d_);
  } else if (report.gradient_norm > 1) {
    d_ /= report.gradient_norm;
  }
  x_new_ = x + eta * d_;
  report.value_after = f.value_and_gradient(x_new_, g_new_);
  report.gradient_norm_after = norm(g_new_);
  if (!std::isfinite(report.value_after) || !std::isfinite(report.gradient_norm_after)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  // s and y in the place of what is no longer needed.
  d_ = x_new_ - x;
  g_ = g_new_ - g_ + options_.lambda * d_;
  report.step_norm = norm(d_);
  if (dot(d_, g_) > options_.curvature * report.step_norm * norm(g_)) pairs_.add(d_, g_);
  report.tell("curvature_pairs", static_cast<double>(pairs_.count()));
  x.swap(x_new_);
  ++t_;
  return report;
}

OptimizerEntry online_lbfgs_entry() {
  return registry_entry<OnlineLbfgsOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "online-lbfgs", "L-BFGS on batches, both gradients of a pair on the same one",
      "Schraudolph, Yu and Guenter (2007), Algorithms 2 and 3",
      [](const OnlineLbfgsOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        finite_sum_of(context.objective, "online-lbfgs");
        return std::make_unique<OnlineLbfgs>(options);
      });
}

}  // namespace hesse
