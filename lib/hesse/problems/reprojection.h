/// \file
/// The error of a point's image in a pinhole camera with radial distortion, as bundle adjustment in the large has it
/// (Agarwal, Snavely, Seitz and Szeliski 2010):
///
///     P = R(w) X + t,   p = -(P_x, P_y) / P_z,   image = f (1 + k1 |p|^2 + k2 |p|^4) p
///
/// with the camera (w, t, f, k1, k2), 9 numbers, and R by Rodrigues' formula. Residuals are image minus observation, in
/// pixels.
#pragma once

#include "hesse/data/bundle_adjustment.h"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace hesse {

struct Reprojection {
  static constexpr int kResiduals = 2;
  static constexpr std::array<int, 2> kVariables = {9, 3};

  std::vector<Observation> observations;

  template <class T>
  void operator()(Index k, const T* const* x, T* r) const {
    using std::cos;
    using std::sin;
    using std::sqrt;
    const Observation& seen = observations[static_cast<std::size_t>(k)];
    const T* const camera = x[0];
    const T* const X = x[1];
    const T angle_squared = camera[0] * camera[0] + camera[1] * camera[1] + camera[2] * camera[2];
    const std::array<T, 3> cross = {camera[1] * X[2] - camera[2] * X[1], camera[2] * X[0] - camera[0] * X[2],
                                    camera[0] * X[1] - camera[1] * X[0]};
    std::array<T, 3> P;
    if (angle_squared > T(0.0)) {
      // R X = cos X + sin / angle (w x X) + (1 - cos) / angle^2 (w'X) w.
      const T angle = sqrt(angle_squared);
      const T cosine = cos(angle);
      const T along = (camera[0] * X[0] + camera[1] * X[1] + camera[2] * X[2]) * (1.0 - cosine) / angle_squared;
      const T across = sin(angle) / angle;
      for (std::size_t i = 0; i < 3; ++i) P[i] = cosine * X[i] + across * cross[i] + along * camera[i];
    } else {
      // To first order, which is exact in value and first derivatives at w = 0, where the root has none.
      for (std::size_t i = 0; i < 3; ++i) P[i] = X[i] + cross[i];
    }
    for (std::size_t i = 0; i < 3; ++i) P[i] = P[i] + camera[3 + i];
    const T px = -P[0] / P[2];
    const T py = -P[1] / P[2];
    const T square = px * px + py * py;
    const T scale = camera[6] * (1.0 + square * (camera[7] + camera[8] * square));
    r[0] = scale * px - seen.x;
    r[1] = scale * py - seen.y;
  }
};

}  // namespace hesse
