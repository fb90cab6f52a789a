#include "hesse/optim/second_order/direction.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

InnerLimits Direction::inner_limits(const Point& at) const {
  return {std::min(0.5, std::sqrt(at.gradient_norm)) * at.gradient_norm, 0};
}

bool LeastSquaresModel::all_finite() const {
  const auto finite = [](const double* values, Index count) {
    return hesse::all_finite(Eigen::Map<const Vector>(values, count));
  };
  return hesse::all_finite(residuals) &&
         (blocks != nullptr ? finite(blocks->values().data(), static_cast<Index>(blocks->values().size()))
                            : finite(jacobian->data(), jacobian->size()));
}

}  // namespace hesse
