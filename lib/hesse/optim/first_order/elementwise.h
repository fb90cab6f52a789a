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
