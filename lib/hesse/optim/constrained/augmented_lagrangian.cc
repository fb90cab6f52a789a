#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/operators.h"
#include "hesse/optim/constrained/solvers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

/// f + rho/2 sum_E (c - lambda/rho)^2 + rho/2 sum_I max(0, mu/rho - c)^2, without the constants.
class AugmentedLagrangian final : public Objective {
 public:
  AugmentedLagrangian(ConstrainedProblem& problem, const Multipliers& multipliers)
      : problem_(problem), y_(multipliers) {}

  double penalty = 10;
  Index evaluations = 0;

  const ParameterLayout& layout() const override { return problem_.objective->layout(); }

  double value(const Vector& x) override {
    ++evaluations;
    double sum = problem_.objective->value(x);
    for (std::size_t i = 0; i < problem_.equalities.size(); ++i) {
      const double c = problem_.equalities[i]->value(x) - y_.equality[static_cast<Index>(i)] / penalty;
      sum += 0.5 * penalty * c * c;
    }
    for (std::size_t i = 0; i < problem_.inequalities.size(); ++i) {
      const double c =
          std::max(0.0, y_.inequality[static_cast<Index>(i)] / penalty - problem_.inequalities[i]->value(x));
      sum += 0.5 * penalty * c * c;
    }
    return sum;
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    ++evaluations;
    double sum = problem_.objective->value_and_gradient(x, g);
    for (std::size_t i = 0; i < problem_.equalities.size(); ++i) {
      const double c =
          problem_.equalities[i]->value_and_gradient(x, row_) - y_.equality[static_cast<Index>(i)] / penalty;
      sum += 0.5 * penalty * c * c;
      g += penalty * c * row_;
    }
    for (std::size_t i = 0; i < problem_.inequalities.size(); ++i) {
      const double c =
          y_.inequality[static_cast<Index>(i)] / penalty - problem_.inequalities[i]->value_and_gradient(x, row_);
      if (c <= 0) continue;
      sum += 0.5 * penalty * c * c;
      g -= penalty * c * row_;
    }
    return sum;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::hessian) fail("augmented Lagrangian: there is a Hessian and no {} matrix", to_string(kind));
    const ConstraintValues c = evaluate_constraints(problem_, x);
    const Multipliers shifted = updated(c);
    Matrix H = lagrangian_hessian(problem_, x, shifted);
    H += penalty * c.equality_jacobian.transpose() * c.equality_jacobian;
    for (Index i = 0; i < c.inequality.size(); ++i) {
      if (shifted.inequality[i] > 0) {
        H += penalty * c.inequality_jacobian.row(i).transpose() * c.inequality_jacobian.row(i);
      }
    }
    return dense_operator(std::move(H));
  }

  /// The first-order update of the multipliers.
  Multipliers updated(const ConstraintValues& c) const {
    Multipliers next = y_;
    next.equality = y_.equality - penalty * c.equality;
    next.inequality = (y_.inequality - penalty * c.inequality).cwiseMax(0.0);
    return next;
  }

 private:
  ConstrainedProblem& problem_;
  const Multipliers& y_;
  Vector row_;
};

}  // namespace

ConstrainedResult augmented_lagrangian(ConstrainedProblem& problem, const ConstrainedOptions& options) {
  // Of Birgin and Martinez (2014), section 12.4: multipliers stay in a box, the penalty grows tenfold where feasibility
  // does not halve.
  constexpr double kGrowth = 10;
  constexpr double kProgress = 0.5;
  constexpr double kMostMultiplier = 1e20;
  const Index n = problem.size();
  ConstrainedResult result;
  result.x = problem.start.cwiseMax(problem.lower).cwiseMin(problem.upper);
  Vector& x = result.x;
  Multipliers y = {Vector::Zero(static_cast<Index>(problem.equalities.size())),
                   Vector::Zero(static_cast<Index>(problem.inequalities.size())), Vector::Zero(n), Vector::Zero(n)};
  result.multipliers = y;
  AugmentedLagrangian inner(problem, y);
  {
    const ConstraintValues c = evaluate_constraints(problem, x);
    const double violation = c.equality.squaredNorm() + c.inequality.cwiseMin(0.0).squaredNorm();
    const double value = std::abs(problem.objective->value(x));
    if (violation > 0)
      inner.penalty = std::clamp(10 * std::max(1.0, value) / std::max(1.0, 0.5 * violation), 1e-3, 1e3);
  }
  double before = std::numeric_limits<double>::infinity();
  double inner_tolerance = 1e-3;
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    ProjectedOptions projected;
    projected.tolerance = inner_tolerance;
    projected.max_iterations = 1000;
    projected.quasi_newton = options.quasi_newton;
    const ProjectedResult step = projected_newton(inner, problem.lower, problem.upper, x, projected);
    result.inner_iterations += step.iterations;
    if (step.status == ConstrainedStatus::failed) {
      result.status = ConstrainedStatus::failed;
      result.message = fmt::format("in the subproblem: {}", step.message);
      break;
    }
    const ConstraintValues c = evaluate_constraints(problem, x);
    const double infeasibility = std::max(
        c.equality.size() > 0 ? c.equality.cwiseAbs().maxCoeff() : 0.0,
        c.inequality.size() > 0 ? c.inequality.cwiseMin(y.inequality / inner.penalty).cwiseAbs().maxCoeff() : 0.0);
    Multipliers next = inner.updated(c);
    // A bound's multiplier is what is left of the gradient there.
    Vector g;
    inner.value_and_gradient(x, g);
    next.lower = (x.array() <= problem.lower.array()).select(g.cwiseMax(0.0), 0.0);
    next.upper = (x.array() >= problem.upper.array()).select((-g).cwiseMax(0.0), 0.0);
    result.multipliers = next;
    if (infeasibility <= options.tolerance) {
      const KktReport report = kkt_report(problem, x, next);
      if (report.stationary(options.tolerance)) {
        result.status = ConstrainedStatus::converged;
        ++result.iterations;
        break;
      }
      // What the subproblem cannot lower any further will not fall in the next either.
      if (step.status == ConstrainedStatus::rounding && inner_tolerance <= 0.1 * options.tolerance &&
          infeasibility >= kProgress * before) {
        result.status = ConstrainedStatus::rounding;
        result.message = "the subproblem's decrease cannot be told from rounding";
        break;
      }
    }
    y.equality = next.equality.cwiseMax(-kMostMultiplier).cwiseMin(kMostMultiplier);
    y.inequality = next.inequality.cwiseMin(kMostMultiplier);
    if (infeasibility > kProgress * before && infeasibility > options.tolerance) inner.penalty *= kGrowth;
    before = infeasibility;
    inner_tolerance = std::max(0.1 * inner_tolerance, 0.1 * options.tolerance);
    if (inner.penalty > 1e16) {
      result.status = ConstrainedStatus::failed;
      result.message = fmt::format(
          "the penalty reached 1e16 at infeasibility {:.2g}: the constraints may have no common point", infeasibility);
      break;
    }
  }
  result.evaluations = inner.evaluations;
  result.kkt = kkt_report(problem, x, result.multipliers);
  return result;
}

ConstrainedResult solve(ConstrainedProblem& problem, const ConstrainedOptions& options) {
  const bool bounded = problem.lower.array().isFinite().any() || problem.upper.array().isFinite().any();
  return problem.inequalities.empty() && !bounded ? newton_kkt(problem, options)
                                                  : augmented_lagrangian(problem, options);
}

}  // namespace hesse
