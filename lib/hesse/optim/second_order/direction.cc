#include "hesse/optim/second_order/direction.h"

#include <algorithm>
#include <cmath>

namespace hesse {

InnerLimits Direction::inner_limits(const Point& at) const {
  return {std::min(0.5, std::sqrt(at.gradient_norm)) * at.gradient_norm, 0};
}

}  // namespace hesse
