#include "hesse/optim/first_order/rmsprop.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

HESSE_MULTIVERSION double plain_rmsprop(Index n, const double* g, double* v, double* u, double* x,
                                        const RmspropOptions& options) {
  const RmspropOptions o = options;
  return update_entries(n, x, [=](Index i) {
    v[i] = o.rho * v[i] + (1 - o.rho) * g[i] * g[i];
    u[i] = o.momentum * u[i] - o.lr * g[i] / (std::sqrt(v[i]) + o.eps);
    return u[i];
  });
}

HESSE_MULTIVERSION double centered_rmsprop(Index n, const double* g, double* v, double* a, double* u, double* x,
                                           const RmspropOptions& options) {
  const RmspropOptions o = options;
  return update_entries(n, x, [=](Index i) {
    v[i] = o.rho * v[i] + (1 - o.rho) * g[i] * g[i];
    a[i] = o.rho * a[i] + (1 - o.rho) * g[i];
    // The variance of equal gradients may round to below 0.
    const double variance = std::max(v[i] - a[i] * a[i], 0.0);
    u[i] = o.momentum * u[i] - o.lr * g[i] / (std::sqrt(variance) + o.eps);
    return u[i];
  });
}

}  // namespace

void visit_options(RmspropOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("rho", o.rho, Interval::half_open(0, 1), "decay of the mean of squared gradients");
  v.option("momentum", o.momentum, Interval::half_open(0, 1), "mu, weight of the past steps");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("centered", o.centered, "subtract the square of the mean gradient under the root");
}

Vector Rmsprop::diagonal_preconditioner() const {
  if (v_.size() == 0) return {};
  const Vector squares = options_.centered ? Vector((v_ - a_.cwiseAbs2()).cwiseMax(0)) : v_;
  return squares.cwiseSqrt().array() + options_.eps;
}

StepReport Rmsprop::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (v_.size() != x.size()) {
    v_ = Vector::Zero(x.size());
    u_ = Vector::Zero(x.size());
    if (options_.centered) a_ = Vector::Zero(x.size());
  }
  report.step_size = options_.lr;
  report.step_norm = update_blocks(x.size(), [&](Index begin, Index n) {
    const double* g = gradient_.data() + begin;
    double* v = v_.data() + begin;
    double* u = u_.data() + begin;
    if (!options_.centered) return plain_rmsprop(n, g, v, u, x.data() + begin, options_);
    return centered_rmsprop(n, g, v, a_.data() + begin, u, x.data() + begin, options_);
  });
  return report;
}

OptimizerEntry rmsprop_entry() {
  return optimizer_entry<Rmsprop, RmspropOptions>(
      "rmsprop", "Gradients divided by their running root mean square",
      "Tieleman and Hinton (2012), lecture 6.5; Graves (2013), eq. (38) to (45)");
}

}  // namespace hesse
