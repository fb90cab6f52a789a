/// \file
/// Truncated conjugate gradients for the trust-region subproblem
///
///     minimise m(s) = g's + 1/2 s'A s   subject to |s|_2 <= trust_radius
///
/// (Steihaug 1983; Toint 1981; Nocedal and Wright 2006, Algorithm 7.2). The iterates grow in norm, so
/// the first one that leaves the region, or meets negative curvature, is replaced by the point where
/// its search line crosses the boundary. One product an iteration; three vectors of workspace. On a
/// convex model the decrease is at least half of the best possible (Yuan 2000).
#pragma once

#include "hesse/linalg/linear_operator.h"

namespace hesse {

/// The radius, and when the iteration ends.
struct SteihaugOptions {
  double trust_radius = 1;   ///< Delta > 0
  double tolerance = 0;      ///< stop when the residual |g + A s| falls to it
  Index max_iterations = 0;  ///< 0: the dimension
};

/// How the iteration ended.
enum class SteihaugExit {
  converged,           ///< interior, residual below the tolerance
  boundary,            ///< the step reached the boundary
  negative_curvature,  ///< p'Ap <= 0 was met; the step ends on the boundary along p
  iteration_limit,
  non_finite,  ///< a product was not finite; s is the last finite iterate
};

/// What the iteration came to.
struct SteihaugResult {
  SteihaugExit exit = SteihaugExit::converged;
  Index iterations = 0;  ///< products used
  double decrease = 0;   ///< m(0) - m(s) >= 0
  double residual = 0;   ///< |g + A s| at the last interior iterate
  double curvature = 0;  ///< p'Ap / p'p of the last direction
};

/// Vectors kept between calls; resized on demand.
struct SteihaugWorkspace {
  Vector residual;
  Vector direction;
  Vector product;
};

/// Writes the step into s (resized to n).
SteihaugResult steihaug(const LinearOperator& A, const Vector& g, const SteihaugOptions& options, Vector& s,
                        SteihaugWorkspace& workspace);

}  // namespace hesse
