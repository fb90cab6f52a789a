#include "hesse/optim/first_order/lion.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

HESSE_MULTIVERSION double lion_update(Index n, const double* g, double* m, double* x, const LionOptions& options) {
  const LionOptions o = options;
  return update_entries(n, x, [=](Index i) {
    const double c = o.beta1 * m[i] + (1 - o.beta1) * g[i];
    m[i] = o.beta2 * m[i] + (1 - o.beta2) * g[i];
    const double sign = (c > 0 ? 1.0 : 0.0) - (c < 0 ? 1.0 : 0.0);
    return -o.lr * (sign + o.weight_decay * x[i]);
  });
}

}  // namespace

void visit_options(LionOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr),
           "eta, learning rate: the length of a step in each entry");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "weight of the past in the step");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
}

StepReport Lion::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (m_.size() != x.size()) m_ = Vector::Zero(x.size());
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return lion_update(n, gradient_.data() + begin, m_.data() + begin, x.data() + begin, options_);
  });
  return report;
}

OptimizerEntry lion_entry() {
  return optimizer_entry<Lion, LionOptions>("lion", "The sign of an interpolated momentum",
                                            "Chen et al. (2023), Algorithm 2");
}

}  // namespace hesse
