#include "hesse/curvature/spectrum.h"

#include "hesse/core/vector_ops.h"
#include "hesse/curvature/subspace.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace hesse {

Spectrum extreme_spectrum(Objective& f, const Vector& x, const SpectrumOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Spectrum spectrum;
  Vector g;
  spectrum.value = f.value_and_gradient(x, g);
  spectrum.gradient_norm = norm(g);
  if (!std::isfinite(spectrum.value) || !std::isfinite(spectrum.gradient_norm)) {
    spectrum.eigen.status = EigenStatus::non_finite;
  } else {
    EigenOptions eigen = options.eigen;
    eigen.asymmetry_tolerance = allowed_asymmetry(f.value_noise());
    spectrum.matrix = curvature_operator(f, x, options.matrix);
    spectrum.eigen = extreme_eigenpairs(*spectrum.matrix, eigen);
    const Matrix& V = spectrum.eigen.largest.vectors;
    if (V.cols() > 0) {
      const auto rows = parameters_of(f.layout(), options.matrix.blocks);
      spectrum.gradient_alignment = alignment(g(rows), V);
    }
  }
  if (spectrum.eigen.status == EigenStatus::non_finite) {
    const std::string why = f.explain_non_finite(x);
    if (!why.empty()) spectrum.eigen.message = why;
  }
  spectrum.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return spectrum;
}

}  // namespace hesse
