/// \file
/// Standard errors of the parameters of a least-squares fit, from the curvature at its solution.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

namespace hesse {

/// With residuals r and their Jacobian J, m x n, at x, the linearised covariance of the estimates
///
///     C = s^2 (J'J)^-1,   s^2 = |r|^2 / (m - n)
///
/// and the square roots of its diagonal: the standard errors that NIST certifies (StRD, "background information"; Seber
/// and Wild 2003, section 2.1). J'J is the Gauss-Newton matrix, but it is never formed: J is factored by QR with its
/// columns scaled to one, which costs 2 m n^2 flops and loses the condition of J, not its square. Empty where f is no
/// sum of squares, where m <= n, or where J has no full rank.
Vector standard_errors(Objective& f, const Vector& x);

}  // namespace hesse
