/// \file
/// Paths between two points of parameter space, and the loss along them.
///
///     segment   (1-t) A + t B                                (Goodfellow, Vinyals and Saxe 2015)
///     bezier    (1-t)^2 A + 2 t (1-t) theta + t^2 B          (Garipov et al. 2018, eq. 4)
///     polygon   A to theta for t <= 1/2, then theta to B     (Garipov et al. 2018, eq. 3)
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <string>

namespace hesse {

enum class PathKind { segment, bezier, polygon };
/// "segment", "bezier", "polygon".
const char* to_string(PathKind kind);

/// phi(t) = a A + bend theta + b B.
struct PathWeights {
  double a;
  double bend;
  double b;
};
PathWeights path_weights(PathKind kind, double t);

/// A curve in the space of parameters.
struct Path {
  PathKind kind = PathKind::segment;
  Vector A;
  Vector B;
  Vector theta;  ///< the bend; empty for a segment

  /// Writes phi(t), t in [0, 1]; A and B exactly at its ends.
  void point(double t, Vector& out) const;
  /// The length of the curve, in closed form; where a Bezier curve has nearly constant velocity, by Gauss's rule, which
  /// is then exact to rounding. Relative error below 1e-9.
  double length() const;
};

/// A height, and where on the path it was found.
struct Peak {
  double t = 0;
  double value = 0;
};

/// Where along a path the loss is evaluated.
struct ProfileOptions {
  Index points = 41;        ///< of the even grid, >= 3
  double tolerance = 1e-6;  ///< in t, at which the refinement of a peak ends, >= 1e-12
};

/// The loss along a path.
struct PathProfile {
  Vector t;
  Vector values;     ///< f(phi(t)); NaN where it is not finite
  Peak highest;      ///< max f: found on the grid and refined around it
  Peak barrier;      ///< max f(phi(t)) - ((1-t) f(A) + t f(B)), likewise; >= 0, since it is 0 at both ends
  double noise = 0;  ///< what rounding may move a value by: a barrier below it is none that can be told
  Index evaluations = 0;
  Index non_finite = 0;  ///< values that are not finite; peaks are of the others
  std::string message;   ///< how many they are, and what the objective says of the first
};

/// Evaluates f on an even grid of t and refines both peaks by golden-section search (Kiefer 1953) between the
/// neighbours of the grid's highest point, so that they do not hang on where the grid's points happen to lie: about 25
/// values a peak. Each is a lower bound of the true maximum, and equal to it where the grid resolves the path: a spike
/// narrower than its spacing can be missed. The barrier is that of Frankle, Dziugaite, Roy and Carbin (2020), section
/// 2, with the line between the losses of the ends in place of their mean where these differ. Peaks are NaN where an
/// end is not finite. Throws Error on sizes or options that are impossible.
PathProfile profile(Objective& f, const Path& path, const ProfileOptions& options = {});

}  // namespace hesse
