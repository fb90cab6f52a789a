#include "hesse/optim/second_order/stochastic_lbfgs.h"

#include "hesse/core/vector_ops.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(StochasticLbfgsOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive(), "alpha, learning rate");
  v.option("memory", o.memory, Interval::closed(1, 1000), "M, curvature pairs kept");
  v.option("interval", o.interval, Interval::closed(1, 1000000), "L, steps from pair to pair");
  v.option("hessian_samples", o.hessian_samples, Interval::at_least(1), "b_H, samples of a Hessian product");
  v.choice("matrix", o.curvature_matrix,
           {{"hessian", Curvature::hessian}, {"gauss-newton", Curvature::gauss_newton}, {"fisher", Curvature::fisher}},
           "matrix whose products give y");
  v.option("curvature", o.curvature, Interval::half_open(0, 1), "least s'y / |s||y| of a pair that is kept");
}

StateView StochasticLbfgs::state() {
  StateView all = pairs_.state();
  all.push_back({"t", &t_});
  all.push_back({"sum", &sum_});
  all.push_back({"mean", &mean_});
  return all;
}

/// The pair from the last two means, where there are two.
void StochasticLbfgs::learn(Objective& f) {
  sum_ /= static_cast<double>(options_.interval);
  if (t_ > options_.interval) {
    s_ = sum_ - mean_;
    y_.resize(s_.size());
    FiniteSum& samples = finite_sum_of(f, "stochastic-lbfgs");
    const Index all = samples.sample_count();
    const SelectionGuard guard(samples, found_);
    if (options_.hessian_samples < all) {
      const auto draw = static_cast<std::uint64_t>(t_ / options_.interval);
      samples.select(
          sampler_.draw(all, options_.hessian_samples, RandomStream(seed_, Purpose::curvature_samples, draw)));
    } else {
      samples.select_all();
    }
    f.curvature(sum_, options_.curvature_matrix)->apply(s_, y_);
    if (dot(s_, y_) > options_.curvature * norm(s_) * norm(y_)) pairs_.add(s_, y_);
  }
  mean_ = sum_;
  sum_.setZero();
}

StepReport StochasticLbfgs::step(Objective& f, Vector& x) {
  StepReport report;
  report.step_size = options_.lr;
  report.value = f.value_and_gradient(x, g_);
  report.gradient_norm = norm(g_);
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  pairs_.reserve(x.size());
  if (sum_.size() != x.size()) {
    sum_ = Vector::Zero(x.size());
    mean_ = Vector::Zero(x.size());
  }
  sum_ += x;
  d_ = -g_;
  inverse_.apply(pairs_, InitialScale::newest, d_);
  x += options_.lr * d_;
  report.step_norm = options_.lr * norm(d_);
  ++t_;
  if (t_ % options_.interval == 0) learn(f);
  report.tell("curvature_pairs", static_cast<double>(pairs_.count()));
  return report;
}

OptimizerEntry stochastic_lbfgs_entry() {
  return registry_entry<StochasticLbfgsOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "stochastic-lbfgs", "L-BFGS on batches, with its pairs from Hessian products at means of the iterates",
      "Byrd, Hansen, Nocedal and Singer (2016), Algorithm 1",
      [](const StochasticLbfgsOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        finite_sum_of(context.objective, "stochastic-lbfgs");
        return std::make_unique<StochasticLbfgs>(options, context.seed);
      });
}

}  // namespace hesse
