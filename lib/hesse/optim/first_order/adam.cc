#include "hesse/optim/first_order/adam.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

struct Coefficients {
  double beta1;
  double beta2;
  double rate;         // lr / (1 - beta1^t)
  double root_factor;  // 1 / sqrt(1 - beta2^t)
  double eps;
  double l2;
  double shrink;
};

/// Updates n entries and returns the square of their step.
HESSE_MULTIVERSION double adam_update(Index n, const double* __restrict g, double* __restrict m, double* __restrict v,
                                      double* __restrict x, const Coefficients& coefficients) {
  const Coefficients c = coefficients;
  StepBuffer step;
  for (Index begin = 0; begin < n; begin += kStepBuffer) {
    const Index size = std::min(kStepBuffer, n - begin);
    for (Index j = 0; j < size; ++j) {
      const Index i = begin + j;
      const double d = g[i] + c.l2 * x[i];
      m[i] = c.beta1 * m[i] + (1 - c.beta1) * d;
      v[i] = c.beta2 * v[i] + (1 - c.beta2) * d * d;
      const double s = -c.rate * m[i] / (std::sqrt(v[i]) * c.root_factor + c.eps) - c.shrink * x[i];
      x[i] += s;
      step.entries[j] = s;
    }
    step.add_squares(size);
  }
  return step.total();
}

}  // namespace

void visit_options(AdamOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "alpha, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squared gradients");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda");
}

Vector Adam::diagonal_preconditioner() const {
  if (t_ == 0) return {};
  const double root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(t_)));
  return v_.cwiseSqrt() * root_factor + Vector::Constant(v_.size(), options_.eps);
}

StepReport Adam::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (m_.size() != x.size()) {
    m_ = Vector::Zero(x.size());
    v_ = Vector::Zero(x.size());
  }
  ++t_;
  const auto t = static_cast<double>(t_);
  Coefficients c{};
  c.beta1 = options_.beta1;
  c.beta2 = options_.beta2;
  c.rate = options_.lr / (1 - std::pow(options_.beta1, t));
  c.root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, t));
  c.eps = options_.eps;
  c.l2 = options_.decay == Decay::gradient ? options_.weight_decay : 0;
  c.shrink = options_.decay == Decay::decoupled ? options_.lr * options_.weight_decay : 0;
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return adam_update(n, gradient_.data() + begin, m_.data() + begin, v_.data() + begin, x.data() + begin, c);
  });
  return report;
}

OptimizerEntry adam_entry() {
  return optimizer_entry<Adam, AdamOptions>("adam", "Adaptive moment estimation", "Kingma and Ba (2015), Algorithm 1");
}
OptimizerEntry adamw_entry() {
  AdamOptions defaults;
  defaults.weight_decay = 0.01;
  defaults.decay = Decay::decoupled;
  return optimizer_entry<Adam, AdamOptions>("adamw", "Adam with decoupled weight decay",
                                            "Loshchilov and Hutter (2019), Algorithm 2", defaults);
}

}  // namespace hesse
