#include "hesse/optim/first_order/adagrad.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

HESSE_MULTIVERSION double adagrad_update(Index n, const double* g, double* v, double* x, double lr, double eps) {
  return update_entries(n, x, [=](Index i) {
    v[i] += g[i] * g[i];
    return -lr * g[i] / (std::sqrt(v[i]) + eps);
  });
}

}  // namespace

void visit_options(AdagradOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "eta, learning rate");
  v.option("initial", o.initial, Interval::non_negative(), "what the sum of squared gradients starts at");
  v.option("eps", o.eps, Interval::positive(), "delta, added to the root");
}

StepReport Adagrad::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (v_.size() != x.size()) v_ = Vector::Constant(x.size(), options_.initial);
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return adagrad_update(n, gradient_.data() + begin, v_.data() + begin, x.data() + begin, options_.lr, options_.eps);
  });
  return report;
}

OptimizerEntry adagrad_entry() {
  return optimizer_entry<Adagrad, AdagradOptions>("adagrad", "Rates that fall with the sum of squared gradients",
                                                  "Duchi, Hazan and Singer (2011), Figure 1");
}

}  // namespace hesse
