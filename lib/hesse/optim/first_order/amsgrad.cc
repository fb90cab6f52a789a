#include "hesse/optim/first_order/amsgrad.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

HESSE_MULTIVERSION double amsgrad_update(Index n, const double* g, double* m, double* v, double* w, double* x,
                                         const AmsgradOptions& options) {
  const AmsgradOptions o = options;
  return update_entries(n, x, [=](Index i) {
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * g[i];
    v[i] = o.beta2 * v[i] + (1 - o.beta2) * g[i] * g[i];
    w[i] = v[i] > w[i] ? v[i] : w[i];
    return -o.lr * m[i] / (std::sqrt(w[i]) + o.eps);
  });
}

}  // namespace

void visit_options(AmsgradOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "alpha, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squared gradients");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
}

StepReport Amsgrad::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  for (Vector* each : {&m_, &v_, &w_}) {
    if (each->size() != x.size()) *each = Vector::Zero(x.size());
  }
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return amsgrad_update(n, gradient_.data() + begin, m_.data() + begin, v_.data() + begin, w_.data() + begin,
                          x.data() + begin, options_);
  });
  return report;
}

OptimizerEntry amsgrad_entry() {
  return optimizer_entry<Amsgrad, AmsgradOptions>("amsgrad", "Adam whose rates never rise again",
                                                  "Reddi, Kale and Kumar (2018), Algorithm 2");
}

}  // namespace hesse
