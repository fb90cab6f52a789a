#include "hesse/optim/globalization/rounding_watch.h"

#include "hesse/core/vector_ops.h"

namespace hesse {

double trapezoid_decrease(const Vector& g, const Vector& g_new, const Vector& s) {
  return -0.5 * (dot(g, s) + dot(g_new, s));
}

void RoundingWatch::saw(bool unresolved, double gradient_before, double gradient_after, double f) {
  value_ = f;
  if (!unresolved) {
    least_ = 0;
    stale_ = 0;
    return;
  }
  if (least_ == 0) least_ = gradient_before;
  if (gradient_after <= 0.5 * least_) {
    least_ = gradient_after;
    stale_ = 0;
  } else {
    ++stale_;
  }
}

}  // namespace hesse
