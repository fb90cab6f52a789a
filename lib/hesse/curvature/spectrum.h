/// \file
/// The extreme eigenvalues of a loss's curvature at a point.
#pragma once

#include "hesse/linalg/eigen.h"
#include "hesse/objective/objective.h"

#include <string>

namespace hesse {

struct SpectrumOptions {
  Curvature curvature = Curvature::hessian;
  EigenOptions eigen;
};

struct Spectrum {
  double value = 0;          ///< f at the point
  double gradient_norm = 0;  ///< |g|_2 there
  EigenResult eigen;
  double seconds = 0;
};

/// Linearises f at x on its selected samples. A value, gradient or product that is not finite ends in
/// EigenStatus::non_finite with a message that names the parameter, layer or sample.
Spectrum extreme_spectrum(Objective& f, const Vector& x, const SpectrumOptions& options);

}  // namespace hesse
