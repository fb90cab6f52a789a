#include "hesse/optim/globalization/along_line.h"

#include <cmath>
#include <limits>

namespace hesse {

double descent_direction(Direction& direction, const Point& at, Vector& d, StepReport& report) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const DirectionReport found = direction.direction(at, d);
    report.inner_iterations += found.inner_iterations;
    if (!found.finite || !all_finite(d)) return std::numeric_limits<double>::quiet_NaN();
    const double slope = dot(at.g, d);
    if (slope < 0 && std::isfinite(slope)) return slope;
    if (!direction.forget()) break;
  }
  d = -at.g;
  return -at.gradient_norm * at.gradient_norm;
}

std::string line_search_misfit(const Direction& direction) {
  return direction.suits_line_search()
             ? std::string()
             : "line search: the direction's matrix may be indefinite and is not inverted; use "
               "trust-region or cubic";
}

StepStatus step_status(LineSearchStatus status) {
  switch (status) {
    case LineSearchStatus::strong_wolfe:
    case LineSearchStatus::wolfe:
    case LineSearchStatus::armijo:
    case LineSearchStatus::approximate_wolfe: return StepStatus::ok;
    case LineSearchStatus::at_rounding: return StepStatus::line_search_at_rounding;
    case LineSearchStatus::non_finite: return StepStatus::non_finite;
    default: return StepStatus::line_search_failed;
  }
}

}  // namespace hesse
