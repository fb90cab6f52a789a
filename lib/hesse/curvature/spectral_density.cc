#include "hesse/curvature/spectral_density.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/probes.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/lanczos.h"

#include <boost/math/special_functions/beta.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

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

/// Mean and Student's band over the probes, entry by entry; NaN where there are no probes.
Band95 band_of(const std::vector<Vector>& probes, Index n) {
  Band95 band{Vector(n), Vector(n), Vector(n)};
  for (Index i = 0; i < n; ++i) {
    Mean mean;
    for (const Vector& probe : probes) mean.add(probe[i]);
    const Estimate here = probes.empty() ? without_value(0) : interval_of(mean);
    band.value[i] = here.value;
    band.lower[i] = std::max(here.lower, 0.0);
    band.upper[i] = here.upper;
  }
  return band;
}

/// Weisse et al. (2006), eq. (71).
Vector jackson_kernel(Index terms) {
  const auto m = static_cast<double>(terms);
  const double step = std::numbers::pi / (m + 1);
  Vector kernel(terms);
  for (Index k = 0; k < terms; ++k) {
    const auto order = static_cast<double>(k);
    kernel[k] =
        ((m - order + 1) * std::cos(step * order) + std::sin(step * order) * std::cos(step) / std::sin(step)) / (m + 1);
  }
  return kernel;
}

}  // namespace

SpectralDensity spectral_density(const LinearOperator& A, const SpectralDensityOptions& options,
                                 const std::function<bool(const SpectralDensity&)>& enough) {
  if (options.probes < 2) fail("spectral density: {} probes give no error; give at least 2", options.probes);
  if (options.steps < 1) fail("spectral density: {} steps are not possible; give at least 1", options.steps);
  SpectralDensity density;
  density.size = A.size();
  Lanczos lanczos;
  Vector v(A.size());
  Vector values;
  Matrix vectors;
  Index look = kFirstLook;
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
    if (probe + 1 < look) continue;
    look *= 2;
    if (enough && enough(density)) break;
  }
  return density;
}

Estimate spectral_sum(const SpectralDensity& density, const std::function<double(double)>& f, double tolerance) {
  if (!density.is_finite) return without_value(density.products);
  const Mean mean = mean_of(density, f);
  if (!std::isfinite(mean.value())) return without_value(density.products);
  Estimate estimate = interval_of(mean, 0, static_cast<double>(density.size));
  estimate.products = density.products;
  estimate.reached = 0.5 * (estimate.upper - estimate.lower) <= tolerance * std::abs(estimate.value);
  return estimate;
}

Estimate eigenvalue_count(const SpectralDensity& density, const std::function<bool(double)>& in) {
  Estimate estimate = spectral_sum(density, [&in](double x) { return in(x) ? 1.0 : 0.0; });
  if (!estimate.is_finite) return estimate;
  const Index n = density.size;
  const auto probes = static_cast<double>(density.probes.size());
  const double share = std::clamp(estimate.value / static_cast<double>(n), 0.0, 1.0);
  // P(mean share <= what was seen) falls as m grows; with m = 0 or n the share is certain.
  const auto below = [&](Index m) {
    if (m == 0) return 1.0;
    if (m == n) return share < 1 ? 0.0 : 1.0;
    return boost::math::ibeta(0.5 * probes * static_cast<double>(m), 0.5 * probes * static_cast<double>(n - m), share);
  };
  const auto first = [&](double probability) {
    // The least m in [0, n] with below(m) <= probability, n + 1 if there is none.
    Index low = 0;
    Index high = n + 1;
    while (low < high) {
      const Index middle = low + (high - low) / 2;
      if (middle <= n && below(middle) > probability) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  // Weights that are 0 or 1 but for rounding say that there are none, or no others.
  constexpr double kCertain = 1e-12;
  if (share <= kCertain || share >= 1 - kCertain) {
    estimate.lower = estimate.upper = share <= kCertain ? 0.0 : static_cast<double>(n);
    return estimate;
  }
  estimate.lower = static_cast<double>(std::min(first(0.975), n));
  estimate.upper = static_cast<double>(std::max<Index>(first(0.025) - 1, 0));
  if (estimate.lower > estimate.upper) {
    // No whole number is likely: those on either side of the estimate.
    estimate.lower = std::floor(estimate.value);
    estimate.upper = std::ceil(estimate.value);
  }
  return estimate;
}

Vector density_at(const Quadrature& probe, const Vector& lambda, double sigma) {
  if (!(sigma > 0)) fail("spectral density: a blur of {} is not possible; give a deviation > 0", sigma);
  const double height = 1 / (sigma * std::sqrt(2 * std::numbers::pi));
  Vector density = Vector::Zero(lambda.size());
  for (Index j = 0; j < probe.nodes.size(); ++j) {
    const auto z = (lambda.array() - probe.nodes[j]) / sigma;
    density.array() += probe.weights[j] * height * (-0.5 * z * z).exp();
  }
  return density;
}

Band95 density_at(const SpectralDensity& density, const Vector& lambda, double sigma) {
  if (!(sigma > 0)) fail("spectral density: a blur of {} is not possible; give a deviation > 0", sigma);
  std::vector<Vector> probes;
  for (const Quadrature& probe : density.probes) probes.push_back(density_at(probe, lambda, sigma));
  return band_of(probes, lambda.size());
}

ChebyshevMoments chebyshev_moments(const LinearOperator& A, double low, double high, const ChebyshevOptions& options) {
  if (options.probes < 2) fail("Chebyshev moments: {} probes give no error; give at least 2", options.probes);
  if (options.degree < 1) fail("Chebyshev moments: degree {} is not possible; give at least 1", options.degree);
  if (!(low < high) || !std::isfinite(high - low)) fail("Chebyshev moments: [{:g}, {:g}] is no interval", low, high);
  ChebyshevMoments moments;
  moments.low = low;
  moments.high = high;
  const double centre = 0.5 * (low + high);
  const double half = 0.5 * (high - low);
  const Index n = A.size();
  const Index degree = options.degree;
  Vector last(n), now(n), next(n);
  for (Index probe = 0; probe < options.probes; ++probe) {
    RandomStream(options.seed, Purpose::probe, static_cast<std::uint64_t>(probe)).fill_normal(last);
    last /= norm(last);
    Vector& mu = moments.probes.emplace_back(degree + 1);
    A.apply(last, now);
    now = (now - centre * last) / half;
    ++moments.products;
    mu[0] = 1;
    mu[1] = dot(last, now);
    for (Index k = 1; 2 * k <= degree; ++k) {
      // T_2k = 2 T_k^2 - 1 and T_2k+1 = 2 T_k+1 T_k - T_1.
      mu[2 * k] = 2 * dot(now, now) - 1;
      if (2 * k + 1 > degree) break;
      A.apply(now, next);
      ++moments.products;
      next = 2 * (next - centre * now) / half - last;
      mu[2 * k + 1] = 2 * dot(next, now) - mu[1];
      std::swap(last, now);
      std::swap(now, next);
    }
    if (!mu.allFinite()) {
      moments.probes.clear();
      moments.is_finite = false;
      return moments;
    }
  }
  return moments;
}

Band95 density_at(const ChebyshevMoments& moments, const Vector& lambda) {
  const double centre = 0.5 * (moments.low + moments.high);
  const double half = 0.5 * (moments.high - moments.low);
  std::vector<Vector> probes;
  for (const Vector& mu : moments.probes) {
    const Vector kernel = jackson_kernel(mu.size());
    Vector& density = probes.emplace_back(Vector::Zero(lambda.size()));
    for (Index i = 0; i < lambda.size(); ++i) {
      const double x = (lambda[i] - centre) / half;
      if (!(std::abs(x) < 1)) continue;
      const double angle = std::acos(x);
      double sum = mu[0];
      for (Index k = 1; k < mu.size(); ++k) sum += 2 * kernel[k] * mu[k] * std::cos(static_cast<double>(k) * angle);
      density[i] = sum / (std::numbers::pi * half * std::sqrt(1 - x * x));
    }
  }
  return band_of(probes, lambda.size());
}

}  // namespace hesse
