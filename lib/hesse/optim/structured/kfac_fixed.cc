#include "hesse/optim/structured/kfac_fixed.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(KfacFixedOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("momentum", o.momentum, Interval::half_open(0, 1).searched_below_one(0.5, 0.99),
           "mu, weight of the past steps");
  v.option("damping", o.damping, Interval::positive().searched_around(o.damping), "lambda");
  v.option("kl_clip", o.kl_clip, Interval::non_negative(), "kappa, bound on the step's KL divergence; 0 for none");
  visit_kronecker(o, v);
}

StateView KfacFixed::state() {
  StateView view = curvature_.state();
  view.push_back({"velocity", &velocity_});
  view.push_back({"t", &t_});
  return view;
}

StepReport KfacFixed::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  ++t_;
  curvature_.observe(f, x, t_);
  if (curvature_.refresh_is_due(t_)) {
    const auto* const l2 = find<L2Objective>(f);
    const double eta = l2 != nullptr ? l2->lambda() : 0.0;
    curvature_.refresh(f, x, t_, curvature_.gamma_for(options_.damping, eta), eta);
  }
  curvature_.apply(gradient_, preconditioned_);
  // In single precision an inverse of next to no damping may be out of range.
  const double along = dot(preconditioned_, gradient_);
  if (!std::isfinite(along)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  const double divergence = options_.lr * options_.lr * std::abs(along);
  const bool bounded = options_.kl_clip > 0 && divergence > 0;
  const double clip = bounded ? std::min(1.0, std::sqrt(options_.kl_clip / divergence)) : 1.0;
  if (velocity_.size() != n) velocity_.setZero(n);
  const double length = update_blocks(n, [&](Index begin, Index size) {
    const double* const d = preconditioned_.data() + begin;
    double* const v = velocity_.data() + begin;
    const double mu = options_.momentum;
    const double lr = options_.lr;
    return update_entries(size, x.data() + begin, [=](Index i) {
      v[i] = mu * v[i] + clip * d[i];
      return -lr * v[i];
    });
  });
  report.step_size = options_.lr;
  report.step_norm = length;
  report.tell("damping", options_.damping);
  report.tell("kl_scale", clip);
  curvature_.tell(report, t_);
  return report;
}

namespace {

template <KroneckerForm Form>
OptimizerEntry fixed_entry(const char* name, const char* summary, const char* source) {
  KfacFixedOptions defaults;
  defaults.form = Form;
  return registry_entry<KfacFixedOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      name, summary, source,
      [](const KfacFixedOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        if (Form == KroneckerForm::ekfac && options.form != Form) {
          fail("ekfac: with another form it is another method; take kfac-fixed with that form");
        }
        return std::make_unique<KfacFixed>(context.objective, options, context.seed);
      },
      defaults);
}

}  // namespace

OptimizerEntry kfac_fixed_entry() {
  return fixed_entry<KroneckerForm::factored>(
      "kfac-fixed", "Kronecker-factored natural gradient with a given learning rate and a KL bound",
      "Ba, Grosse and Martens (2017); Pauloski et al. (2020)");
}

OptimizerEntry ekfac_entry() {
  return fixed_entry<KroneckerForm::ekfac>("ekfac", "The same in the factors' eigenbases, scaled by second moments",
                                           "George et al. (2018), Algorithm 1");
}

}  // namespace hesse
