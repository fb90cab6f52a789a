/// \file
/// Any objective through Ceres Solver (Agarwal, Mierle and others), as a second opinion on where its minimum lies.
///
/// Nothing that Ceres says of its result is believed. Ceres 2.1.0, for one, reports CONVERGENCE when the cost is NaN,
/// since its test of convergence is one that NaN passes. So the result carries what Ceres claims and, apart from it,
/// what our own objective gives at the point that it returned.
///
///     FunctorObjective<Rosenbrock> f({}, 2);
///     const CeresResult r = ceres_minimise(f, Eigen::Vector2d(-1.2, 1), {});
///     if (r.finite && r.gradient_norm <= 1e-8) ...
#pragma once

#include "hesse/core/cost.h"
#include "hesse/objective/objective.h"

#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// Ceres' methods. The first three need the structure of least squares (objective/least_squares.h); the others are its
/// line-search methods.
enum class CeresMethod {
  levenberg_marquardt,
  dogleg,           ///< Powell's dogleg between the Cauchy and the Gauss-Newton point
  subspace_dogleg,  ///< the model minimised over the plane of both (Byrd, Schnabel and Shultz 1988)
  steepest_descent,
  fletcher_reeves,  ///< nonlinear conjugate gradients
  polak_ribiere,
  hestenes_stiefel,
  bfgs,
  lbfgs,
};
/// "lm", "dogleg", "subspace-dogleg", "steepest-descent", "cg-fr", "cg-pr", "cg-hs", "bfgs", "lbfgs".
const char* to_string(CeresMethod method);
/// All of them with their names, as command lines spell them.
const std::vector<std::pair<std::string, CeresMethod>>& ceres_methods();
/// True for the trust-region methods, which run on residuals alone.
bool needs_least_squares(CeresMethod method);

enum class CeresLineSearch { armijo, wolfe };

/// Ceres' own defaults but for the rules that end a run: they are off (0), so that it goes on for as long as it can, as
/// Ceres' comparisons on test problems have it.
struct CeresOptions {
  CeresMethod method = CeresMethod::lbfgs;
  /// Armijo is not possible with bfgs and lbfgs, which need the curvature condition.
  CeresLineSearch line_search = CeresLineSearch::wolfe;
  Index lbfgs_rank = 20;              ///< curvature pairs, >= 1
  double initial_trust_radius = 1e4;  ///< > 0
  double function_tolerance = 0;      ///< on |df| / f, >= 0
  double gradient_tolerance = 0;      ///< on max |g_i|, >= 0
  double parameter_tolerance = 0;     ///< on |dx| / |x|, >= 0
  Index max_iterations = 10000;       ///< >= 0
  double max_seconds = 1e9;           ///< > 0
};

/// What Ceres says.
enum class CeresClaim {
  convergence,
  no_convergence,  ///< a budget is spent
  failure,
};
/// "CONVERGENCE", "NO_CONVERGENCE", "FAILURE": as Ceres spells them.
const char* to_string(CeresClaim claim);

/// What Ceres says, and what is so.
struct CeresResult {
  Vector x;

  // Ceres' word.
  CeresClaim claim = CeresClaim::failure;
  std::string message;       ///< of Ceres
  double claimed_value = 0;  ///< its final cost
  Index iterations = 0;

  // Ours, from the objective at x.
  double value = 0;
  double gradient_norm = 0;  ///< |g|_2
  bool finite = false;       ///< x, f and g are finite
  /// |claimed - f| <= (1e-12 + 10 value_noise) |f| and ten times by what value() and value_and_gradient() differ; false
  /// when either is not finite.
  bool value_agrees = false;

  Cost cost;           ///< what Ceres asked the objective for, counted on our side
  double seconds = 0;  ///< inside Ceres, evaluations included

  /// A claim of convergence to a point that is not finite or does not have the value claimed.
  bool claim_is_false() const { return claim == CeresClaim::convergence && !(finite && value_agrees); }
};

/// Minimises f from x0 by ceres::GradientProblemSolver and one of the line-search methods. An Error thrown by f passes
/// through. Throws Error on impossible options, and on a method that needs least squares.
CeresResult ceres_minimise(Objective& f, const Vector& x0, const CeresOptions& options = {});

/// Minimises f = 1/2 |r|^2 from x0 by ceres::Solver. A dense Jacobian is one residual block, with Householder QR of it
/// (DENSE_QR) for the trust-region methods; one in blocks is as many residual blocks over the same parameter blocks,
/// with the Schur complement (DENSE_SCHUR) where some can be eliminated and sparse Cholesky elsewhere. Ceres
/// runs on one thread, since on several its sums depend on which comes first; residuals and Jacobian are formed by
/// Hesse's. A residual that is not finite is what Ceres calls a failed evaluation: at a trial point it
/// shortens the step. Throws Error as above, when f has no least squares structure, and when 1/2 |r|^2 is not f at x0
/// (a penalty was added around it).
CeresResult ceres_least_squares(Objective& f, const Vector& x0,
                                const CeresOptions& options = {.method = CeresMethod::levenberg_marquardt});

/// True when f has residuals and half the sum of their squares is f at x, or both are not finite: a decorator that adds
/// a penalty hands its inner residuals on, which are then not the whole of f. Costs two values.
bool is_least_squares(Objective& f, const Vector& x);

/// The one of the two that the method needs.
CeresResult ceres_solve(Objective& f, const Vector& x0, const CeresOptions& options);

/// "2.1.0".
const char* ceres_version();

}  // namespace hesse
