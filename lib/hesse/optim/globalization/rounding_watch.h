/// \file
/// Progress below the rounding of f, seen by gradients.
#pragma once

#include "hesse/core/types.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

/// f(x) - f(x + s) by the trapezoid rule on the gradients at both ends, -1/2 (g + g_new)'s, up to O(|s|^3).
double trapezoid_decrease(const Vector& g, const Vector& g_new, const Vector& s);

/// Knows when steps below the rounding of f have stopped making progress.
class RoundingWatch {
 public:
  /// True at the point of value f that the last step led to, when steps up to it were below rounding and the gradient
  /// has stopped falling.
  bool ended(double f) const { return stale_ >= kPatience && f == value_; }
  /// Told of each accepted step: whether it was below rounding, |g| before and after, and f after it.
  void saw(bool unresolved, double gradient_before, double gradient_after, double f);
  StateView state() {
    return {{"unresolved_gradient", &least_}, {"unresolved_steps", &stale_}, {"unresolved_value", &value_}};
  }

 private:
  // A linear rate of 0.94 still halves the gradient in this many steps.
  static constexpr std::int64_t kPatience = 12;
  double least_ = 0;
  std::int64_t stale_ = 0;
  double value_ = 0;
};

}  // namespace hesse
