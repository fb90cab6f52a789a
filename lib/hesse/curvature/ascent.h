/// \file
/// Ascent over a ball or a box, by spectral projected gradients (Birgin, Martinez and Raydan 2000, SPG1 with a monotone
/// line search): d = P(z + a g) - z, P the projection and a the step of Barzilai and Borwein (1988), and z + t d with
/// Armijo's rule.
///
/// Where f curves upwards along the last step that step has no minimiser and a is as large as it may be: P(z + a g) is
/// then the point of the set that lies furthest along g, a corner of the box or g / |g| in the ball. On a convex
/// quadratic over the ball that is the power method.
///
/// Whatever it returns is in the set, so that its value is a lower bound of the maximum. It is the maximum where f is
/// concave; to maximise a convex function over a box is NP-hard, and no method of a few gradients does.
#pragma once

#include "hesse/core/types.h"

#include <functional>

namespace hesse {

/// The set over which is maximised.
enum class UnitSet {
  ball,  ///< |z|_2 <= 1
  box,   ///< |z_i| <= 1
};

/// The point of the set that lies furthest along g: g / |g| or sign(g); 0 where g is.
Vector furthest_along(UnitSet set, const Vector& g);

/// Where ascent has ended.
struct Ascent {
  Vector z;
  double value = 0;       ///< f(z)
  Index evaluations = 0;  ///< values with gradients
  bool is_finite = true;  ///< false when f or its gradient at z was not: what is left of the set was not searched
};

/// From z, in the set, at most `iterations` steps. `f` returns the value and writes the gradient, resized by the caller
/// to that of z. Stops early where no step rises. Costs one value with gradient an iteration, and one for each halving.
Ascent projected_ascent(UnitSet set, const std::function<double(const Vector& z, Vector& g)>& f, Vector z,
                        Index iterations);

}  // namespace hesse
