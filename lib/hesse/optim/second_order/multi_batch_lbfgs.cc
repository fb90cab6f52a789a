#include "hesse/optim/second_order/multi_batch_lbfgs.h"

#include "hesse/core/vector_ops.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace hesse {

void visit_options(MultiBatchLbfgsOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive(), "alpha, learning rate");
  v.option("memory", o.memory, Interval::closed(1, 1000), "m, curvature pairs kept");
  v.option("overlap", o.overlap, {0, 1, true, false}, "share of a batch that the next step sees again");
  v.option("curvature", o.curvature, Interval::non_negative(), "epsilon, least s'y / s's of a pair that is kept");
}

StateView MultiBatchLbfgs::state() {
  StateView all = pairs_.state();
  all.push_back({"overlap", &overlap_});
  all.push_back({"overlap_all", &overlap_all_});
  all.push_back({"overlap_gradient", &overlap_gradient_});
  all.push_back({"previous", &previous_});
  return all;
}

/// Writes the gradient on S_k into g_ and returns the value there. Where O_{k-1} is known, `pair` becomes true and y_
/// is the change of the gradient on it since the last step. Leaves O_k and the gradient on it for the next step.
double MultiBatchLbfgs::evaluate(Objective& f, const Vector& x, bool& pair) {
  FiniteSum& sum = finite_sum_of(f, "multi-batch-lbfgs");
  const auto count = static_cast<Index>(sum.selection().size());
  if (count == sum.sample_count()) {
    const double value = f.value_and_gradient(x, g_);
    pair = overlap_all_ != 0 && overlap_gradient_.size() == x.size();
    if (pair) y_ = g_ - overlap_gradient_;
    overlap_gradient_ = g_;
    overlap_.resize(0);
    overlap_all_ = 1;
    return value;
  }
  const SelectionGuard guard(sum, batch_);
  g_.setZero(x.size());
  double value = 0;
  double total = 0;
  const auto add = [&](std::span<const Index> samples) {
    sum.select(samples);
    const auto weight = static_cast<double>(samples.size());
    value += weight * f.value_and_gradient(x, part_);
    g_ += weight * part_;
    total += weight;
  };
  pair = overlap_.size() > 0 && overlap_gradient_.size() == x.size();
  if (pair) {
    shared_.clear();
    for (const double sample : overlap_) shared_.push_back(static_cast<Index>(sample));
    add(shared_);
    y_ = part_ - overlap_gradient_;
  }
  const Index shared = std::clamp<Index>(std::llround(options_.overlap * static_cast<double>(count)), 1, count);
  const auto all = std::span<const Index>(batch_);
  const auto own = all.first(static_cast<std::size_t>(count - shared));
  const auto next = all.last(static_cast<std::size_t>(shared));
  if (!own.empty()) add(own);
  add(next);
  overlap_gradient_ = part_;
  overlap_.resize(shared);
  for (Index i = 0; i < shared; ++i) overlap_[i] = static_cast<double>(next[static_cast<std::size_t>(i)]);
  overlap_all_ = 0;
  g_ /= total;
  return value / total;
}

StepReport MultiBatchLbfgs::step(Objective& f, Vector& x) {
  StepReport report;
  report.step_size = options_.lr;
  bool pair = false;
  report.value = evaluate(f, x, pair);
  report.gradient_norm = norm(g_);
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  pairs_.reserve(x.size());
  if (pair) {
    s_ = x - previous_;
    const double length = norm(s_);
    const double along = dot(s_, y_);
    if (along > 0 && along >= options_.curvature * length * length && std::isfinite(along)) pairs_.add(s_, y_);
  }
  part_ = -g_;
  if (pairs_.count() > 0) {
    inverse_.apply(pairs_, InitialScale::newest, part_);
  } else if (report.gradient_norm > 1) {
    part_ /= report.gradient_norm;
  }
  previous_ = x;
  x += options_.lr * part_;
  report.step_norm = options_.lr * norm(part_);
  report.tell("curvature_pairs", static_cast<double>(pairs_.count()));
  return report;
}

OptimizerEntry multi_batch_lbfgs_entry() {
  return registry_entry<MultiBatchLbfgsOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "multi-batch-lbfgs", "L-BFGS on batches that overlap, with its pairs from what they share",
      "Berahas, Nocedal and Takac (2016), Algorithm 1",
      [](const MultiBatchLbfgsOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        finite_sum_of(context.objective, "multi-batch-lbfgs");
        return std::make_unique<MultiBatchLbfgs>(options);
      });
}

}  // namespace hesse
