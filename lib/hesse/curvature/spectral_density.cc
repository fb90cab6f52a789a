#include "hesse/curvature/spectral_density.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/lanczos.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hesse {
namespace {

Mean mean_of(const SpectralDensity& density, const std::function<double(double)>& f) {
  Mean mean;
  for (const Quadrature& rule : density.probes) {
    double sum = 0;
    for (Index j = 0; j < rule.nodes.size(); ++j) {
      // A node without weight says nothing, whatever f is there.
      if (rule.weights[j] > 0) sum += rule.weights[j] * f(rule.nodes[j]);
    }
    mean.add(sum);
  }
  return mean;
}

}  // namespace

SpectralDensity spectral_density(const LinearOperator& A, const SpectralDensityOptions& options) {
  if (options.probes < 2) fail("spectral density: {} probes give no error; give at least 2", options.probes);
  if (options.steps < 1) fail("spectral density: {} steps are not possible; give at least 1", options.steps);
  SpectralDensity density;
  density.size = A.size();
  Lanczos lanczos;
  Vector v(A.size());
  Vector values;
  Matrix vectors;
  for (Index probe = 0; probe < options.probes; ++probe) {
    RandomStream(options.seed, Purpose::probe, static_cast<std::uint64_t>(probe)).fill_normal(v);
    lanczos.start(v, options.steps);
    while (!lanczos.complete()) {
      ++density.products;
      if (!lanczos.extend(A)) {
        density.probes.clear();
        density.is_finite = false;
        return density;
      }
    }
    symmetric_eigen(lanczos.projected(), values, vectors);
    density.probes.push_back({values, vectors.row(0).transpose().cwiseAbs2()});
    density.least = probe == 0 ? values[0] : std::min(density.least, values[0]);
    density.greatest = probe == 0 ? values.tail(1)[0] : std::max(density.greatest, values.tail(1)[0]);
  }
  return density;
}

Estimate spectral_sum(const SpectralDensity& density, const std::function<double(double)>& f) {
  if (!density.is_finite) return without_value(density.products);
  const Mean mean = mean_of(density, f);
  if (!std::isfinite(mean.value())) return without_value(density.products);
  Estimate estimate = interval_of(mean, 0, static_cast<double>(density.size));
  estimate.products = density.products;
  return estimate;
}

Band95 density_at(const SpectralDensity& density, const Vector& lambda, double sigma) {
  if (!(sigma > 0)) fail("spectral density: a blur of {} is not possible; give a deviation > 0", sigma);
  Band95 band;
  for (Vector* each : {&band.value, &band.lower, &band.upper}) each->resize(lambda.size());
  const double height = 1 / (sigma * std::sqrt(2 * std::numbers::pi));
  for (Index i = 0; i < lambda.size(); ++i) {
    const Estimate here = density.is_finite ? interval_of(mean_of(density,
                                                                  [&](double node) {
                                                                    const double z = (lambda[i] - node) / sigma;
                                                                    return height * std::exp(-0.5 * z * z);
                                                                  }))
                                            : without_value(0);
    band.value[i] = here.value;
    band.lower[i] = std::max(here.lower, 0.0);
    band.upper[i] = here.upper;
  }
  return band;
}

}  // namespace hesse
