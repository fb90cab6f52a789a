#include "hesse/optim/second_order/newton_cg.h"

#include "hesse/core/vector_ops.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hesse {

void visit_options(NewtonCgOptions& o, OptionVisitor& v) {
  v.choice("curvature", o.curvature,
           {{"hessian", Curvature::hessian}, {"gauss-newton", Curvature::gauss_newton}, {"fisher", Curvature::fisher}},
           "matrix of the quadratic model");
  v.option("trust_radius", o.trust_radius, Interval::positive(), "Delta_0, first radius");
  v.option("max_trust_radius", o.max_trust_radius, Interval::positive(), "largest radius");
  v.option("eta", o.eta, Interval::half_open(0, 0.25), "least rho of an accepted step");
  v.option("forcing", o.forcing, Interval::open(0, 1), "upper bound of the forcing term");
  v.option("max_cg", o.max_cg, Interval::closed(1, 1000000), "products of one subproblem");
}

StepReport NewtonCg::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (report.gradient_norm == 0) {
    report.value_after = report.value;
    report.gradient_norm_after = 0;
    report.step_norm = 0;
    return report;
  }
  // The last step was below what f can resolve; it counts if the gradient shows it.
  if (unresolved_gradient_ > 0 && !(report.gradient_norm <= 0.5 * unresolved_gradient_)) {
    unresolved_gradient_ = 0;
    report.status = StepStatus::line_search_at_rounding;
    return report;
  }
  const std::shared_ptr<const LinearOperator> A = f.curvature(x, options_.curvature);
  const double x_norm = norm(x);
  const double rounding = 10 * f.value_noise() * std::abs(report.value);

  SteihaugOptions inner;
  inner.tolerance = std::min(options_.forcing, std::sqrt(report.gradient_norm)) * report.gradient_norm;
  inner.max_iterations = options_.max_cg;
  double rejected = 0;
  double negative = 0;
  trust_radius_ = std::min(trust_radius_, options_.max_trust_radius);
  for (;;) {
    inner.trust_radius = trust_radius_;
    const SteihaugResult model = steihaug(*A, gradient_, inner, s_, workspace_);
    report.inner_iterations += model.iterations;
    if (model.exit == SteihaugExit::non_finite) {
      report.status = StepStatus::non_finite;
      return report;
    }
    if (model.exit == SteihaugExit::negative_curvature) negative = 1;
    const double s_norm = norm(s_);
    trial_ = x + s_;
    const double value = f.value(trial_);
    double rho = (report.value - value) / model.decrease;
    // Where both decreases drown in the rounding of f their ratio is noise; the model is then trusted
    // (Conn, Gould and Toint 2000, section 17.4.2).
    const bool unresolved = std::abs(report.value - value) <= rounding && model.decrease <= rounding;
    if (unresolved) rho = 1;
    if (!std::isfinite(rho)) rho = -1;

    if (rho < 0.25) {
      trust_radius_ = 0.25 * std::min(trust_radius_, s_norm);
    } else if (rho > 0.75 && s_norm > 0.99 * trust_radius_) {
      trust_radius_ = std::min(2 * trust_radius_, options_.max_trust_radius);
    }
    if (rho > options_.eta) {
      unresolved_gradient_ = unresolved ? report.gradient_norm : 0;
      std::swap(x, trial_);
      report.value_after = value;
      report.step_norm = s_norm;
      report.step_size = 1;
      report.tell("trust_radius", trust_radius_);
      report.tell("rho", rho);
      report.tell("rejected", rejected);
      report.tell("negative_curvature", negative);
      return report;
    }
    ++rejected;
    if (!(trust_radius_ > 1e-16 * std::max(1.0, x_norm))) {
      trust_radius_ = options_.trust_radius;  // for the next batch, on which the model may hold again
      report.status = StepStatus::trust_region_collapsed;
      return report;
    }
  }
}

OptimizerEntry newton_cg_entry() {
  return optimizer_entry<NewtonCg, NewtonCgOptions>(
      "newton-cg", "Truncated Newton: conjugate gradients in a trust region",
      "Steihaug (1983); Nocedal and Wright (2006), Algorithms 4.1 and 7.2");
}

}  // namespace hesse
