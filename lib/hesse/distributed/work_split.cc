#include "hesse/distributed/work_split.h"

#include "hesse/core/parallel.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace hesse {
namespace {

constexpr std::size_t kNumber = sizeof(double);

std::size_t numbers_for(std::size_t bytes) { return (bytes + kNumber - 1) / kNumber; }

/// How many numbers the results of a task fill.
class Measure final : public Results {
 public:
  std::size_t numbers() const { return numbers_for(bytes_); }

 private:
  void bytes(void*, std::size_t n) override { bytes_ += n; }
  std::size_t bytes_ = 0;
};

/// Results to a message.
class Pack final : public Results {
 public:
  explicit Pack(double* to) : to_(reinterpret_cast<std::byte*>(to)) {}

 private:
  void bytes(void* first, std::size_t n) override {
    if (n > 0) std::memcpy(to_, first, n);
    to_ += n;
  }
  std::byte* to_;
};

/// And from one.
class Unpack final : public Results {
 public:
  explicit Unpack(const double* from) : from_(reinterpret_cast<const std::byte*>(from)) {}

 private:
  void bytes(void* first, std::size_t n) override {
    if (n > 0) std::memcpy(first, from_, n);
    from_ += n;
  }
  const std::byte* from_;
};

std::size_t length_of(SharedTasks& tasks, Index task) {
  Measure measure;
  tasks.show_results(task, measure);
  return measure.numbers();
}

}  // namespace

std::vector<int> owners_of(std::span<const double> costs, int ranks) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  std::vector<double> loads(static_cast<std::size_t>(ranks), 0.0);
  std::vector<int> owners(costs.size());
  for (const std::size_t task : order) {
    const auto least = std::min_element(loads.begin(), loads.end());
    owners[task] = static_cast<int>(least - loads.begin());
    *least += costs[task];
  }
  return owners;
}

double longest_share(std::span<const double> costs, int ranks) {
  const std::vector<int> owners = owners_of(costs, ranks);
  std::vector<double> loads(static_cast<std::size_t>(ranks), 0.0);
  for (std::size_t i = 0; i < costs.size(); ++i) loads[static_cast<std::size_t>(owners[i])] += costs[i];
  return *std::max_element(loads.begin(), loads.end());
}

void WorkSplit::share(Ranks& ranks, SharedTasks& tasks) {
  const Index count = tasks.count();
  costs_.clear();
  for (Index i = 0; i < count; ++i) costs_.push_back(tasks.cost(i));
  const double work = std::accumulate(costs_.begin(), costs_.end(), 0.0);
  if (ranks.size() == 1 || work <= least_work_) {
    parallel_for(count, [&](Index i) { tasks.run(i); });
    return;
  }
  const std::vector<int> owners = owners_of(costs_, ranks.size());
  ranks.together("shared work", fingerprint(costs_.data(), count, turn_++), [&] {
    mine_.clear();
    counts_.assign(static_cast<std::size_t>(ranks.size()), 0);
    for (Index i = 0; i < count; ++i) {
      const int owner = owners[static_cast<std::size_t>(i)];
      if (owner == ranks.rank()) mine_.push_back(i);
      counts_[static_cast<std::size_t>(owner)] += static_cast<Index>(length_of(tasks, i));
    }
    sent_.resize(static_cast<std::size_t>(counts_[static_cast<std::size_t>(ranks.rank())]));
    received_.resize(static_cast<std::size_t>(std::accumulate(counts_.begin(), counts_.end(), Index{0})));
    parallel_for(std::ssize(mine_), [&](Index i) { tasks.run(mine_[static_cast<std::size_t>(i)]); });
    double* to = sent_.data();
    for (const Index task : mine_) {
      Pack pack(to);
      tasks.show_results(task, pack);
      to += length_of(tasks, task);
    }
  });
  ranks.communicator().all_gather_parts(sent_.data(), counts_, received_.data());
  const double* from = received_.data();
  for (int rank = 0; rank < ranks.size(); ++rank) {
    for (Index i = 0; i < count; ++i) {
      if (owners[static_cast<std::size_t>(i)] != rank) continue;
      if (rank != ranks.rank()) {
        Unpack unpack(from);
        tasks.show_results(i, unpack);
      }
      from += length_of(tasks, i);
    }
  }
}

}  // namespace hesse
