#include "hesse/curvature/smoothed_loss.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(double sigma, const NoiseOptions& options) {
  if (!(sigma > 0) || !std::isfinite(sigma)) {
    fail("noise: a deviation of {:g} is not possible; give a number > 0", sigma);
  }
  if (options.pairs < 2) fail("noise: {} pairs give no error; give at least 2", options.pairs);
}

/// Calls use(f(x + sigma T u), f(x - sigma T u)) for every pair.
template <class Use>
void for_each_pair(Objective& f, const Vector& x, const Vector& scale, double sigma, const NoiseOptions& options,
                   const Use& use) {
  Vector u(x.size()), at(x.size());
  for (Index k = 0; k < options.pairs; ++k) {
    RandomStream(options.seed, Purpose::noise, static_cast<std::uint64_t>(k)).fill_normal(u);
    u.array() *= sigma * scale.array();
    at = x + u;
    const double plus = f.value(at);
    at = x - u;
    use(plus, f.value(at));
  }
}

Estimate rise_at(Objective& f, const Vector& x, const Vector& scale, double value, double sigma,
                 const NoiseOptions& options) {
  Mean mean;
  for_each_pair(f, x, scale, sigma, options,
                [&](double plus, double minus) { mean.add(0.5 * (plus - value) + 0.5 * (minus - value)); });
  return std::isfinite(mean.value()) ? interval_of(mean) : without_value(0);
}

/// The end of a bracket.
enum class Side { lower, upper };

/// Where a curve over sigma first exceeds the rise; what is not finite exceeds it. Where no line can be drawn between
/// the ends of the last bracket, one of them.
template <class Curve>
double crossing(double rise, Side otherwise, const Curve& curve) {
  constexpr int kFirst = -6;
  constexpr int kLimit = 40;
  constexpr int kHalvings = 3;
  const auto exceeds = [&](double logarithm) { return !(curve(std::exp2(logarithm)) <= rise); };
  int exponent = kFirst;
  while (exponent < kLimit && !exceeds(exponent)) ++exponent;
  if (!exceeds(exponent)) return kInfinity;
  while (exponent > -kLimit && exceeds(exponent - 1)) --exponent;
  double low = exponent - 1;
  double high = exponent;
  for (int halving = 0; halving < kHalvings; ++halving) {
    const double middle = 0.5 * (low + high);
    (exceeds(middle) ? high : low) = middle;
  }
  const double at_low = curve(std::exp2(low));
  const double at_high = curve(std::exp2(high));
  // A straight line in logarithms, where both ends have one.
  if (!(at_low > 0) || !std::isfinite(at_high)) return std::exp2(otherwise == Side::lower ? low : high);
  const double share = std::log(rise / at_low) / std::log(at_high / at_low);
  return std::exp2(low + share * (high - low));
}

}  // namespace

Estimate expected_rise(Objective& f, const Vector& x, double sigma, const NoiseOptions& options) {
  check(sigma, options);
  return rise_at(f, x, unit_scale(f.layout(), x, options.units, options.eta), f.value(x), sigma, options);
}

Estimate pac_bayes_sigma(Objective& f, const Vector& x, double rise, const NoiseOptions& options) {
  check(1, options);
  if (!(rise > 0) || !std::isfinite(rise)) fail("PAC-Bayes sigma: a rise of {:g} is not possible; give one > 0", rise);
  const Vector scale = unit_scale(f.layout(), x, options.units, options.eta);
  const double value = f.value(x);
  if (!std::isfinite(value)) return without_value(0);
  std::map<double, Estimate> known;
  const auto at = [&](double sigma) {
    const auto found = known.find(sigma);
    if (found != known.end()) return found->second;
    return known.emplace(sigma, rise_at(f, x, scale, value, sigma, options)).first->second;
  };
  Estimate estimate;
  estimate.value = crossing(rise, Side::lower, [&](double sigma) { return at(sigma).value; });
  estimate.lower = crossing(rise, Side::lower, [&](double sigma) { return at(sigma).upper; });
  estimate.upper = crossing(rise, Side::upper, [&](double sigma) { return at(sigma).lower; });
  // An interpolated end in the bracket whose lower end is the value.
  estimate.lower = std::min(estimate.lower, estimate.value);
  estimate.reached = std::isfinite(estimate.value);
  if (estimate.lower != estimate.upper) {
    estimate.standard_error = kInfinity;
    if (estimate.reached) {
      // The delta method, with the slope of R just below sigma*.
      const Estimate here = at(estimate.value);
      const double step = estimate.value / 64;
      const double slope = (here.value - at(estimate.value - step).value) / step;
      if (slope > 0 && std::isfinite(here.standard_error)) estimate.standard_error = here.standard_error / slope;
    }
  }
  estimate.samples = options.pairs;
  return estimate;
}

LocalEntropy local_entropy(Objective& f, const Vector& x, double gamma, const NoiseOptions& options) {
  if (!(gamma > 0) || !std::isfinite(gamma)) fail("local entropy: gamma = {:g} is not possible; give one > 0", gamma);
  const double sigma = 1 / std::sqrt(gamma);
  check(sigma, options);
  LocalEntropy entropy;
  const double value = f.value(x);
  Mean weights;
  double sum = 0;
  double squares = 0;
  for_each_pair(f, x, unit_scale(f.layout(), x, options.units, options.eta), sigma, options,
                [&](double plus, double minus) {
                  // Relative to exp(-f(x)), so that no size of f leaves the range of double.
                  const double w = std::exp(value - plus);
                  const double v = std::exp(value - minus);
                  weights.add(0.5 * (w + v));
                  sum += w + v;
                  squares += w * w + v * v;
                });
  if (!std::isfinite(value) || !std::isfinite(weights.value()) || !(weights.value() > 0)) {
    entropy.estimate = without_value(0);
    return entropy;
  }
  entropy.effective_samples = sum * sum / squares;
  const Estimate mean = interval_of(weights);
  entropy.estimate = mean;
  entropy.estimate.value = std::log(mean.value) - value;
  entropy.estimate.standard_error = mean.standard_error / mean.value;
  const double half = (mean.upper - mean.value) / mean.value;
  entropy.estimate.lower = entropy.estimate.value - half;
  entropy.estimate.upper = entropy.estimate.value + half;
  return entropy;
}

}  // namespace hesse
