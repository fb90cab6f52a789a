/// \file
/// MINRES (Paige and Saunders 1975) for A x = b with A symmetric, definite or not: each iterate has the
/// least residual in its Krylov space. On a singular system that has no solution it ends at a least
/// squares solution. With a preconditioner M, symmetric positive definite and like the inverse of |A|, the norm of
/// residuals is |r|_M = (r'M r)^1/2 (Elman, Silvester and Wathen 2014, Algorithm 4.1); without one M = I. One product
/// with A, and one with M, an iteration; seven vectors of workspace, and two more with M.
#pragma once

#include "hesse/linalg/linear_operator.h"

namespace hesse {

/// When MINRES ends.
struct MinresOptions {
  /// On |b - A x|_M / |b|_M, and on |A M r|_M / (|A| |r|_M) for least squares.
  double tolerance = 1e-8;
  Index max_iterations = 0;                        ///< 0: ten times the dimension
  const LinearOperator* preconditioner = nullptr;  ///< M
};

/// How MINRES ended.
enum class MinresExit {
  converged,  ///< the true residual, formed anew, is within the tolerance
  /// The residual, formed anew, is in the null space of A to the tolerance: no solution, the nearest one.
  least_squares,
  iteration_limit,
  stagnated,  ///< the recurrence claims one of these, but the residuals formed anew do not bear it out
  breakdown,  ///< the preconditioner is not positive definite
  non_finite,
};

/// What MINRES came to.
struct MinresResult {
  MinresExit exit = MinresExit::converged;
  Index iterations = 0;
  double residual = 0;         ///< |b - A x|_M, formed anew
  double normal_residual = 0;  ///< |A M r|_M, formed anew
  double norm = 0;             ///< estimate of |M^1/2 A M^1/2| from below
};

/// Vectors that are kept between solves.
struct MinresWorkspace {
  Vector v_old, v, v_new;    ///< Lanczos vectors
  Vector w_older, w_old, w;  ///< search directions
  Vector residual;
  Vector z, z_new;  ///< M v, with a preconditioner
};

/// Writes the solution into x (resized to n); starts from 0.
MinresResult minres(const LinearOperator& A, const Vector& b, Vector& x, const MinresOptions& options,
                    MinresWorkspace& workspace);

}  // namespace hesse
