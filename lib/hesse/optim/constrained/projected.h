/// \file
/// Minimisation on sets that one can project on.
#pragma once

#include "hesse/objective/objective.h"
#include "hesse/optim/constrained/projection.h"

#include <string>

namespace hesse {

/// How a method with constraints ended.
enum class ConstrainedStatus {
  converged,   ///< the tolerances hold at the returned point
  rounding,    ///< no decrease can be told from rounding error
  iterations,  ///< the iterations are spent
  failed,      ///< no acceptable step, or not finite; the message says what
};
const char* to_string(ConstrainedStatus status);

/// When a projected method ends.
struct ProjectedOptions {
  double tolerance = 1e-8;  ///< on |x - P(x - g)|_inf
  Index max_iterations = 1000;
  Index memory = 10;          ///< of the non-monotone search, or pairs of the quasi-Newton matrix
  Index dense_limit = 500;    ///< projected Newton on bounds: up to this size the Hessian is used, beyond L-BFGS
  bool quasi_newton = false;  ///< projected Newton: L-BFGS whatever the size
};

/// Where a projected method ended.
struct ProjectedResult {
  ConstrainedStatus status = ConstrainedStatus::iterations;
  double value = 0;
  double optimality = 0;  ///< |x - P(x - g)|_inf at the returned point
  Index iterations = 0;
  Index evaluations = 0;  ///< of value, with gradient or without
  Index products = 0;     ///< with the Hessian, of projected Newton on sets
  std::string message;
};

/// The spectral projected gradient method SPG2 (Birgin, Martinez and Raydan 2000): steps of Barzilai and Borwein, and
/// a non-monotone search along the projected direction over the last `memory` values.
ProjectedResult projected_gradient(Objective& f, const Projection& project, Vector& x,
                                   const ProjectedOptions& options = {});

/// Two-metric projection on bounds (Bertsekas 1982, section 2): a Newton step, or one of L-BFGS, in the variables that
/// are free, a gradient step in those held at a bound, and an Armijo search along the projected arc. An indefinite
/// Hessian is shifted until it is positive definite on the free variables.
ProjectedResult projected_newton(Objective& f, const Vector& lower, const Vector& upper, Vector& x,
                                 const ProjectedOptions& options = {});

/// Projected Newton on any convex set that one can project on: the step minimises the model g'd + d'Bd / 2 over the
/// set, by projected_gradient and as exactly as the point is optimal, and an Armijo search follows it (Schmidt, van den
/// Berg, Friedlander and Murphy 2009, Algorithm 1). B is the Hessian, seen through its products and shifted where it
/// curves downwards, or with `quasi_newton` the compact L-BFGS matrix (Byrd, Nocedal and Schnabel 1994, eq. (2.17)). It
/// pays where f is dear and the projection cheap: few gradients, many products and projections.
ProjectedResult projected_newton(Objective& f, const Projection& project, Vector& x,
                                 const ProjectedOptions& options = {});

}  // namespace hesse
