/// \file
/// Euclidean projections on simple convex sets.
#pragma once

#include "hesse/core/types.h"

#include <functional>

namespace hesse {

/// Replaces a point by the nearest one of a convex set.
using Projection = std::function<void(Vector& x)>;

/// lower <= x <= upper, entry by entry. Throws Error when lower > upper somewhere.
Projection box_projection(Vector lower, Vector upper);
/// |x - centre| <= radius, radius > 0.
Projection ball_projection(Vector centre, double radius);
/// x >= 0 and sum x = total, total > 0 (Held, Wolfe and Crowder 1974). O(n log n).
Projection simplex_projection(double total = 1);
/// Consecutive blocks of `block` entries, each on the probability simplex. Throws Error, when used, on a length that is
/// no multiple of it.
Projection simplex_product_projection(Index block);

}  // namespace hesse
