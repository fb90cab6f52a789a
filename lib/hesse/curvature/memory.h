/// \file
/// What analyses of an operator with n variables hold at their peak, in bytes, beside the operator itself: to be told
/// before they begin.
#pragma once

#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/eigen.h"

namespace hesse {

/// Of extreme_eigenpairs(), its result included.
double eigenpairs_bytes(Index n, const EigenOptions& options);
/// Of that result alone.
double eigenvectors_bytes(Index n, const EigenOptions& options);
double trace_bytes(Index n, const TraceOptions& options);
double diagonal_bytes(Index n, const DiagonalOptions& options);
double density_bytes(Index n, const SpectralDensityOptions& options);

}  // namespace hesse
