#include "hesse/curvature/ascent.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hesse {
namespace {

/// The longest step, in diameters of the set: long enough that the projection of z + a g is the furthest point along g
/// to 1e-6, short enough that the projection loses no more than ten digits to cancellation.
constexpr double kFar = 1e6;
constexpr double kArmijo = 1e-4;
constexpr double kShortest = 1.0 / 4096;

void project(UnitSet set, Vector& z) {
  switch (set) {
    case UnitSet::ball: {
      const double length = norm(z);
      if (length > 1) z /= length;
      return;
    }
    case UnitSet::box: z = z.cwiseMax(-1).cwiseMin(1); return;
  }
}

}  // namespace

Vector furthest_along(UnitSet set, const Vector& g) {
  if (set == UnitSet::box) return g.cwiseSign();
  const double length = norm(g);
  return length > 0 ? Vector(g / length) : Vector::Zero(g.size());
}

Ascent projected_ascent(UnitSet set, const std::function<double(const Vector& z, Vector& g)>& f, Vector z,
                        Index iterations) {
  Ascent ascent;
  Vector g(z.size());
  Vector trial_g(z.size());
  Vector trial, d;
  double value = f(z, g);
  ascent.evaluations = 1;
  ascent.is_finite = std::isfinite(value) && all_finite(g);
  double step = 0;  // not known yet
  for (Index k = 0; k < iterations && ascent.is_finite; ++k) {
    const double longest = kFar / g.cwiseAbs().maxCoeff();
    if (!std::isfinite(longest)) break;
    step = step > 0 ? std::min(step, longest) : longest;
    d = z + step * g;
    project(set, d);
    d -= z;
    const double slope = dot(g, d);
    if (!(slope > 0)) break;
    double risen = value;
    bool rises = false;
    for (double t = 1; t >= kShortest && ascent.is_finite && !rises; t /= 2) {
      trial = z + t * d;
      project(set, trial);  // rounding may have left the set
      risen = f(trial, trial_g);
      ++ascent.evaluations;
      ascent.is_finite = std::isfinite(risen) && all_finite(trial_g);
      rises = risen >= value + kArmijo * t * slope;
    }
    if (ascent.is_finite && !rises) break;
    d = trial - z;
    // -f has the curvature -d'(g+ - g) / d'd along the step.
    const double curvature = dot(d, g) - dot(d, trial_g);
    step = curvature > 0 ? dot(d, d) / curvature : 0;
    std::swap(z, trial);
    std::swap(g, trial_g);
    const double gain = risen - value;
    value = risen;
    // A rise of nothing is no progress, and beyond a point that is not finite there is nothing to go by.
    if (!(gain > 0)) break;
  }
  ascent.z = std::move(z);
  ascent.value = value;
  return ascent;
}

}  // namespace hesse
