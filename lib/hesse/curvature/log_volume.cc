#include "hesse/curvature/log_volume.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

void check(double delta) {
  if (!(delta > 0) || !std::isfinite(delta)) {
    fail("log-volume: delta = {:g} leaves flat directions without an end; give a number > 0", delta);
  }
}

}  // namespace

double log_determinant_term(double lambda, double delta) { return std::log(std::max(lambda, 0.0) + delta); }

Estimate log_volume(const SpectralDensity& density, double delta) {
  check(delta);
  return spectral_sum(density, [delta](double lambda) { return -0.5 * log_determinant_term(lambda, delta); });
}

Estimate log_volume(const Vector& eigenvalues, double delta) {
  check(delta);
  if (!eigenvalues.allFinite()) return without_value(0);
  Estimate estimate;
  for (const double lambda : eigenvalues) estimate.value -= 0.5 * log_determinant_term(lambda, delta);
  estimate.lower = estimate.upper = estimate.value;
  return estimate;
}

}  // namespace hesse
