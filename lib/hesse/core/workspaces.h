/// \file
/// Workspaces for the tasks of a parallel loop: as many as threads, lent to one task at a time. What a task finds in
/// its workspace is arbitrary, so results may not depend on it.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/core/types.h"

#include <atomic>
#include <deque>
#include <vector>

namespace hesse {

/// n numbers in storage that only grows: who works on several sizes in turn allocates for the largest alone. What it
/// holds at first is arbitrary.
inline Eigen::Map<Vector> vector_in(std::vector<double>& storage, Index n) {
  const auto entries = static_cast<std::size_t>(n);
  if (storage.size() < entries) storage.resize(entries);
  return {storage.data(), n};
}
/// The same as a matrix.
inline Eigen::Map<Matrix> matrix_in(std::vector<double>& storage, Index rows, Index columns) {
  return {vector_in(storage, rows * columns).data(), rows, columns};
}

/// Resizes a matrix or vector of Eigen, whose numbers are arbitrary then. Emptied first: Eigen frees what there is
/// before it allocates, and where that fails would free it again.
template <class EigenMatrix>
void resize_afresh(EigenMatrix& matrix, Index rows, Index columns = 1) {
  matrix.resize(0, EigenMatrix::ColsAtCompileTime == 1 ? 1 : 0);
  matrix.resize(rows, columns);
}
/// Grows a vector of Eigen to n numbers, arbitrary then, and never shrinks it.
template <class T>
void grow(Eigen::Matrix<T, Eigen::Dynamic, 1>& buffer, Index n) {
  if (buffer.size() < n) resize_afresh(buffer, n);
}

/// A pool of workspaces, one for each thread that asks at once.
template <class Workspace>
class Workspaces {
  struct Slot;

 public:
  /// A workspace for as long as this lives.
  class Lease {
   public:
    explicit Lease(Workspaces& owner) : slot_(owner.take()) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { slot_.taken.clear(std::memory_order_release); }
    Workspace& operator*() { return slot_.workspace; }
    Workspace* operator->() { return &slot_.workspace; }

   private:
    Slot& slot_;
  };

  /// Makes one for each thread that there is now and calls prepare(workspace) on those that are new. Outside of
  /// parallel loops.
  template <class Prepare>
  void reserve(Prepare&& prepare) {
    while (static_cast<int>(slots_.size()) < threads()) {
      slots_.emplace_back();
      prepare(slots_.back().workspace);
    }
  }
  void clear() { slots_.clear(); }

  /// One that no other task holds, until the lease ends. Allocates nothing.
  Lease lease() { return Lease(*this); }

 private:
  struct Slot {
    std::atomic_flag taken = ATOMIC_FLAG_INIT;
    Workspace workspace;
  };

  Slot& take() {
    // There are at least as many as threads: some slot is free, though another task may take the one just seen.
    for (;;) {
      for (Slot& slot : slots_) {
        if (!slot.taken.test_and_set(std::memory_order_acquire)) return slot;
      }
    }
  }

  std::deque<Slot> slots_;
};

}  // namespace hesse
