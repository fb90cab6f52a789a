#include "hesse/objective/analytic.h"

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hesse {
namespace {

/// The three real roots of x^3 + p x + q, p < 0, ascending (Viete's trigonometric form, then Newton's
/// iteration to the last bit).
Vector cubic_roots(double p, double q) {
  Vector roots(3);
  const double radius = 2 * std::sqrt(-p / 3);
  const double angle = std::acos(3 * q / (p * radius)) / 3;
  for (int k = 0; k < 3; ++k) {
    double x = radius * std::cos(angle - 2 * std::numbers::pi * (k + 1) / 3);
    for (int i = 0; i < 3; ++i) x -= (x * x * x + p * x + q) / (3 * x * x + p);
    roots[k] = x;
  }
  std::sort(roots.begin(), roots.end());
  return roots;
}

}  // namespace

std::vector<Vector> himmelblau_minimisers() {
  // Newton's iteration on (x^2 + y - 11, x + y^2 - 7) from the published four digits.
  std::vector<Vector> minimisers;
  for (const auto& [x0, y0] :
       {std::pair{3.0, 2.0}, std::pair{-2.8051, 3.1313}, std::pair{-3.7793, -3.2832}, std::pair{3.5844, -1.8481}}) {
    Eigen::Vector2d z(x0, y0);
    for (int i = 0; i < 6; ++i) {
      const Eigen::Vector2d r(z[0] * z[0] + z[1] - 11, z[0] + z[1] * z[1] - 7);
      Eigen::Matrix2d J;
      J << 2 * z[0], 1, 1, 2 * z[1];
      z -= J.inverse() * r;
    }
    minimisers.emplace_back(z);
  }
  return minimisers;
}

Vector double_well_stationary_points() { return cubic_roots(-2.0, 0.25); }

Vector styblinski_tang_stationary_points() { return cubic_roots(-8.0, 1.25); }

}  // namespace hesse
