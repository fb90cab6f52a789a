#include "hesse/core/parallel.h"

#include "hesse/core/denormals.h"
#include "hesse/core/error.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hesse {
namespace {

int processors_available() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

thread_local bool inside_parallel_loop = false;

/// Workers wait for `generation_` to change, enter through the gate if it is still open, and take
/// tasks: first those of their own share, the same stretch of the list in every loop, so that what a thread wrote in
/// one loop is in its cache when it reads it in the next; then what is left of the others'. The caller never waits for
/// a worker that has not entered: on a busy machine one may be woken long after the loop has ended, and then finds the
/// gate closed.
class Pool {
 public:
  explicit Pool(int n) {
    shares_ = std::vector<Share>(static_cast<std::size_t>(n));
    for (int i = 1; i < n; ++i) workers_.emplace_back([this, i](const std::stop_token& stop) { work(stop, i); });
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    for (auto& worker : workers_) worker.request_stop();
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }

  int size() const { return static_cast<int>(shares_.size()); }

  /// `positions`, if any, ascends from 0 to below 1: where in the data the tasks lie.
  void run(Index tasks, void (*call)(void*, Index), void* context, const double* positions) {
    const std::lock_guard lock(mutex_);
    call_ = call;
    context_ = context;
    mode_ = floating_point_mode();
    error_ = nullptr;
    error_task_ = std::numeric_limits<Index>::max();
    Index begin = 0;
    for (int i = 0; i < size(); ++i) {
      const double share = static_cast<double>(i + 1) / size();
      const Index end = i + 1 == size() ? tasks
                        : positions     ? std::lower_bound(positions, positions + tasks, share) - positions
                                        : (i + 1) * tasks / size();
      Share& own = shares_[static_cast<std::size_t>(i)];
      own.next.store(begin, std::memory_order_relaxed);
      own.end = end;
      begin = end;
    }
    gate_.store(kOpen, std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    take_tasks(0);
    gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
    for (int spin = 0; gate_.load(std::memory_order_acquire) != 0; ++spin) {
      if (spin < 4000) {
        relax();
      } else {
        std::this_thread::yield();  // more threads than processors: let the others run
      }
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void take_tasks(int thread) {
    inside_parallel_loop = true;
    for (int i = 0; i < size(); ++i) {
      Share& share = shares_[static_cast<std::size_t>((thread + i) % size())];
      for (;;) {
        const Index task = share.next.fetch_add(1, std::memory_order_relaxed);
        if (task >= share.end) break;
        try {
          call_(context_, task);
        } catch (...) {
          const std::lock_guard lock(error_mutex_);
          if (task < error_task_) {
            error_task_ = task;
            error_ = std::current_exception();
          }
        }
      }
    }
    inside_parallel_loop = false;
  }

  /// Joins the loop that is under way, if there is one.
  bool enter() {
    std::uint32_t gate = gate_.load(std::memory_order_acquire);
    while ((gate & kOpen) != 0) {
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        return true;
    }
    return false;
  }

  void work(const std::stop_token& stop, int thread) {
    std::uint64_t seen = 0;
    std::uint64_t mode = floating_point_mode();
    for (;;) {
      // About 50 microseconds of spinning cover the serial stretches inside a training step.
      for (int spin = 0; spin < 2000 && generation_.load(std::memory_order_acquire) == seen; ++spin) relax();
      generation_.wait(seen, std::memory_order_acquire);
      if (stop.stop_requested()) return;
      seen = generation_.load(std::memory_order_acquire);
      if (!enter()) continue;
      // The bits of a task must not depend on the thread that runs it.
      if (mode_ != mode) set_floating_point_mode(mode = mode_);
      take_tasks(thread);
      gate_.fetch_sub(1, std::memory_order_release);
    }
  }

  static constexpr std::uint32_t kOpen = 1U << 31U;
  std::mutex mutex_;
  void (*call_)(void*, Index) = nullptr;
  void* context_ = nullptr;
  std::uint64_t mode_ = 0;  // the caller's floating-point mode
  struct alignas(64) Share {
    std::atomic<Index> next{0};
    Index end = 0;
  };
  std::vector<Share> shares_;           // one for each thread
  std::atomic<std::uint32_t> gate_{0};  // whether a loop is open, and how many workers are inside
  std::atomic<std::uint64_t> generation_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  Index error_task_ = 0;
  std::vector<std::jthread> workers_;  // last: joined before the fields above are destroyed
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> instance = std::make_unique<Pool>(processors_available());
  return instance;
}

}  // namespace

int threads() { return pool()->size(); }

void set_threads(int n) {
  if (n < 1) fail("threads: {} is not possible; give a whole number >= 1", n);
  if (inside_parallel_loop) fail("threads: the number of threads cannot change inside a parallel loop");
  if (n != pool()->size()) pool() = std::make_unique<Pool>(n);
}

void detail::run_tasks(Index tasks, void (*call)(void*, Index), void* context, const double* positions) {
  if (inside_parallel_loop || tasks <= 1 || pool()->size() == 1) {
    for (Index task = 0; task < tasks; ++task) call(context, task);
    return;
  }
  pool()->run(tasks, call, context, positions);
}

}  // namespace hesse
