/// \file
/// The update of a first-order method as one pass over its vectors.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/optimizer.h"

#include <cmath>

namespace hesse {

/// Entries that one task updates.
constexpr Index kUpdateBlock = 8192;

/// Entries of a step that wait in a buffer for their squares to be summed: a loop with a sum inside
/// would not vectorise, since sums may not be reordered.
constexpr Index kStepBuffer = 256;

/// Entries of a step until their squares are summed.
struct StepBuffer {
  static constexpr Index kLanes = 8;  ///< independent sums, so that summing vectorises
  double entries[kStepBuffer];
  double sums[kLanes] = {};

  void add_squares(Index size) {
    for (Index j = size; j % kLanes != 0; ++j) entries[j] = 0;
    for (Index j = 0; j < size; j += kLanes) {
      for (Index l = 0; l < kLanes; ++l) sums[l] += entries[j + l] * entries[j + l];
    }
  }
  double total() const {
    double sum = 0;
    for (const double s : sums) sum += s;
    return sum;
  }
};

/// x += s with s = entry(i) for i in [0, n), and returns |s|^2. `entry` may write entry i of the method's own vectors,
/// none of which overlap. Inlined, so that it is compiled for whatever its caller is compiled for.
template <class Entry>
[[gnu::always_inline]] inline double update_entries(Index n, double* x, const Entry& entry) {
  StepBuffer step;
  for (Index begin = 0; begin < n; begin += kStepBuffer) {
    const Index size = std::min(kStepBuffer, n - begin);
#pragma GCC ivdep
    for (Index j = 0; j < size; ++j) {
      const Index i = begin + j;
      const double s = entry(i);
      x[i] += s;
      step.entries[j] = s;
    }
    step.add_squares(size);
  }
  return step.total();
}

/// Calls update(begin, size) on fixed blocks of [0, n), in parallel; `update` returns the square of
/// the step it made there. Returns the norm of the whole step.
template <class Update>
double update_blocks(Index n, const Update& update) {
  return std::sqrt(blocked_sum(n, kUpdateBlock, update));
}

/// Evaluates value and gradient at x into the report. False, with the status set, when they are not
/// finite.
inline bool evaluate_gradient(Objective& f, const Vector& x, Vector& g, StepReport& report) {
  report.value = f.value_and_gradient(x, g);
  report.gradient_norm = norm(g);
  if (std::isfinite(report.value) && std::isfinite(report.gradient_norm)) return true;
  report.status = StepStatus::non_finite;
  return false;
}

}  // namespace hesse
