/// \file
/// Work that is no sum over samples and that every process of a run would do alike: the inverse of a layer's factor,
/// the root of a block's statistics. An objective whose samples are shared among processes can share such tasks too,
/// each being done by one of them and its results given to all:
///
///     share_work(find<WorkSharing>(f), factors.size(),
///                [&](Index i) { return cubic(factors[i].rows(), 10); },  // what it costs, in flops
///                [&](Index i) { invert(factors[i], inverses[i]); },      // the task
///                [&](Index i, Results& r) { r.add(inverses[i]); });      // what it writes
///
/// A method written so has the same bits on any number of processes, and knows of none.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/core/types.h"

#include <cstddef>
#include <type_traits>

namespace hesse {

/// Is shown where the results of a task lie. Their lengths are the same on every process, whatever the task comes to:
/// results that a task leaves as they were count as results.
class Results {
 public:
  virtual ~Results() = default;

  void add(Matrix& numbers) { add(numbers.data(), numbers.size()); }
  void add(Vector& numbers) { add(numbers.data(), numbers.size()); }
  /// n plain values, one after the other.
  template <class T>
  void add(T* first, Index n) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes(first, static_cast<std::size_t>(n) * sizeof(T));
  }
  /// A plain value, such as the report of a task.
  template <class T>
  void add(T& value) {
    add(&value, 1);
  }

 private:
  virtual void bytes(void* first, std::size_t n) = 0;
};

/// Tasks that can run in any order and at the same time, the same ones on every process.
class SharedTasks {
 public:
  virtual ~SharedTasks() = default;
  virtual Index count() const = 0;
  /// In flops, the same number on every process: what decides who does it.
  virtual double cost(Index task) const = 0;
  virtual void run(Index task) = 0;
  virtual void show_results(Index task, Results& results) = 0;
};

/// Implemented beside Objective by one whose processes share work.
class WorkSharing {
 public:
  virtual ~WorkSharing() = default;

  /// Runs every task on at least one process; returns when all processes have the results of all tasks, each with the
  /// bits of whoever ran it. An error of one task is thrown on all processes, and leaves results that differ among
  /// them.
  virtual void share(SharedTasks& tasks) = 0;
};

/// The cost of a task on a matrix of size n: `each` n^3 flops.
inline double cubic(Index n, double each) {
  const auto size = static_cast<double>(n);
  return each * size * size * size;
}

namespace detail {

template <class Cost, class Run, class Show>
class TasksOf final : public SharedTasks {
 public:
  TasksOf(Index n, const Cost& cost_of, const Run& body, const Show& shower)
      : n_(n), cost_(cost_of), run_(body), show_(shower) {}
  Index count() const override { return n_; }
  double cost(Index task) const override { return cost_(task); }
  void run(Index task) override { run_(task); }
  void show_results(Index task, Results& results) override { show_(task, results); }

 private:
  Index n_;
  const Cost& cost_;
  const Run& run_;
  const Show& show_;
};

}  // namespace detail

/// Runs run(i) for i in [0, count) by `where`, of which cost(i) and show(i, results) say what SharedTasks does, or,
/// where that is null, all of them in this process, which allocates nothing.
template <class Cost, class Run, class Show>
void share_work(WorkSharing* where, Index count, const Cost& cost, const Run& run, const Show& show) {
  if (where == nullptr) {
    parallel_for(count, run);
    return;
  }
  detail::TasksOf<Cost, Run, Show> tasks(count, cost, run, show);
  where->share(tasks);
}

}  // namespace hesse
