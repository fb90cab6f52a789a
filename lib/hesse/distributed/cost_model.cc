#include "hesse/distributed/cost_model.h"

#include "hesse/core/error.h"
#include "hesse/distributed/chunk_tree.h"

#include <algorithm>

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

}  // namespace

double bytes_of_a_sum(Index numbers, Index chunks, int ranks) {
  const auto R = static_cast<double>(ranks);
  const auto p = static_cast<double>(shares_of(chunks, ranks).most_subtrees);
  return (p + 1) * 8 * static_cast<double>(numbers) * (R - 1) / R;
}

StepCost predict_step(const StepWork& work, const RankMachine& machine, int ranks, const SharingOptions& options) {
  if (ranks < 1 || work.samples < 1) fail("cost model: {} ranks and {} samples; give at least 1", ranks, work.samples);
  if (!(machine.flops_per_second > 0 && machine.memory_bandwidth > 0 && machine.bandwidth > 0)) {
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
  // Two vectors are read and one written.
  cost.additions = work.sums * (k - p) * 24 * n / machine.memory_bandwidth;
  if (ranks == 1) return cost;
  const double collective = machine.latency + (R - 1) * machine.overhead;
  cost.messages = (2 * work.sums + work.meetings) * collective;
  cost.volume = (work.sums * bytes_of_a_sum(work.numbers, chunks, ranks) +
                 work.meetings * static_cast<double>(kGreetingBytes) * (R - 1)) /
                machine.bandwidth;
  cost.additions += work.sums * static_cast<double>(shares.all_subtrees) / R * 24 * n / machine.memory_bandwidth;
  return cost;
}

}  // namespace hesse
