#include "hesse/core/error.h"
#include "hesse/optim/constrained/solvers.h"

#include <functional>

namespace hesse {
namespace {

bool has_bounds_alone(const ConstrainedProblem& problem) {
  return problem.equalities.empty() && problem.inequalities.empty();
}

/// A projected method on the problem's set, and the conditions of optimality where it ends.
ConstrainedResult on_set(ConstrainedProblem& problem, const ConstrainedOptions& options,
                         const std::function<ProjectedResult(const ProjectedOptions&, Vector&)>& method) {
  if (!problem.simplex_total && !has_bounds_alone(problem)) {
    fail(
        "projected methods: this problem has other constraints than bounds or a simplex; use the augmented Lagrangian");
  }
  ProjectedOptions projected;
  projected.tolerance = options.tolerance;
  projected.max_iterations = options.max_iterations;
  projected.quasi_newton = options.quasi_newton;
  ConstrainedResult result;
  result.x = problem.start;
  const ProjectedResult end = method(projected, result.x);
  result.status = end.status;
  result.message = end.message;
  result.iterations = end.iterations;
  result.evaluations = end.evaluations;
  result.kkt = kkt_report(problem, result.x);
  result.multipliers = result.kkt.multipliers;
  return result;
}

Projection projection_of(const ConstrainedProblem& problem) {
  return problem.simplex_total ? simplex_projection(*problem.simplex_total)
                               : box_projection(problem.lower, problem.upper);
}

}  // namespace

ConstrainedResult projected_gradient(ConstrainedProblem& problem, const ConstrainedOptions& options) {
  return on_set(problem, options, [&](const ProjectedOptions& o, Vector& x) {
    return projected_gradient(*problem.objective, projection_of(problem), x, o);
  });
}

ConstrainedResult projected_newton(ConstrainedProblem& problem, const ConstrainedOptions& options) {
  return on_set(problem, options, [&](const ProjectedOptions& o, Vector& x) {
    return problem.simplex_total ? projected_newton(*problem.objective, projection_of(problem), x, o)
                                 : projected_newton(*problem.objective, problem.lower, problem.upper, x, o);
  });
}

}  // namespace hesse
