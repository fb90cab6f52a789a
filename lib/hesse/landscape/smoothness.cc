#include "hesse/landscape/smoothness.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

Smoothness gradient_smoothness(Objective& f, const Vector& x, const SmoothnessOptions& options) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (!(options.longest_step >= 0) || !std::isfinite(options.longest_step) || options.points < 1) {
    fail("smoothness: {} points up to a step of {}; give at least 1 point, and a finite step >= 0", options.points,
         options.longest_step);
  }
  Smoothness out;
  for (double* const figure : {&out.least_value, &out.largest_value, &out.least_change, &out.largest_change,
                               &out.effective, &out.lipschitz, &out.at_point}) {
    *figure = kNaN;
  }
  Vector g0;
  const double f0 = f.value_and_gradient(x, g0);
  const double length = norm(g0);
  if (!(length > 0 && std::isfinite(length) && std::isfinite(f0))) {
    const std::string why = length == 0 ? "the gradient is 0 here, so it has no direction" : f.explain_non_finite(x);
    out.message = why.empty() ? "the loss or its gradient is not finite here" : why;
    return out;
  }
  Vector product(x.size());
  f.curvature(x, Curvature::hessian)->apply(g0, product);
  out.at_point = norm(product) / length;
  double longest = options.longest_step;
  if (longest == 0) longest = out.at_point > 0 && std::isfinite(out.at_point) ? 2 / out.at_point : 1.0;

  const Index count = options.points + 1;
  out.steps.resize(count);
  out.values.resize(count);
  out.gradient_changes.resize(count);
  out.gradient_norms.resize(count);
  out.steps[0] = 0;
  out.values[0] = out.least_value = out.largest_value = f0;
  out.gradient_changes[0] = 0;
  out.gradient_norms[0] = length;
  Vector before = g0;
  double before_step = 0;
  Vector point;
  Vector g;
  // Comparisons with NaN are false, so that the first finite figure takes its place.
  const auto raise = [](double& largest, double figure) { largest = largest >= figure ? largest : figure; };
  for (Index i = 1; i < count; ++i) {
    const double step = longest * static_cast<double>(i) / static_cast<double>(options.points);
    point = x - step * g0;
    out.steps[i] = step;
    out.values[i] = f.value_and_gradient(point, g);
    out.gradient_norms[i] = norm(g);
    if (!std::isfinite(out.values[i]) || !std::isfinite(out.gradient_norms[i])) {
      if (out.non_finite++ == 0) {
        const std::string why = f.explain_non_finite(point);
        out.message = fmt::format("the first at a step of {:.4g}{}{}", step, why.empty() ? "" : ": ", why);
      }
      out.values[i] = out.gradient_norms[i] = out.gradient_changes[i] = kNaN;
      continue;
    }
    const double change = distance(g, g0);
    out.gradient_changes[i] = change;
    out.least_value = std::min(out.least_value, out.values[i]);
    out.largest_value = std::max(out.largest_value, out.values[i]);
    out.least_change = out.least_change <= change ? out.least_change : change;
    raise(out.largest_change, change);
    raise(out.effective, change / (step * length));
    raise(out.lipschitz, distance(g, before) / ((step - before_step) * length));
    before.swap(g);
    before_step = step;
  }
  if (out.non_finite > 0) {
    out.message = fmt::format("{} of {} points are not finite, {}", out.non_finite, count, out.message);
  }
  return out;
}

}  // namespace hesse
