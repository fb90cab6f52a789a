#include "hesse/optim/structured/kfac.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/curvature_forms.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

/// eta: a penalty's weight, which damps the factors as lambda does.
double penalty_weight(Objective& f) {
  const auto* const l2 = find<L2Objective>(f);
  return l2 != nullptr ? l2->lambda() : 0.0;
}

}  // namespace

void visit_options(KfacOptions& o, OptionVisitor& v) {
  v.option("damping", o.damping, Interval::positive().searched_around(o.damping), "lambda at the start");
  v.option("min_damping", o.min_damping, Interval::positive(), "lambda is not lowered below");
  v.option("adapt_damping", o.adapt_damping, "lambda by the reduction ratio and gamma by trial, or both as they are");
  v.option("damping_decay", o.damping_decay, Interval::open(0, 1), "omega_1 = decay^T_1, omega_2 = sqrt(decay)^T_2");
  v.option("damping_period", o.damping_period, Interval::at_least(1), "T_1, steps between changes of lambda");
  v.option("gamma_period", o.gamma_period, Interval::at_least(1), "T_2, steps between trials of gamma");
  v.option("momentum", o.momentum, "combine with the previous step by the exact model");
  v.option("model_share", o.model_share, Interval::left_open(0, 1),
           "tau_2, share of the batch for exact products, no less than 64 samples");
  v.option("reject", o.reject, "undo steps that raise f on their batch");
  visit_kronecker(o, v);
}

Kfac::Kfac(Objective& f, const KfacOptions& options, std::uint64_t seed)
    : options_(options), seed_(seed), curvature_(f, options, seed), damping_(options.damping) {
  if (find<CurvatureForms>(f) == nullptr) fail("kfac: the objective has no Gauss-Newton forms; give it a network");
  gamma_ = curvature_.gamma_for(damping_, penalty_weight(f));
}

StateView Kfac::state() {
  StateView view = curvature_.state();
  view.push_back({"last_step", &last_step_});
  view.push_back({"lambda", &damping_});
  view.push_back({"gamma", &gamma_});
  view.push_back({"t", &t_});
  return view;
}

Kfac::Combination Kfac::combine(Objective& f, const Vector& x, Index vectors) {
  const double share = sample_share(options_.model_share, f.samples());
  charge_work(
      f, find<CurvatureForms>(f)->curvature_forms(x, Curvature::gauss_newton, seed_, static_cast<std::uint64_t>(t_),
                                                  share, vectors_.leftCols(vectors), forms_));
  const auto* const l2 = find<L2Objective>(f);
  double slope[2];
  for (Index i = 0; i < vectors; ++i) {
    slope[i] = dot(gradient_, vectors_.col(i));
    for (Index j = 0; j <= i; ++j) {
      const double more = damping_ * curvature_.damping_form(vectors_.col(i), vectors_.col(j)) +
                          (l2 != nullptr ? l2->penalty_form(vectors_.col(i), vectors_.col(j)) : 0.0);
      forms_(i, j) += more;
      if (i != j) forms_(j, i) += more;
    }
  }
  Combination best;
  if (vectors == 2) {
    // By Cramer's rule, where the two directions differ beyond rounding.
    const double determinant = forms_(0, 0) * forms_(1, 1) - forms_(0, 1) * forms_(0, 1);
    if (determinant > 1e-12 * forms_(0, 0) * forms_(1, 1)) {
      best.alpha = (-slope[0] * forms_(1, 1) + slope[1] * forms_(0, 1)) / determinant;
      best.mu = (-slope[1] * forms_(0, 0) + slope[0] * forms_(0, 1)) / determinant;
      best.model = 0.5 * (best.alpha * slope[0] + best.mu * slope[1]);
      return best;
    }
  }
  // One direction alone. Where the gradient of a batch is 0, as that of saturated outputs, the proposal is 0 too.
  const Index only = forms_(0, 0) > 0 ? 0 : vectors - 1;
  if (forms_(only, only) > 0) {
    const double along = -slope[only] / forms_(only, only);
    (only == 0 ? best.alpha : best.mu) = along;
    best.model = 0.5 * along * slope[only];
  } else if (!forms_.allFinite()) {
    best.model = std::numeric_limits<double>::quiet_NaN();
  }
  return best;
}

void Kfac::adapt(double rho) {
  const double omega = std::pow(options_.damping_decay, static_cast<double>(options_.damping_period));
  if (rho > 0.75) damping_ = std::max(damping_ * omega, options_.min_damping);
  if (!(rho >= 0.25)) damping_ /= omega;
}

StepReport Kfac::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  ++t_;
  curvature_.observe(f, x, t_);

  const bool with_last = options_.momentum && last_step_.size() == n && t_ > 1;
  const Index vectors = with_last ? 2 : 1;
  vectors_.resize(n, 2);
  if (with_last) vectors_.col(1) = last_step_;

  // Candidates for gamma: the present one, and at its turn one on either side.
  const double omega_2 = std::pow(std::sqrt(options_.damping_decay), static_cast<double>(options_.gamma_period));
  const bool search = options_.adapt_damping && t_ > 3 && t_ % options_.gamma_period == 0;
  const double candidates[] = {gamma_, omega_2 * gamma_, gamma_ / omega_2};
  Combination chosen;
  bool found = false;
  for (int c = 0; c < (search ? 3 : 1); ++c) {
    if (search || curvature_.refresh_is_due(t_)) {
      if (c > 0) curvature_.swap_inverses();
      curvature_.refresh(f, x, t_, candidates[c], penalty_weight(f));
    }
    curvature_.apply(gradient_, proposal_);
    vectors_.col(0) = -proposal_;
    const Combination now = combine(f, x, vectors);
    if (!found || now.model < chosen.model) {
      found = true;
      chosen = now;
      gamma_ = candidates[c];
      best_ = vectors_.col(0);
    } else {
      curvature_.swap_inverses();  // back to the better one
    }
  }

  trial_ = x;
  best_ *= chosen.alpha;
  if (with_last) best_ += chosen.mu * last_step_;
  trial_ += best_;
  const double length = norm(best_);
  if (!std::isfinite(length) || !std::isfinite(chosen.model)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  double rho = StepReport::kUnknown;
  double actual = StepReport::kUnknown;
  bool accepted = true;
  const bool judge = options_.adapt_damping && t_ % options_.damping_period == 0;
  if (judge || options_.reject) {
    report.value_after = f.value(trial_);
    actual = report.value - report.value_after;
    // Where both decreases drown in the rounding of f their ratio says nothing, and the step is the model's.
    const double rounding = 10 * f.value_noise() * std::abs(report.value);
    const bool unresolved = -chosen.model <= rounding && std::abs(actual) <= rounding;
    if (chosen.model < 0 && !unresolved) rho = (report.value_after - report.value) / chosen.model;
    // A value that is not finite raises the damping as the worst of ratios would.
    if (!std::isfinite(report.value_after)) rho = -std::numeric_limits<double>::infinity();
    accepted =
        std::isfinite(report.value_after) && (!options_.reject || unresolved || report.value_after <= report.value);
    if (options_.adapt_damping && !unresolved && (judge || !accepted)) adapt(rho);
  }
  if (accepted) {
    x = trial_;
    last_step_ = best_;
    report.step_norm = length;
  } else {
    last_step_.setZero(n);
    report.value_after = report.value;
    report.step_norm = 0;
  }
  report.step_size = chosen.alpha;
  report.tell("damping", damping_);
  report.tell("gamma", gamma_);
  report.tell("reduction_ratio", rho);
  report.tell("predicted_decrease", -chosen.model);
  report.tell("actual_decrease", actual);
  report.tell("momentum", chosen.mu);
  curvature_.tell(report, t_);
  report.tell("accepted", accepted ? 1.0 : 0.0);
  return report;
}

OptimizerEntry kfac_entry() {
  return registry_entry<KfacOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "kfac", "Kronecker-factored natural gradient, its step by the exact model on the batch, its damping adaptive",
      "Martens and Grosse (2015), Algorithm 2",
      [](const KfacOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        return std::make_unique<Kfac>(context.objective, options, context.seed);
      });
}

}  // namespace hesse
