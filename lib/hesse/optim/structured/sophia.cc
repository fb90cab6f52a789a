#include "hesse/optim/structured/sophia.h"

#include "hesse/core/error.h"
#include "hesse/core/multiversion.h"
#include "hesse/core/random.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/sampled_gradient.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

HESSE_MULTIVERSION double sophia_update(Index n, const double* g, double* m, const double* h, double* x,
                                        const SophiaOptions& options) {
  const SophiaOptions o = options;
  return update_entries(n, x, [=](Index i) {
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * g[i];
    const double ratio = m[i] / std::max(o.gamma * h[i], o.eps);
    return -o.lr * (std::min(std::max(ratio, -o.rho), o.rho) + o.weight_decay * x[i]);
  });
}

}  // namespace

void visit_options(SophiaOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "eta, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the diagonal");
  v.option("gamma", o.gamma, Interval::positive().searched_around(o.gamma),
           "scale of the diagonal: more is less clipped");
  v.option("rho", o.rho, Interval::positive(), "bound of an entry's step over lr");
  v.option("eps", o.eps, Interval::positive(), "least of gamma h");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
  v.option("period", o.period, Interval::at_least(1), "k, steps between estimates of the diagonal");
  v.option("estimate_share", o.estimate_share, Interval::left_open(0, 1), "of the batch for an estimate (Sophia-G)");
}

Sophia::Sophia(Objective& f, const SophiaOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {
  if (options.estimate == DiagonalEstimator::gauss_newton_bartlett && find<SampledGradient>(f) == nullptr) {
    fail(
        "sophia-g: the objective has no predictive distribution to draw targets from; give it a network, or use "
        "sophia-h");
  }
  if (options.estimate == DiagonalEstimator::hutchinson && options.estimate_share < 1) {
    fail("sophia-h: estimate_share={} is for sophia-g; products with the Hessian are over the whole batch",
         options.estimate_share);
  }
}

bool Sophia::estimate_diagonal(Objective& f, const Vector& x) {
  if (options_.estimate == DiagonalEstimator::hutchinson) {
    probe_.resize(x.size());
    estimate_.resize(x.size());
    RandomStream(seed_, Purpose::probe, static_cast<std::uint64_t>(t_)).fill_normal(probe_);
    f.curvature(x, Curvature::hessian)->apply(probe_, estimate_);
    estimate_.array() *= probe_.array();
  } else {
    const DrawnGradient drawn = find<SampledGradient>(f)->sampled_gradient(x, seed_, static_cast<std::uint64_t>(t_),
                                                                           options_.estimate_share, estimate_);
    charge_work(f, drawn.cost);
    estimate_ = static_cast<double>(drawn.samples) * estimate_.array().square();
  }
  return std::isfinite(norm(estimate_));
}

StepReport Sophia::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  if (m_.size() != n) m_ = Vector::Zero(n);
  if (h_.size() != n) h_ = Vector::Zero(n);
  const bool estimates = t_ % options_.period == 0;
  if (estimates) {
    if (!estimate_diagonal(f, x)) {
      report.status = StepStatus::non_finite;
      return report;
    }
    h_ = options_.beta2 * h_ + (1 - options_.beta2) * estimate_;
  }
  ++t_;
  report.step_size = options_.lr;
  report.step_norm = update_blocks(n, [&](Index begin, Index size) {
    return sophia_update(size, gradient_.data() + begin, m_.data() + begin, h_.data() + begin, x.data() + begin,
                         options_);
  });
  if (estimates) {
    const SophiaOptions& o = options_;
    const auto count = static_cast<double>(n);
    unclipped_ = static_cast<double>((m_.array().abs() < o.rho * (o.gamma * h_.array()).max(o.eps)).count()) / count;
    not_positive_ = static_cast<double>((h_.array() <= 0).count()) / count;
  }
  report.tell("unclipped", unclipped_);
  report.tell("not_positive", not_positive_);
  return report;
}

namespace {

OptimizerEntry sophia_entry(const char* name, const char* summary, const char* source, DiagonalEstimator estimate,
                            double gamma) {
  SophiaOptions defaults;
  defaults.estimate = estimate;
  defaults.gamma = gamma;
  return registry_entry<SophiaOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      name, summary, source,
      [](const SophiaOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        return std::make_unique<Sophia>(context.objective, options, context.seed);
      },
      defaults);
}

}  // namespace

OptimizerEntry sophia_h_entry() {
  return sophia_entry("sophia-h", "Momentum over Hutchinson's diagonal of the Hessian, clipped entry by entry",
                      "Liu et al. (2023), Algorithms 1 and 3", DiagonalEstimator::hutchinson, 0.01);
}

OptimizerEntry sophia_g_entry() {
  return sophia_entry("sophia-g", "The same with the Gauss-Newton diagonal from targets that the model draws",
                      "Liu et al. (2023), Algorithms 2 and 3", DiagonalEstimator::gauss_newton_bartlett, 0.05);
}

}  // namespace hesse
