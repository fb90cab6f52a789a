#include "hesse/optim/first_order/lamb.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

namespace hesse {
namespace {

struct Coefficients {
  double beta1;
  double beta2;
  double mean_factor;  // 1 / (1 - beta1^t)
  double root_factor;  // 1 / sqrt(1 - beta2^t)
  double eps;
  double weight_decay;
};

/// Overwrites the gradient by the direction u.
HESSE_MULTIVERSION void lamb_direction(Index n, double* g, double* m, double* v, const double* x,
                                       const Coefficients& coefficients) {
  const Coefficients c = coefficients;
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) {
    m[i] = c.beta1 * m[i] + (1 - c.beta1) * g[i];
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g[i] * g[i];
    g[i] = c.mean_factor * m[i] / (std::sqrt(v[i]) * c.root_factor + c.eps) + c.weight_decay * x[i];
  }
}

}  // namespace

void visit_options(LambOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr),
           "eta, learning rate: the length of a step relative to the block");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squared gradients");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, inside the scaled direction");
}

StepReport Lamb::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  for (Vector* each : {&m_, &v_}) {
    if (each->size() != x.size()) *each = Vector::Zero(x.size());
  }
  ++t_;
  const auto t = static_cast<double>(t_);
  Coefficients c{};
  c.beta1 = options_.beta1;
  c.beta2 = options_.beta2;
  c.mean_factor = 1 / (1 - std::pow(options_.beta1, t));
  c.root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, t));
  c.eps = options_.eps;
  c.weight_decay = options_.weight_decay;
  parallel_for(block_count(x.size(), kUpdateBlock), [&](Index task) {
    const Range r = block_range(x.size(), kUpdateBlock, task);
    lamb_direction(r.size(), gradient_.data() + r.begin, m_.data() + r.begin, v_.data() + r.begin, x.data() + r.begin,
                   c);
  });
  double squares = 0;
  for (const ParameterBlock& block : f.layout().blocks()) {
    auto weights = x.segment(block.offset, block.size);
    const auto direction = gradient_.segment(block.offset, block.size);
    const double length = norm(weights);
    const double step = norm(direction);
    const double rate = options_.lr * (length > 0 && step > 0 ? length / step : 1.0);
    weights -= rate * direction;
    squares += rate * rate * step * step;
  }
  report.step_size = options_.lr;
  report.step_norm = std::sqrt(squares);
  return report;
}

OptimizerEntry lamb_entry() {
  return optimizer_entry<Lamb, LambOptions>("lamb", "Adam's direction scaled to the norm of each block",
                                            "You et al. (2020), Algorithm 2");
}

}  // namespace hesse
