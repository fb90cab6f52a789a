/// \file
/// The extreme eigenvalues of a loss's curvature at a point.
#pragma once

#include "hesse/curvature/curvature_operator.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/objective.h"

#include <string>

namespace hesse {

/// Which matrix, and which of its eigenvalues.
struct SpectrumOptions {
  CurvatureOperatorOptions matrix;
  EigenOptions eigen;  ///< its tolerance on asymmetry is set by the precision of f
};

/// A point with the extreme eigenpairs of its curvature.
struct Spectrum {
  double value = 0;               ///< f at the point
  double gradient_norm = 0;       ///< |g|_2 there
  double gradient_alignment = 0;  ///< share of |g|^2 in the eigenspace of the largest ones: see alignment()
  OperatorPtr matrix;             ///< whose eigenvalues they are; null where f or its gradient is not finite
  EigenResult eigen;
  double seconds = 0;
};

/// Linearises f at x on its selected samples. A value, gradient or product that is not finite ends in
/// EigenStatus::non_finite with a message that names the parameter, layer or sample.
Spectrum extreme_spectrum(Objective& f, const Vector& x, const SpectrumOptions& options);

}  // namespace hesse
