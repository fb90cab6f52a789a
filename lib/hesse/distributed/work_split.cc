#include "hesse/distributed/work_split.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace hesse {
namespace {

constexpr std::size_t kNumber = sizeof(double);

/// How many numbers the results of a task fill.
class Measure final : public Results {
 public:
  Index numbers() const { return static_cast<Index>((bytes_ + kNumber - 1) / kNumber); }

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

Index length_of(SharedTasks& tasks, Index task) {
  Measure measure;
  tasks.show_results(task, measure);
  return measure.numbers();
}

Index overlap(Range a, Range b) { return std::max<Index>(0, std::min(a.end, b.end) - std::max(a.begin, b.begin)); }

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
  const int R = ranks.size();
  const std::vector<int> owners = owners_of(costs_, R);
  const auto owner_of = [&](Index task) { return owners[static_cast<std::size_t>(task)]; };
  ranks.together("shared work", fingerprint(costs_.data(), count, turn_++), [&] {
    mine_.clear();
    std::vector<Index> ends(static_cast<std::size_t>(R), 0);  // of the ranks' results, one after the other
    for (Index i = 0; i < count; ++i) {
      if (owner_of(i) == ranks.rank()) mine_.push_back(i);
      ends[static_cast<std::size_t>(owner_of(i))] += length_of(tasks, i);
    }
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    const Index all = ends.back();
    const auto results_of = [&](int r) {
      const auto i = static_cast<std::size_t>(r);
      return Range{r == 0 ? 0 : ends[i - 1], ends[i]};
    };
    const Range own = results_of(ranks.rank());
    const Range segment = segment_of(all, R, ranks.rank());
    to_.clear();
    from_.clear();
    for (int r = 0; r < R; ++r) {
      to_.push_back(overlap(own, segment_of(all, R, r)));
      from_.push_back(overlap(results_of(r), segment));
    }
    own_.resize(static_cast<std::size_t>(own.size()));
    segment_.resize(static_cast<std::size_t>(segment.size()));
    all_.resize(static_cast<std::size_t>(all));
    parallel_for(std::ssize(mine_), [&](Index i) { tasks.run(mine_[static_cast<std::size_t>(i)]); });
    double* to = own_.data();
    for (const Index task : mine_) {
      Pack pack(to);
      tasks.show_results(task, pack);
      to += length_of(tasks, task);
    }
  });
  ranks.communicator().exchange(own_.data(), to_, segment_.data(), from_);
  for (int r = 0; r < R; ++r) to_[static_cast<std::size_t>(r)] = segment_of(std::ssize(all_), R, r).size();
  ranks.communicator().all_gather_parts(segment_.data(), to_, all_.data());
  const double* from = all_.data();
  for (int r = 0; r < R; ++r) {
    for (Index i = 0; i < count; ++i) {
      if (owner_of(i) != r) continue;
      if (r != ranks.rank()) {
        Unpack unpack(from);
        tasks.show_results(i, unpack);
      }
      from += length_of(tasks, i);
    }
  }
}

}  // namespace hesse
