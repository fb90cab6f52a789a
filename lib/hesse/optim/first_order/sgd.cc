#include "hesse/optim/first_order/sgd.h"

#include "hesse/core/error.h"
#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

/// x <- x - rate (g + l2 x) - shrink x. Returns the square of the step.
HESSE_MULTIVERSION double plain_update(Index n, const double* __restrict g, double* __restrict x, double rate,
                                       double l2, double shrink) {
  const double keep = rate * l2 + shrink;
  StepBuffer step;
  for (Index begin = 0; begin < n; begin += kStepBuffer) {
    const Index size = std::min(kStepBuffer, n - begin);
    for (Index j = 0; j < size; ++j) {
      const Index i = begin + j;
      const double s = -rate * g[i] - keep * x[i];
      x[i] += s;
      step.entries[j] = s;
    }
    step.add_squares(size);
  }
  return step.total();
}

/// v <- mu v - into (g + l2 x); x <- x + a v - b (g + l2 x) - shrink x.
HESSE_MULTIVERSION double momentum_update(Index n, const double* __restrict g, double* __restrict v,
                                          double* __restrict x, double mu, double into, double a, double b, double l2,
                                          double shrink) {
  StepBuffer step;
  for (Index begin = 0; begin < n; begin += kStepBuffer) {
    const Index size = std::min(kStepBuffer, n - begin);
    for (Index j = 0; j < size; ++j) {
      const Index i = begin + j;
      const double d = g[i] + l2 * x[i];
      v[i] = mu * v[i] - into * d;
      const double s = a * v[i] - b * d - shrink * x[i];
      x[i] += s;
      step.entries[j] = s;
    }
    step.add_squares(size);
  }
  return step.total();
}

}  // namespace

void visit_options(SgdOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  const Interval range = Interval::half_open(0, 1);
  v.option("momentum", o.momentum, o.momentum > 0 ? range.searched_below_one(0.5, 0.995) : range,
           "mu, weight of the past");
  v.choice("form", o.form, {{"classical", Momentum::classical}, {"averaged", Momentum::averaged}},
           "v <- mu v - lr g, or m <- mu m + (1 - mu) g");
  v.option("nesterov", o.nesterov, "evaluate the gradient ahead of the velocity (classical form)");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda");
  v.choice("decay", o.decay, {{"gradient", Decay::gradient}, {"decoupled", Decay::decoupled}},
           "lambda x in the gradient, or x shrunk by lr lambda beside the step");
}

Sgd::Sgd(const SgdOptions& options) : options_(options) {
  if (options.nesterov && options.form != Momentum::classical) {
    fail("sgd: nesterov=true needs form=classical; Nesterov's step is defined by the velocity");
  }
}

StepReport Sgd::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const double lr = options_.lr;
  const double mu = options_.momentum;
  const double l2 = options_.decay == Decay::gradient ? options_.weight_decay : 0;
  const double shrink = options_.decay == Decay::decoupled ? lr * options_.weight_decay : 0;
  report.step_size = lr;
  if (mu == 0 && velocity_.size() == 0) {
    report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
      return plain_update(n, gradient_.data() + begin, x.data() + begin, lr, l2, shrink);
    });
    return report;
  }
  if (velocity_.size() != x.size()) velocity_ = Vector::Zero(x.size());
  // With v the velocity: classical x + v; Nesterov x + mu v - lr g; averaged keeps v = -m, x + lr v.
  const bool averaged = options_.form == Momentum::averaged;
  const double into = averaged ? 1 - mu : lr;
  const double a = averaged ? lr : (options_.nesterov ? mu : 1.0);
  const double b = options_.nesterov ? lr : 0.0;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return momentum_update(n, gradient_.data() + begin, velocity_.data() + begin, x.data() + begin, mu, into, a, b, l2,
                           shrink);
  });
  return report;
}

OptimizerEntry gd_entry() {
  SgdOptions defaults;
  defaults.all_samples = true;
  return optimizer_entry<Sgd, SgdOptions>("gd", "Gradient descent on all samples", "Cauchy (1847)", defaults);
}
OptimizerEntry sgd_entry() {
  return optimizer_entry<Sgd, SgdOptions>("sgd", "Stochastic gradient descent, with momentum if asked",
                                          "Robbins and Monro (1951); Sutskever et al. (2013)");
}
OptimizerEntry momentum_entry() {
  SgdOptions defaults;
  defaults.lr = 0.05;
  defaults.momentum = 0.9;
  return optimizer_entry<Sgd, SgdOptions>("momentum", "Stochastic gradient descent with momentum 0.9",
                                          "Polyak (1964); Sutskever et al. (2013), eq. (1)", defaults);
}
OptimizerEntry nesterov_entry() {
  SgdOptions defaults;
  defaults.lr = 0.05;
  defaults.momentum = 0.9;
  defaults.nesterov = true;
  return optimizer_entry<Sgd, SgdOptions>("nesterov", "Nesterov's accelerated gradient",
                                          "Nesterov (1983); Sutskever et al. (2013), eq. (3) and (4)", defaults);
}

}  // namespace hesse
