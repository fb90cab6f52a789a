#include "hesse/curvature/worst_case.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/ascent.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/objective/finite_sum.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace hesse {
namespace {

/// e = A (s o z) for z in a unit set; no A stands for the identity.
struct Chart {
  UnitSet set;
  Vector scale;
  Matrix A;

  Index dimension() const { return scale.size(); }
  void map(const Vector& z, Vector& e) const {
    e = scale.cwiseProduct(z);
    if (A.size() > 0) e = A * e;
  }
  void pull_back(const Vector& g, Vector& to) const {
    if (A.size() > 0) {
      to.noalias() = A.transpose() * g;
      to.array() *= scale.array();
    } else {
      to = scale.cwiseProduct(g);
    }
  }
};

void check(const AscentOptions& options) {
  if (options.iterations < 0) fail("ascent: {} iterations are not possible; give at least 0", options.iterations);
  if (options.random_starts < 0) {
    fail("ascent: {} random starts are not possible; give at least 0", options.random_starts);
  }
}

void check(const BallOptions& options) {
  if (!(options.rho > 0) || !std::isfinite(options.rho)) {
    fail("sharpness: a ball of radius rho = {:g} is not possible; give a number > 0", options.rho);
  }
  check(options.ascent);
}

WorstCase worst_over(Objective& f, const Vector& x, const Chart& chart, const AscentOptions& options) {
  WorstCase worst;
  Vector g(x.size()), e(x.size()), at(x.size()), z;
  worst.value = f.value_and_gradient(x, g);
  worst.gradients = 1;
  worst.perturbation = Vector::Zero(x.size());
  worst.rounding = 2 * f.value_noise() * std::abs(worst.value);
  worst.is_finite = std::isfinite(worst.value) && all_finite(g);
  if (!worst.is_finite) return worst;
  const auto rise = [&](const Vector& from, Vector& gradient) {
    chart.map(from, e);
    at = x + e;
    const double value = f.value_and_gradient(at, g);
    chart.pull_back(g, gradient);
    return value - worst.value;
  };
  double least = 0;
  bool begun = false;
  const auto search = [&](Vector start) {
    const Ascent ascent = projected_ascent(chart.set, rise, std::move(start), options.iterations);
    worst.gradients += ascent.evaluations;
    worst.is_finite = worst.is_finite && ascent.is_finite;
    if (!begun || ascent.value > worst.rise) {
      worst.rise = ascent.value;
      chart.map(ascent.z, worst.perturbation);
    }
    least = begun ? std::min(least, ascent.value) : ascent.value;
    begun = true;
  };

  chart.pull_back(g, z);
  if (z.cwiseAbs().maxCoeff() > 0) {
    z = furthest_along(chart.set, z);
    chart.map(z, e);
    at = x + e;
    worst.first_order = f.value(at) - worst.value;
    search(z);
  }
  for (Index k = 0; k < options.random_starts && worst.is_finite; ++k) {
    z.resize(chart.dimension());
    RandomStream(options.seed, Purpose::search, static_cast<std::uint64_t>(k)).fill_normal(z);
    search(furthest_along(chart.set, z));
  }
  worst.spread = begun ? worst.rise - least : 0;
  // x itself is in the neighbourhood.
  if (worst.rise < 0) {
    worst.rise = 0;
    worst.perturbation.setZero();
  }
  return worst;
}

Chart ball_at(const Objective& f, const Vector& x, const BallOptions& options) {
  return {UnitSet::ball, options.rho * unit_scale(f.layout(), x, options.units, options.eta), {}};
}

/// Of one figure nothing tells an error: it is taken as it is.
Estimate mean_over_batches(const Mean& mean) {
  if (!std::isfinite(mean.value())) return without_value(0);
  if (mean.count() > 1) return interval_of(mean);
  Estimate estimate;
  estimate.value = estimate.lower = estimate.upper = mean.value();
  estimate.samples = 1;
  return estimate;
}

}  // namespace

WorstCase worst_in_ball(Objective& f, const Vector& x, const BallOptions& options) {
  check(options);
  return worst_over(f, x, ball_at(f, x, options), options.ascent);
}

WorstCase worst_in_box(Objective& f, const Vector& x, const BoxOptions& options) {
  if (!(options.epsilon > 0) || !std::isfinite(options.epsilon)) {
    fail("sharpness: a box of epsilon = {:g} is not possible; give a number > 0", options.epsilon);
  }
  check(options.ascent);
  const Index p = options.subspace;
  if (p < 0 || p > x.size()) {
    fail("sharpness: a subspace of {} dimensions among {} parameters is not possible; give 1 to {}, or 0 for all", p,
         x.size(), x.size());
  }
  Chart chart{UnitSet::box, {}, {}};
  if (p > 0) {
    chart.A.resize(x.size(), p);
    RandomStream(options.ascent.seed, Purpose::probe).fill_normal(chart.A.reshaped());
    OrthonormalizeWorkspace<double> workspace;
    orthonormalize<double>(chart.A, workspace);
    chart.scale.noalias() = chart.A.transpose() * x;
  } else {
    chart.scale = x;
  }
  chart.scale = options.epsilon * (chart.scale.array().abs() + 1);
  return worst_over(f, x, chart, options.ascent);
}

double keskar_sharpness(double rise, double value) { return 100 * rise / (1 + value); }

BatchSharpness worst_in_batches(Objective& f, const Vector& x, const BatchOptions& options) {
  check(options);
  FiniteSum& sum = finite_sum_of(f, "m-sharpness");
  if (options.m < 1) fail("m-sharpness: m = {} samples are not possible; give at least 1", options.m);
  if (options.batches < 2) fail("m-sharpness: {} batches give no error; give at least 2", options.batches);
  const Index n = sum.sample_count();
  const Index m = std::min(options.m, n);
  const Index there = n / m;
  const Index batches = std::min(there, options.batches);
  const Chart chart = ball_at(f, x, options);
  std::vector<Index> storage;
  const SelectionGuard guard(sum, storage);
  BatchSequence sequence(n, m, options.ascent.seed);
  Mean rises;
  Mean first_orders;
  for (Index k = 0; k < batches; ++k) {
    sum.select(sequence.batch(k));
    const WorstCase worst = worst_over(f, x, chart, options.ascent);
    rises.add(worst.is_finite ? worst.rise : std::nan(""));
    first_orders.add(worst.first_order);
  }
  return {mean_over_batches(rises), mean_over_batches(first_orders), batches == there};
}

}  // namespace hesse
