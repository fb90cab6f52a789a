#include "hesse/optim/structured/adahessian.h"

#include "hesse/core/multiversion.h"
#include "hesse/core/random.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// With the power 1, as the method is used: the root alone.
HESSE_MULTIVERSION double root_update(Index n, const double* g, double* m, const double* v, double* x, double of_m,
                                      double of_v, const AdaHessianOptions& options) {
  const AdaHessianOptions o = options;
  return update_entries(n, x, [=](Index i) {
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * g[i];
    return -o.lr * (of_m * m[i] / (std::sqrt(of_v * v[i]) + o.eps) + o.weight_decay * x[i]);
  });
}

double power_update(Index n, const double* g, double* m, const double* v, double* x, double of_m, double of_v,
                    const AdaHessianOptions& o) {
  return update_entries(n, x, [=](Index i) {
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * g[i];
    return -o.lr * (of_m * m[i] / (std::pow(of_v * v[i], 0.5 * o.power) + o.eps) + o.weight_decay * x[i]);
  });
}

}  // namespace

void visit_options(AdaHessianOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "eta, learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squared diagonals");
  v.option("eps", o.eps, Interval::positive(), "epsilon, beside the root");
  v.option("power", o.power, Interval::closed(0, 1), "p, power of the Hessian");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
  v.option("block", o.block, Interval::at_least(1), "b, entries of a matrix or vector that share a mean");
  v.option("period", o.period, Interval::at_least(1), "steps between estimates of the diagonal");
}

void average_over_space(const ParameterLayout& layout, Index block, Vector& diagonal) {
  for (const ParameterBlock& tensor : layout.blocks()) {
    Index together = block;
    if (tensor.shape.size() > 2) {
      together = 1;
      for (std::size_t i = 2; i < tensor.shape.size(); ++i) together *= tensor.shape[i];
    }
    if (together <= 1) continue;
    for (Index begin = 0; begin < tensor.size; begin += together) {
      auto part = diagonal.segment(tensor.offset + begin, std::min(together, tensor.size - begin));
      part.setConstant(part.mean());
    }
  }
}

StepReport AdaHessian::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  if (m_.size() != n) m_ = Vector::Zero(n);
  if (v_.size() != n) v_ = Vector::Zero(n);
  if (t_ % options_.period == 0) {
    probe_.resize(n);
    diagonal_.resize(n);
    RandomStream(seed_, Purpose::probe, static_cast<std::uint64_t>(t_)).fill_rademacher(probe_);
    f.curvature(x, Curvature::hessian)->apply(probe_, diagonal_);
    diagonal_.array() *= probe_.array();
    if (!std::isfinite(norm(diagonal_))) {
      report.status = StepStatus::non_finite;
      return report;
    }
    average_over_space(f.layout(), options_.block, diagonal_);
    mean_curvature_ = diagonal_.mean();
    not_positive_ = static_cast<double>((diagonal_.array() <= 0).count()) / static_cast<double>(n);
    v_.array() = options_.beta2 * v_.array() + (1 - options_.beta2) * diagonal_.array().square();
    ++estimates_;
  }
  ++t_;
  const double of_m = 1 / (1 - std::pow(options_.beta1, static_cast<double>(t_)));
  const double of_v = 1 / (1 - std::pow(options_.beta2, static_cast<double>(estimates_)));
  report.step_size = options_.lr;
  report.step_norm = update_blocks(n, [&](Index begin, Index size) {
    const auto update = options_.power == 1 ? root_update : power_update;
    return update(size, gradient_.data() + begin, m_.data() + begin, v_.data() + begin, x.data() + begin, of_m, of_v,
                  options_);
  });
  report.tell("mean_curvature", mean_curvature_);
  report.tell("not_positive", not_positive_);
  return report;
}

OptimizerEntry adahessian_entry() {
  return registry_entry<AdaHessianOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "adahessian", "Adam with the second moment of Hutchinson's diagonal of the Hessian",
      "Yao et al. (2021), Algorithm 1",
      [](const AdaHessianOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        return std::make_unique<AdaHessian>(options, context.seed);
      });
}

}  // namespace hesse
