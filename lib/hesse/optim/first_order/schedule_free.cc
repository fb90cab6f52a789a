#include "hesse/optim/first_order/schedule_free.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

struct Coefficients {
  double beta2;
  double rate;
  double eps;
  double weight_decay;
  double average;
};

HESSE_MULTIVERSION double schedule_free_update(Index n, const double* g, const double* y, double* z, double* v,
                                               double* x, const Coefficients& coefficients) {
  const Coefficients c = coefficients;
  return update_entries(n, x, [=](Index i) {
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g[i] * g[i];
    z[i] -= c.rate * (g[i] / (std::sqrt(v[i]) + c.eps) + c.weight_decay * y[i]);
    return c.average * (z[i] - x[i]);
  });
}

}  // namespace

void visit_options(ScheduleFreeOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "gamma, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1),
           "where between z (0) and the average x (1) gradients are taken");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squared gradients");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
  v.option("warmup", o.warmup, Interval::non_negative(), "steps in which the rate rises from 0");
}

StepReport ScheduleFree::step(Objective& f, Vector& x) {
  StepReport report;
  if (z_.size() != x.size()) {
    z_ = x;
    v_ = Vector::Zero(x.size());
    y_.resize(x.size());
  }
  y_.noalias() = (1 - options_.beta1) * z_ + options_.beta1 * x;
  if (!evaluate_gradient(f, y_, gradient_, report)) return report;
  ++t_;
  const auto t = static_cast<double>(t_);
  const double warm = options_.warmup > 0 ? std::min(1.0, t / static_cast<double>(options_.warmup)) : 1.0;
  Coefficients c{};
  c.beta2 = options_.beta2;
  c.rate = options_.lr * std::sqrt(1 - std::pow(options_.beta2, t)) * warm;
  c.eps = options_.eps;
  c.weight_decay = options_.weight_decay;
  rate_squares_ += c.rate * c.rate;
  // A rate so small that its square vanishes moves nothing that would have to be averaged.
  c.average = rate_squares_ > 0 ? c.rate * c.rate / rate_squares_ : 0.0;
  report.step_size = c.rate;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return schedule_free_update(n, gradient_.data() + begin, y_.data() + begin, z_.data() + begin, v_.data() + begin,
                                x.data() + begin, c);
  });
  return report;
}

OptimizerEntry schedule_free_entry() {
  return optimizer_entry<ScheduleFree, ScheduleFreeOptions>(
      "schedule-free", "AdamW with averaging instead of a falling learning rate", "Defazio et al. (2024), Algorithm 1");
}

}  // namespace hesse
