/// \file
/// Conjugate gradients for A x = b (Hestenes and Stiefel 1952), preconditioned if asked. Negative
/// curvature, which shows that A is not positive definite, ends the iteration and hands out the
/// direction. One product an iteration; four vectors of workspace.
#pragma once

#include "hesse/linalg/linear_operator.h"

namespace hesse {

/// When conjugate gradients end.
struct CgOptions {
  double relative_tolerance = 1e-8;                ///< on |b - A x| / |b|
  double absolute_tolerance = 0;                   ///< on |b - A x|
  Index max_iterations = 0;                        ///< 0: ten times the dimension
  const LinearOperator* preconditioner = nullptr;  ///< M, approximating the inverse of A, positive definite
};

/// How conjugate gradients ended.
enum class CgExit {
  converged,           ///< the true residual, formed anew, is within a tolerance
  negative_curvature,  ///< p'Ap <= 0 for the direction left in the workspace
  iteration_limit,
  stagnated,  ///< the recurrence claims convergence but the true residual does not bear it out
  breakdown,  ///< the preconditioner is not positive definite
  non_finite,
};

/// What conjugate gradients came to.
struct CgResult {
  CgExit exit = CgExit::converged;
  Index iterations = 0;
  double residual = 0;   ///< |b - A x|, formed anew
  double curvature = 0;  ///< p'Ap / p'p of the last direction
};

/// Vectors that are kept between solves.
struct CgWorkspace {
  Vector residual;
  Vector direction;  ///< the last p; that of negative curvature when the iteration ended there
  Vector product;
  Vector preconditioned;
};

/// Improves x, whose entry value is the start (resized to zero when its size is not n).
CgResult cg(const LinearOperator& A, const Vector& b, Vector& x, const CgOptions& options, CgWorkspace& workspace);

}  // namespace hesse
