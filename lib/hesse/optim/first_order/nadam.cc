#include "hesse/optim/first_order/nadam.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

struct Coefficients {
  double beta1;
  double beta2;
  double from_mean;      // lr mu_{t+1} / (1 - mu_1 ... mu_{t+1})
  double from_gradient;  // lr (1 - mu_t) / (1 - mu_1 ... mu_t)
  double root_factor;    // 1 / sqrt(1 - beta2^t)
  double eps;
};

HESSE_MULTIVERSION double nadam_update(Index n, const double* g, double* m, double* v, double* x,
                                       const Coefficients& coefficients) {
  const Coefficients c = coefficients;
  return update_entries(n, x, [=](Index i) {
    m[i] = c.beta1 * m[i] + (1 - c.beta1) * g[i];
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g[i] * g[i];
    return -(c.from_mean * m[i] + c.from_gradient * g[i]) / (std::sqrt(v[i]) * c.root_factor + c.eps);
  });
}

}  // namespace

void visit_options(NadamOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "alpha, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "mu, decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "nu, decay of the mean of squared gradients");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("momentum_decay", o.momentum_decay, Interval::non_negative(), "psi, how fast the momentum warms up");
}

StepReport Nadam::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  for (Vector* each : {&m_, &v_}) {
    if (each->size() != x.size()) *each = Vector::Zero(x.size());
  }
  ++t_;
  const auto mu = [&](std::int64_t t) {
    return options_.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * options_.momentum_decay));
  };
  mu_product_ *= mu(t_);
  Coefficients c{};
  c.beta1 = options_.beta1;
  c.beta2 = options_.beta2;
  c.from_mean = options_.lr * mu(t_ + 1) / (1 - mu_product_ * mu(t_ + 1));
  c.from_gradient = options_.lr * (1 - mu(t_)) / (1 - mu_product_);
  c.root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(t_)));
  c.eps = options_.eps;
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    return nadam_update(n, gradient_.data() + begin, m_.data() + begin, v_.data() + begin, x.data() + begin, c);
  });
  return report;
}

OptimizerEntry nadam_entry() {
  return optimizer_entry<Nadam, NadamOptions>("nadam", "Adam with Nesterov's momentum", "Dozat (2016), Algorithm 2");
}

}  // namespace hesse
