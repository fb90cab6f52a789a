/// \file
/// The one way to use threads in Hesse: a fixed list of independent tasks, handed out to a pool.
///
/// Results never depend on the number of threads because the *tasks* are fixed by the sizes of the
/// data alone and each task writes only its own output; whoever sums the outputs does so in task
/// order. The pool's threads spin for some microseconds before they sleep, since two loops of a
/// training step follow each other at once.
#pragma once

#include "hesse/core/types.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace hesse {

/// Number of threads that parallel loops use, the caller included. Starts as the number of
/// processors that the process may run on.
int threads();

/// Sets it (>= 1) and pins BLAS to one thread, since a product's bits may depend on how BLAS would
/// split it. Must not be called from inside a parallel loop. Throws Error when n < 1.
void set_threads(int n);

namespace detail {
void run_tasks(Index tasks, void (*call)(void*, Index), void* context, const double* positions);
}

/// Calls body(i) once for each i in [0, tasks), in any order and on any thread, and returns when all
/// are done, all in the caller's floating-point mode. Allocates nothing. Inside another parallel loop it runs in order
/// on the calling thread. An exception thrown by a task is rethrown here after the others have ended (the one of
/// the lowest task, so that even this is deterministic).
///
/// A thread starts with its share of the list, the same stretch in every loop: tasks in the order of the
/// data they write find it in their thread's cache. Where they differ in size, `positions` (one for
/// each task, ascending in [0, 1)) tells where in the data they lie.
template <class Body>
void parallel_for(Index tasks, Body&& body, const double* positions = nullptr) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_tasks(
      tasks, [](void* context, Index task) { (*static_cast<Plain*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(&body)), positions);
}

/// The half-open range of entries that task `task` of `blocks(n, block)` owns.
struct Range {
  Index begin;
  Index end;
  Index size() const { return end - begin; }
};

constexpr Index block_count(Index n, Index block) { return (n + block - 1) / block; }
constexpr Range block_range(Index n, Index block, Index task) {
  return {task * block, (task + 1) * block < n ? (task + 1) * block : n};
}

/// The sum of body(begin, size) over fixed blocks of [0, n), each of at least `least_block` entries, run
/// in parallel and added in order. At most 512 blocks, so that their sums fit on the stack.
template <class Body>
double blocked_sum(Index n, Index least_block, const Body& body) {
  constexpr Index kMaxBlocks = 512;
  const Index block = std::max(least_block, block_count(n, kMaxBlocks));
  const Index blocks = block_count(n, block);
  if (blocks <= 1) return n > 0 ? body(Index{0}, n) : 0.0;
  std::array<double, kMaxBlocks> sums;
  parallel_for(blocks, [&](Index task) {
    const Range r = block_range(n, block, task);
    sums[static_cast<std::size_t>(task)] = body(r.begin, r.size());
  });
  double total = 0;
  for (Index i = 0; i < blocks; ++i) total += sums[static_cast<std::size_t>(i)];
  return total;
}

}  // namespace hesse
