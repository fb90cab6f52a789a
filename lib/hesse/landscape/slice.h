/// \file
/// A slice of a loss: its values on a line or a plane through a point, beside those of its quadratic model there.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <string>

namespace hesse {

/// Evenly spaced coordinates along a direction, both ends among them.
struct Axis {
  double low = -1;
  double high = 1;    ///< > low
  Index points = 41;  ///< >= 2; where the axis is symmetric, an odd number has the point itself among them
  double at(Index i) const;
};

/// f + a g'u + b g'v + 1/2 (a^2 u'Hu + 2 a b u'Hv + b^2 v'Hv) with the exact gradient and Hessian at the point:
/// Taylor's polynomial, whose error is of third order.
struct QuadraticModel {
  double value = 0;   ///< f
  Vector slopes;      ///< g'u, g'v
  Matrix curvatures;  ///< u'Hu, u'Hv; v'Hu, v'Hv
  double operator()(const Vector& coordinates) const;
};

/// The grid of a slice.
struct SliceOptions {
  Axis a;
  Axis b;                  ///< of a second direction; ignored where there is one
  bool gradients = false;  ///< the norm of the gradient at every point too
};

/// The loss on a line or a plane through a point.
struct Slice {
  Vector a;                  ///< coordinates along u
  Vector b;                  ///< along v; a single 0 where there is one direction
  Matrix values;             ///< f(x + a_i u + b_j v); NaN where it is not finite
  Matrix model_values;       ///< of the model
  Matrix gradient_norms;     ///< |g|_2, all n entries of it; empty unless asked for
  QuadraticModel model;      ///< NaN where f, g or a product at x is not finite
  double largest_error = 0;  ///< max |f - model| over the points where both are finite; NaN where there is none
  double largest_error_a = 0;
  double largest_error_b = 0;
  /// Least finite value on the grid, and at x itself where the axes hold 0, be it a point of the grid or not; NaN where
  /// there is none. Below model.value, x is no minimum.
  double least = 0;
  double least_a = 0;
  double least_b = 0;
  Index non_finite = 0;  ///< values that are not finite
  std::string message;   ///< how many they are, and what the objective says of the first
};

/// Evaluates f on the grid, on its selected samples. `directions` is n x 1 or n x 2, of any lengths and angle; each
/// point is x + a u + b v at once, so that errors do not add up along the grid. Costs a value (or a value with
/// gradient) a point, and for the model a gradient and one product a direction. Throws Error on other sizes and on
/// impossible axes.
Slice slice(Objective& f, const Vector& x, const Matrix& directions, const SliceOptions& options = {});

}  // namespace hesse
