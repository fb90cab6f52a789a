/// \file
/// The update of a first-order method as one pass over its vectors.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hesse {

/// Entries that one task updates.
constexpr Index kUpdateBlock = 8192;

/// Entries of a step that wait in a buffer for their squares to be summed: a loop with a sum inside
/// would not vectorise, since sums may not be reordered.
constexpr Index kStepBuffer = 256;

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

/// Calls update(begin, size) on fixed blocks of [0, n), in parallel; `update` returns the square of
/// the step it made there. Returns the norm of the whole step.
template <class Update>
double update_blocks(Index n, const Update& update) {
  // A block longer than kUpdateBlock keeps the number of partial sums bounded.
  constexpr Index kMaxBlocks = 512;
  const Index block = std::max(kUpdateBlock, block_count(n, kMaxBlocks));
  const Index blocks = block_count(n, block);
  std::array<double, kMaxBlocks> squares;
  parallel_for(blocks, [&](Index task) {
    const Range r = block_range(n, block, task);
    squares[static_cast<std::size_t>(task)] = update(r.begin, r.size());
  });
  double sum = 0;
  for (Index i = 0; i < blocks; ++i) sum += squares[static_cast<std::size_t>(i)];
  return std::sqrt(sum);
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
