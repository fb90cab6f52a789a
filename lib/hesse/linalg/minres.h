/// \file
/// MINRES (Paige and Saunders 1975) for A x = b with A symmetric, definite or not: each iterate has the
/// least residual in its Krylov space. On a singular system that has no solution it ends at a least
/// squares solution. One product an iteration; seven vectors of workspace.
#pragma once

#include "hesse/linalg/linear_operator.h"

namespace hesse {

struct MinresOptions {
  double tolerance = 1e-8;   ///< on |b - A x| / |b|, and on |A r| / (|A| |r|) for least squares
  Index max_iterations = 0;  ///< 0: ten times the dimension
};

enum class MinresExit {
  converged,      ///< the true residual, formed anew, is within the tolerance
  least_squares,  ///< the residual is in the null space of A to the tolerance: no solution, the nearest one
  iteration_limit,
  stagnated,  ///< the recurrence claims convergence but the true residual does not bear it out
  non_finite,
};

struct MinresResult {
  MinresExit exit = MinresExit::converged;
  Index iterations = 0;
  double residual = 0;         ///< |b - A x|, formed anew
  double normal_residual = 0;  ///< |A r|, formed anew
  double norm = 0;             ///< estimate of |A| from below
};

struct MinresWorkspace {
  Vector v_old, v, v_new;    ///< Lanczos vectors
  Vector w_older, w_old, w;  ///< search directions
  Vector residual;
};

/// Writes the solution into x (resized to n); starts from 0.
MinresResult minres(const LinearOperator& A, const Vector& b, Vector& x, const MinresOptions& options,
                    MinresWorkspace& workspace);

}  // namespace hesse
