/// \file
/// The conditions of Karush (1939) and of Kuhn and Tucker (1951) at a point of a problem with constraints, of first and
/// of second order (Nocedal and Wright 2006, theorems 12.1, 12.5 and 12.6).
///
/// With the Lagrangian
///
///     L(x) = f(x) - sum_E lambda_i c_i(x) - sum_I mu_i c_i(x) - z_l'(x - lower) - z_u'(upper - x)
///
/// a point is stationary when grad L = 0 with mu, z_l, z_u >= 0 and zero on constraints that are not active.
#pragma once

#include "hesse/objective/constrained_problem.h"

#include <string>
#include <vector>

namespace hesse {

/// One for each constraint.
struct Multipliers {
  Vector equality;    ///< lambda, of either sign
  Vector inequality;  ///< mu
  Vector lower;       ///< z_l, n of them
  Vector upper;       ///< z_u, n of them
};

/// Values of all constraints, equalities first, and their gradients as rows.
struct ConstraintValues {
  Vector equality;
  Vector inequality;
  Matrix equality_jacobian;
  Matrix inequality_jacobian;
};
ConstraintValues evaluate_constraints(ConstrainedProblem& problem, const Vector& x);

/// The Hessian of the Lagrangian, dense; bounds have none.
Matrix lagrangian_hessian(ConstrainedProblem& problem, const Vector& x, const Multipliers& multipliers);

/// What the Hessian of the Lagrangian says on the critical cone.
enum class SecondOrder {
  strict_minimum,  ///< the Hessian of L is positive definite on the critical cone: a strict local minimum
  violated,        ///< negative curvature along a feasible direction: no local minimum
  undecided,       ///< neither could be shown: semidefinite, or a cone that is no subspace
  not_stationary,  ///< asked in vain: the conditions of first order do not hold
};
const char* to_string(SecondOrder second_order);

/// How far a point is from the conditions of Karush, Kuhn and Tucker.
struct KktReport {
  double value = 0;
  double stationarity = 0;          ///< |grad L|_inf / max(1, |grad f|_inf)
  double primal_infeasibility = 0;  ///< greatest violation of a constraint or bound
  double dual_infeasibility = 0;    ///< greatest negative part of mu, z_l, z_u
  double complementarity = 0;       ///< greatest |mu_i c_i|, |z_i (x_i - bound)|
  Multipliers multipliers;
  std::vector<std::string> active;  ///< "c2 >= 0", "x3 >= lower", ...: inequalities and bounds that hold with equality
  bool independent = true;          ///< gradients of the active constraints are linearly independent (LICQ)
  SecondOrder second_order = SecondOrder::not_stationary;
  double least_curvature = 0;  ///< least eigenvalue of the Hessian of L on the space orthogonal to the gradients of the
                               ///< strongly active constraints; +infinity where that space is {0}

  /// All four residuals of first order are at most `tolerance`.
  bool stationary(double tolerance) const;
};

/// What counts as active and as zero.
struct KktOptions {
  double active = 1e-6;     ///< a constraint is active when it is at most this times max(1, |its gradient|)
  double tolerance = 1e-6;  ///< on the conditions of first order, before those of second order are looked at
  double strongly = 1e-6;   ///< a multiplier above this times max(1, |grad f|) is not zero
  double curvature = 1e-6;  ///< eigenvalues beyond this times max(1, |Hessian|) have a sign
};

/// The report at x with the multipliers that bring grad L nearest to zero: least squares over the active constraints,
/// with signs (Lawson and Hanson 1974, NNLS), so that dual infeasibility is 0 and what is left is stationarity.
/// Dense: O(n^3).
KktReport kkt_report(ConstrainedProblem& problem, const Vector& x, const KktOptions& options = {});
/// The report with the multipliers of a solver.
KktReport kkt_report(ConstrainedProblem& problem, const Vector& x, const Multipliers& multipliers,
                     const KktOptions& options = {});

/// min |A y - b| with y_i >= 0 wherever `signed_entries[i]` is true (Lawson and Hanson 1974, chapter 23).
Vector nonnegative_least_squares(const Matrix& A, const Vector& b, const std::vector<bool>& signed_entries);

}  // namespace hesse
