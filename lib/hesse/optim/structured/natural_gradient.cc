#include "hesse/optim/structured/natural_gradient.h"

#include "hesse/core/error.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(NaturalGradientOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("damping", o.damping, Interval::positive().searched_around(o.damping), "lambda");
  v.choice("form", o.form, {{"full", FisherForm::full}, {"diagonal", FisherForm::diagonal}},
           "the whole Fisher matrix, or its diagonal");
}

NaturalGradient::NaturalGradient(Objective& f, const NaturalGradientOptions& options) : options_(options) {
  constexpr Index kMost = 8192;
  if (f.size() > kMost) {
    fail("natural-gradient: {} parameters; it forms their Fisher matrix, and {} is the limit; use kfac", f.size(),
         kMost);
  }
}

StepReport NaturalGradient::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  const auto A = f.curvature(x, Curvature::fisher);
  constexpr Index kTogether = 8;
  fisher_.resize(n, n);
  unit_.setZero(n, std::min(kTogether, n));
  for (Index first = 0; first < n; first += kTogether) {
    const Index k = std::min(kTogether, n - first);
    for (Index j = 0; j < k; ++j) unit_(first + j, j) = 1;
    A->apply(unit_.leftCols(k), fisher_.middleCols(first, k));
    for (Index j = 0; j < k; ++j) unit_(first + j, j) = 0;
  }
  if (options_.form == FisherForm::diagonal) {
    step_ = -options_.lr * gradient_.array() / (fisher_.diagonal().array() + options_.damping);
  } else {
    const InverseReport inverted = spd_inverse(fisher_, options_.damping, inverse_, workspace_);
    if (inverted.status == InverseStatus::non_finite) {
      report.status = StepStatus::non_finite;
      return report;
    }
    step_.noalias() = -options_.lr * (inverse_ * gradient_);
    report.tell("condition", inverted.condition);
  }
  report.step_norm = norm(step_);
  if (!std::isfinite(report.step_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  x += step_;
  report.step_size = options_.lr;
  return report;
}

OptimizerEntry natural_gradient_entry() {
  return registry_entry<NaturalGradientOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "natural-gradient", "The exact Fisher matrix of a small model, damped and inverted", "Amari (1998), eq. (4)",
      [](const NaturalGradientOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        return std::make_unique<NaturalGradient>(context.objective, options);
      });
}

}  // namespace hesse
