#include "hesse/optim/second_order/newton_cg.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(NewtonCgOptions& o, OptionVisitor& v) {
  v.choice("curvature", o.curvature,
           {{"hessian", Curvature::hessian}, {"gauss-newton", Curvature::gauss_newton}, {"fisher", Curvature::fisher}},
           "matrix of the quadratic model");
  v.option("forcing", o.forcing, Interval::open(0, 1), "upper bound of the forcing term");
  v.option("max_cg", o.max_cg, Interval::closed(1, 1000000), "products of one subproblem");
}

InnerLimits NewtonCg::inner_limits(const Point& at) const {
  return {std::min(options_.forcing, std::sqrt(at.gradient_norm)) * at.gradient_norm, options_.max_cg};
}

DirectionReport NewtonCg::direction(const Point& at, Vector& d) {
  const InnerLimits limits = inner_limits(at);
  right_side_ = -at.g;
  d.setZero(at.g.size());
  CgOptions options;
  options.relative_tolerance = 0;
  options.absolute_tolerance = limits.tolerance;
  options.max_iterations = limits.max_iterations;
  const CgResult result = cg(*matrix_, right_side_, d, options, workspace_);
  DirectionReport report;
  report.finite = result.exit != CgExit::non_finite;
  report.inner_iterations = result.iterations;
  report.negative_curvature = result.exit == CgExit::negative_curvature;
  if (report.negative_curvature && d.isZero(0)) d = right_side_;
  return report;
}

DirectionEntry newton_cg_entry() {
  return direction_entry<NewtonCg, NewtonCgOptions>(
      "newton-cg", "Truncated Newton: the model's equations by conjugate gradients",
      "Dembo and Steihaug (1983); Nocedal and Wright (2006), Algorithms 4.1, 7.1 and 7.2",
      "trust-region:subproblem=steihaug");
}

}  // namespace hesse
