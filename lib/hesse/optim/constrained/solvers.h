/// \file
/// Methods for problems with equalities, inequalities and bounds.
#pragma once

#include "hesse/objective/constrained_problem.h"
#include "hesse/optim/constrained/kkt.h"
#include "hesse/optim/constrained/projected.h"

#include <string>

namespace hesse {

/// When a solver ends.
struct ConstrainedOptions {
  double tolerance = 1e-8;     ///< on stationarity, feasibility and complementarity
  Index max_iterations = 200;  ///< of the outer loop
  bool quasi_newton = false;   ///< augmented Lagrangian and projected Newton: L-BFGS instead of Hessians
};

/// Where a solver ended, with its multipliers.
struct ConstrainedResult {
  ConstrainedStatus status = ConstrainedStatus::iterations;
  Vector x;
  Multipliers multipliers;  ///< of the method
  KktReport kkt;            ///< from a fresh evaluation at x with these multipliers
  Index iterations = 0;     ///< of the outer loop
  Index inner_iterations = 0;
  Index evaluations = 0;  ///< of the objective
  std::string message;    ///< one line
};

/// Newton's method on the conditions of first order of a problem with equalities alone (Nocedal and Wright 2006,
/// section 18.1 and Algorithm 18.3): steps in range and null space of the constraints, the reduced Hessian shifted
/// until it is positive definite, a search on the exact penalty f + nu |c|_1, and a second-order correction where a
/// full step is refused (Maratos 1978). Dense: O(n^3) an iteration. Throws Error when there are inequalities or bounds.
ConstrainedResult newton_kkt(ConstrainedProblem& problem, const ConstrainedOptions& options = {});

/// The augmented Lagrangian of Powell, Hestenes and Rockafellar with bounds kept in the subproblems (Birgin and
/// Martinez 2014, Algorithm 4.1), which projected_newton solves.
ConstrainedResult augmented_lagrangian(ConstrainedProblem& problem, const ConstrainedOptions& options = {});

/// The methods of projected.h on a problem with bounds alone or on a simplex, with the multipliers that fit best at the
/// point where they end. Throws Error for other problems.
ConstrainedResult projected_gradient(ConstrainedProblem& problem, const ConstrainedOptions& options = {});
ConstrainedResult projected_newton(ConstrainedProblem& problem, const ConstrainedOptions& options = {});

/// newton_kkt where there are equalities alone, else augmented_lagrangian.
ConstrainedResult solve(ConstrainedProblem& problem, const ConstrainedOptions& options = {});

}  // namespace hesse
