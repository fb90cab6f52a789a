/// \file
/// What analyses hold at their peak, in bytes, to be told before they begin: evaluations, and what operators with n
/// variables take beside themselves.
#pragma once

#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/objective/objective.h"

#include <vector>

namespace hesse {

/// Of values, gradients and a curvature operator of f for products with as many vectors at once, 0 where there are
/// none. Networks and residuals in blocks know it (objective/evaluation_memory.h); of other objectives it is only known
/// that they hold the point and the gradient.
double evaluation_bytes(Objective& f, Index vectors_at_once);

/// Of extreme_eigenpairs(), its result included. With `single_search` this is what its basis may grow to; where the
/// search ends early there is less.
double eigenpairs_bytes(Index n, const EigenOptions& options);
/// Of that result alone.
double eigenvectors_bytes(Index n, const EigenOptions& options);
double trace_bytes(Index n, const TraceOptions& options);
double diagonal_bytes(Index n, const DiagonalOptions& options);
double density_bytes(Index n, const SpectralDensityOptions& options);

/// Of the operator of these layers' factors (KroneckerStructure::kronecker_layers), in their eigenbases or not, at the
/// peak of its making.
double kronecker_bytes(const std::vector<KroneckerFactors>& layers, bool eigenbasis);
/// Of a sub_block() of an operator of size n, for products with as many vectors.
double sub_block_bytes(Index n, Index vectors_at_once);

}  // namespace hesse
