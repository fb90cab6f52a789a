#include "hesse/optim/second_order/nonlinear_cg.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(NonlinearCgOptions& o, OptionVisitor& v) {
  v.choice("form", o.form,
           {{"fletcher-reeves", ConjugateForm::fletcher_reeves},
            {"polak-ribiere", ConjugateForm::polak_ribiere},
            {"hestenes-stiefel", ConjugateForm::hestenes_stiefel},
            {"hager-zhang", ConjugateForm::hager_zhang}},
           "formula of beta");
  v.option("eta", o.eta, Interval::positive(), "of the lower bound on Hager and Zhang's beta");
  v.option("restart", o.restart, Interval::non_negative(),
           "nu: start again when |g'g_old| >= nu |g|^2 (Powell 1977); 0: never for this reason");
}

DirectionReport NonlinearCg::direction(const Point& at, Vector& d) {
  d = -at.g;
  if (has_past_ == 0 || d_.size() != at.g.size()) {
    has_past_ = 0;
    d_ = d;
    slope_ = -at.gradient_norm * at.gradient_norm;
    return {};
  }
  const double gg = at.gradient_norm * at.gradient_norm;
  const double gy = dot(at.g, y_);
  const double dy = dot(d_, y_);
  // |g_old|^2 and g'g_old from g_old = g - y.
  const double old_gg = std::max(0.0, gg - 2 * gy + dot(y_, y_));
  double beta = 0;
  switch (options_.form) {
    case ConjugateForm::fletcher_reeves: beta = gg / old_gg; break;
    case ConjugateForm::polak_ribiere: beta = std::max(0.0, gy / old_gg); break;
    case ConjugateForm::hestenes_stiefel: beta = gy / dy; break;
    case ConjugateForm::hager_zhang: {
      const double yy = dot(y_, y_);
      beta = (gy - 2 * yy * dot(at.g, d_) / dy) / dy;
      beta = std::max(beta, -1 / (norm(d_) * std::min(options_.eta, std::sqrt(old_gg))));
      break;
    }
  }
  const bool far_from_orthogonal = options_.restart > 0 && std::abs(gg - gy) >= options_.restart * gg;
  if (std::isfinite(beta) && !far_from_orthogonal) d += beta * d_;
  double slope = dot(at.g, d);
  if (!(slope < 0) || !std::isfinite(slope)) {
    d = -at.g;
    slope = -gg;
  }
  // The next first step goes by the ratio of these slopes, so both are kept until then.
  length_ *= slope_ / slope;
  slope_ = slope;
  d_ = d;
  return {};
}

double NonlinearCg::first_step(const Point& at, const Vector&) const {
  // That of the same first-order change as in the last step (Nocedal and Wright 2006, eq. (3.60) and before).
  if (has_past_ == 0 || !(length_ > 0) || !std::isfinite(length_)) return std::min(1.0, 1 / at.gradient_norm);
  return length_;
}

void NonlinearCg::update(const Vector& s, const Vector& y) {
  y_ = y;
  length_ = norm(s) / norm(d_);
  has_past_ = 1;
}

bool NonlinearCg::forget() {
  const bool any = has_past_ != 0;
  has_past_ = 0;
  return any;
}

StateView NonlinearCg::state() {
  return {{"has_past", &has_past_}, {"d", &d_}, {"y", &y_}, {"slope", &slope_}, {"length", &length_}};
}

DirectionEntry nonlinear_cg_entry() {
  return direction_entry<NonlinearCg, NonlinearCgOptions>(
      "nonlinear-cg", "Nonlinear conjugate gradients in four forms",
      "Fletcher and Reeves (1964); Gilbert and Nocedal (1992); Hager and Zhang (2005)", "hager-zhang");
}

}  // namespace hesse
