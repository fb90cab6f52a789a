/// \file
/// Leaving a stationary point that is no minimum: along a direction v of negative curvature, v'Hv = lambda < 0 and g'v
/// <= 0, f falls at least as fast as lambda t^2 / 2 to second order (More and Sorensen 1979; Goldfarb 1980).
#pragma once

#include "hesse/curvature/critical_point.h"
#include "hesse/objective/objective.h"

namespace hesse {

/// Moves x along the first of point.escape_directions to where f(x + t v) <= f(x) + share lambda t^2 / 2, share = 1/4,
/// by halving t from max(1, |x|), and then on, doubling, for as long as f falls. Costs values alone. False, and x
/// unchanged, when the point has no direction of negative curvature or no step lowers f beyond its rounding.
bool escape(Objective& f, Vector& x, const CriticalPoint& point);

}  // namespace hesse
