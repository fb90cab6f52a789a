#include "hesse/curvature/escape.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

bool escape(Objective& f, Vector& x, const CriticalPoint& point) {
  if (point.index == 0 || point.escape_directions.rows() != x.size()) return false;
  constexpr double kShare = 0.25;
  const auto v = point.escape_directions.col(0);
  const double start = f.value(x);
  const double rounding = 10 * f.value_noise() * std::abs(start);
  Vector trial(x.size());
  const auto value_at = [&](double t) {
    trial = x + t * v;
    return f.value(trial);
  };
  for (double t = std::max(1.0, norm(x)); t > 1e-12 * std::max(1.0, norm(x)); t *= 0.5) {
    double value = value_at(t);
    const double wanted = std::min(-rounding, kShare * 0.5 * point.least_eigenvalue * t * t);
    if (!(value - start <= wanted)) continue;
    // Where f falls for ever, 60 doublings show it well enough.
    for (int i = 0; i < 60; ++i) {
      const double farther = value_at(2 * t);
      if (!(farther < value)) break;
      value = farther;
      t *= 2;
    }
    x += t * v;
    return true;
  }
  return false;
}

}  // namespace hesse
