/// \file
/// Bundle adjustment in the large (Agarwal, Snavely, Seitz and Szeliski 2010): cameras, points and where the points
/// were seen, in the text format of that collection.
#pragma once

#include "hesse/core/types.h"

#include <string>
#include <vector>

namespace hesse {

/// One point seen in one image.
struct Observation {
  Index camera = 0;
  Index point = 0;
  double x = 0;  ///< pixels, from the centre of the image
  double y = 0;
};

/// Cameras, points and what the former saw of the latter.
struct BundleAdjustment {
  std::vector<Observation> observations;
  /// 9 x cameras: rotation as axis times angle, translation, focal length, two coefficients of radial distortion.
  Matrix cameras;
  Matrix points;  ///< 3 x points
};

/// Reads "cameras points observations", a line for each observation, then the numbers of cameras and points. Throws
/// Error with the place of the first number that is missing, no number, or no index.
BundleAdjustment read_bundle_adjustment(const std::string& path);

}  // namespace hesse
