#include "hesse/optim/second_order/newton_minres.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(NewtonMinresOptions& o, OptionVisitor& v) {
  v.option("forcing", o.forcing, Interval::open(0, 1), "theta, upper bound of |H d + g| / |g|");
  v.option("max_minres", o.max_minres, Interval::closed(1, 1000000), "products of one solution");
}

InnerLimits NewtonMinres::inner_limits(const Point& at) const {
  return {std::min(options_.forcing, std::sqrt(at.gradient_norm)) * at.gradient_norm, options_.max_minres};
}

DirectionReport NewtonMinres::direction(const Point& at, Vector& d) {
  right_side_ = -at.g;
  MinresOptions options;
  options.tolerance = inner_limits(at).tolerance / at.gradient_norm;
  options.max_iterations = options_.max_minres;
  const MinresResult result = minres(*matrix_, right_side_, d, options, workspace_);
  DirectionReport report;
  report.finite = result.exit != MinresExit::non_finite;
  report.inner_iterations = result.iterations + 1;
  product_.resize(d.size());
  matrix_->apply(d, product_);
  const double slope = dot(at.g, d);
  report.negative_curvature = slope > 0 || dot(d, product_) <= 0;
  if (slope > 0) d = -d;
  // A direction that is almost level says nothing that the gradient does not say better.
  if (!(std::abs(slope) > 1e-8 * at.gradient_norm * norm(d))) d = right_side_;
  return report;
}

DirectionEntry newton_minres_entry() {
  return direction_entry<NewtonMinres, NewtonMinresOptions>(
      "newton-minres", "Newton with the least-residual solution of its equations, definite or not",
      "Paige and Saunders (1975); Roosta, Liu, Xu and Mahoney (2022)", "backtracking");
}

}  // namespace hesse
