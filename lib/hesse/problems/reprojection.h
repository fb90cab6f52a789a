/// \file
/// The error of a point's image in a pinhole camera with radial distortion, as bundle adjustment in the large has it
/// (Agarwal, Snavely, Seitz and Szeliski 2010):
///
///     P = R(w) X + t,   p = -(P_x, P_y) / P_z,   image = f (1 + k1 |p|^2 + k2 |p|^4) p
///
/// with the camera (w, t, f, k1, k2), 9 numbers, and R by Rodrigues' formula,
///
///     R X = cos(a) X + sin(a) / a (w x X) + (1 - cos(a)) / a^2 (w'X) w,   a = |w|
///
/// whose three coefficients are analytic in a^2. Residuals are image minus observation, in pixels.
#pragma once

#include "hesse/data/bundle_adjustment.h"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace hesse {

/// cos(a), sin(a) / a and (1 - cos(a)) / a^2 from a^2 >= 0, with first and second derivatives to working precision
/// everywhere: below a^2 = 1, where the formulas cancel and at 0 have no derivative, from their power series.
template <class T>
std::array<T, 3> rotation_coefficients(const T& angle_squared) {
  using std::cos;
  using std::sin;
  using std::sqrt;
  if (angle_squared < T(1.0)) {
    // sum (-a^2)^n / (2 n + 1)! and sum (-a^2)^n / (2 n + 2)!. What n = 11 would add to a second derivative is below
    // 1e-19.
    constexpr int kLast = 10;
    constexpr auto kInverseFactorials = [] {
      std::array<double, 2 * kLast + 3> all{1};
      for (std::size_t i = 1; i < all.size(); ++i) all[i] = all[i - 1] / static_cast<double>(i);
      return all;
    }();
    T across(kInverseFactorials[2 * kLast + 1]);
    T along(kInverseFactorials[2 * kLast + 2]);
    for (std::size_t n = kLast; n-- > 0;) {
      across = kInverseFactorials[2 * n + 1] - angle_squared * across;
      along = kInverseFactorials[2 * n + 2] - angle_squared * along;
    }
    return {1.0 - angle_squared * along, across, along};
  }
  const T angle = sqrt(angle_squared);
  const T cosine = cos(angle);
  return {cosine, sin(angle) / angle, (1.0 - cosine) / angle_squared};
}

/// Where cameras see points less where they were seen: two residuals an observation.
struct Reprojection {
  static constexpr int kResiduals = 2;
  static constexpr std::array<int, 2> kVariables = {9, 3};

  std::vector<Observation> observations;

  template <class T>
  void operator()(Index k, const T* const* x, T* r) const {
    const Observation& seen = observations[static_cast<std::size_t>(k)];
    const T* const camera = x[0];
    const T* const X = x[1];
    const T angle_squared = camera[0] * camera[0] + camera[1] * camera[1] + camera[2] * camera[2];
    const std::array<T, 3> cross = {camera[1] * X[2] - camera[2] * X[1], camera[2] * X[0] - camera[0] * X[2],
                                    camera[0] * X[1] - camera[1] * X[0]};
    const auto [cosine, across, along] = rotation_coefficients(angle_squared);
    const T product = along * (camera[0] * X[0] + camera[1] * X[1] + camera[2] * X[2]);
    std::array<T, 3> P;
    for (std::size_t i = 0; i < 3; ++i) {
      P[i] = cosine * X[i] + across * cross[i] + product * camera[i] + camera[3 + i];
    }
    const T px = -P[0] / P[2];
    const T py = -P[1] / P[2];
    const T square = px * px + py * py;
    const T scale = camera[6] * (1.0 + square * (camera[7] + camera[8] * square));
    r[0] = scale * px - seen.x;
    r[1] = scale * py - seen.y;
  }
};

}  // namespace hesse
