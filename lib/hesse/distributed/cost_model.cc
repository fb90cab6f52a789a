#include "hesse/distributed/cost_model.h"

#include "hesse/core/error.h"
#include "hesse/distributed/chunk_tree.h"
#include "hesse/distributed/work_split.h"

#include <algorithm>
#include <numeric>

namespace hesse {
namespace {

struct Shares {
  Index most_chunks = 0;
  Index most_subtrees = 0;
  Index all_subtrees = 0;
};

Shares shares_of(Index chunks, int ranks) {
  Shares shares;
  for (int r = 0; r < ranks; ++r) {
    const Range mine = chunks_of(r, ranks, chunks);
    const auto subtrees_here = std::ssize(subtrees(mine));
    shares.most_chunks = std::max(shares.most_chunks, mine.size());
    shares.most_subtrees = std::max(shares.most_subtrees, subtrees_here);
    shares.all_subtrees += subtrees_here;
  }
  return shares;
}

std::vector<double> costs_of(std::span<const TaskWork> tasks) {
  std::vector<double> costs;
  for (const TaskWork& task : tasks) costs.push_back(task.flops);
  return costs;
}

}  // namespace

double bytes_of_a_sum(Index numbers, Index chunks, int ranks) {
  const auto R = static_cast<double>(ranks);
  const auto p = static_cast<double>(shares_of(chunks, ranks).most_subtrees);
  return (p + 1) * 8 * static_cast<double>(numbers) * (R - 1) / R;
}

double bytes_of_results(std::span<const TaskWork> tasks, int ranks) {
  const std::vector<int> owners = owners_of(costs_of(tasks), ranks);
  std::vector<Index> own(static_cast<std::size_t>(ranks), 0);
  for (std::size_t i = 0; i < tasks.size(); ++i) own[static_cast<std::size_t>(owners[i])] += tasks[i].numbers;
  const Index all = std::accumulate(own.begin(), own.end(), Index{0});
  Index most = 0;
  Index begin = 0;
  for (int r = 0; r < ranks; ++r) {
    const Index end = begin + own[static_cast<std::size_t>(r)];
    const Range segment = segment_of(all, ranks, r);
    const Index stays = std::max<Index>(0, std::min(end, segment.end) - std::max(begin, segment.begin));
    most = std::max(most, end - begin - stays + segment.size() * (ranks - 1));
    begin = end;
  }
  return 8 * static_cast<double>(most);
}

StepCost predict_step(const StepWork& work, const RankMachine& machine, int ranks, const SharingOptions& options) {
  if (ranks < 1 || work.samples < 1) fail("cost model: {} ranks and {} samples; give at least 1", ranks, work.samples);
  if (!(machine.flops_per_second > 0 && machine.task_flops_per_second > 0 && machine.memory_bandwidth > 0 &&
        machine.bandwidth > 0)) {
    fail("cost model: the rates of a machine have to be positive");
  }
  const Index chunks = chunk_count(work.samples, options.chunks, options.least_samples);
  const Shares shares = shares_of(chunks, ranks);
  const auto k = static_cast<double>(shares.most_chunks);
  const auto p = static_cast<double>(shares.most_subtrees);
  const auto C = static_cast<double>(chunks);
  const auto R = static_cast<double>(ranks);
  const auto n = static_cast<double>(work.numbers);

  StepCost cost;
  cost.compute =
      k * (static_cast<double>(work.samples) / C * work.flops_a_sample / machine.flops_per_second + work.chunk_seconds);
  cost.replicated = work.replicated_seconds;
  const std::vector<double> tasks = costs_of(work.tasks);
  const bool splits = std::accumulate(tasks.begin(), tasks.end(), 0.0) > options.split_above;
  cost.tasks = work.refreshes * longest_share(tasks, splits ? ranks : 1) / machine.task_flops_per_second;
  cost.additions = ((k - p) * 24 + 16) * n / machine.memory_bandwidth;
  if (ranks == 1) return cost;
  const double refreshes = splits ? work.refreshes : 0;
  const double collective = machine.latency + (R - 1) * machine.overhead;
  cost.messages = (2 * work.sums + work.meetings + 3 * refreshes) * collective;
  cost.volume =
      (bytes_of_a_sum(work.numbers, chunks, ranks) + work.meetings * static_cast<double>(kGreetingBytes) * (R - 1) +
       refreshes * bytes_of_results(work.tasks, ranks)) /
      machine.bandwidth;
  cost.additions += static_cast<double>(shares.all_subtrees) / R * 24 * n / machine.memory_bandwidth;
  return cost;
}

}  // namespace hesse
