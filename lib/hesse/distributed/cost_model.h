/// \file
/// What a step costs on R ranks, from figures that are measured on one and two.
///
/// With N samples in C chunks, the busiest rank has k = ceil(C / min(R, C)) of them, which add up to p subtrees:
///
///     compute      k (N / C) flops / rate + k chunk_seconds
///     tasks        refreshes (longest share of the tasks) / task rate
///     replicated   what every rank does for itself, the same on any number of ranks
///     messages     (2 sums + meetings + 3 refreshes) (latency + (R - 1) overhead)
///     volume       (bytes of the sums + meetings 56 (R - 1) + refreshes (bytes of the results)) / bandwidth
///     additions    ((k - p + P / R) 24 n + sums 16 n) / memory_bandwidth,   P the subtrees of all ranks
///
/// for long sums of n numbers together, of which a rank sends (p + 1) 8 n (R - 1) / R bytes. Adding reads two vectors
/// and writes one, and the sum is handed over once. Latency and bandwidth are alpha and 1 / beta of Hockney (1994),
/// overhead is the o of LogP (Culler et al. 1993): what a rank spends on one message besides, since Open MPI's
/// non-blocking collectives send one to every other rank. Not in the model: congestion, ranks that wait for a slower
/// one, and the overlap of anything with anything.
#pragma once

#include "hesse/core/types.h"
#include "hesse/distributed/distributed_objective.h"

#include <span>
#include <vector>

namespace hesse {

/// A rank and what joins it to others.
struct RankMachine {
  double flops_per_second = 1e11;       ///< of a rank's matrix products on a chunk
  double task_flops_per_second = 2e10;  ///< of a rank's decompositions and inverses
  double memory_bandwidth = 1e10;       ///< bytes a second, of adding vectors
  double latency = 2e-6;                ///< seconds, alpha
  double overhead = 5e-7;               ///< seconds a message, o
  double bandwidth = 1e10;              ///< bytes a second of a rank, 1 / beta
};

/// A task that is no sum over samples (work_split.h).
struct TaskWork {
  double flops = 0;
  Index numbers = 0;  ///< of its results
};

/// What a step does.
struct StepWork {
  Index samples = 0;
  double flops_a_sample = 0;      ///< of all sums over samples of the step: 6P - 2P1 for a gradient
  Index numbers = 0;              ///< n, of all long sums together: the parameters, with the value, for a gradient
  double sums = 1;                ///< long sums a step: gradients, products, factors
  double meetings = 2;            ///< greetings: one a sum, and one that asks for interrupts
  double chunk_seconds = 0;       ///< a chunk's own: its weights in the products' precision, its gradient in double
  double replicated_seconds = 0;  ///< the optimizer's own work
  std::vector<TaskWork> tasks;    ///< of one refresh
  double refreshes = 0;           ///< a step: 1 / period
};

/// Seconds.
struct StepCost {
  double compute = 0;
  double tasks = 0;
  double replicated = 0;
  double messages = 0;
  double volume = 0;
  double additions = 0;
  double total() const { return compute + tasks + replicated + messages + volume + additions; }
};

/// The above, for ranks >= 1. Tasks of at most options.split_above flops together are not split. Throws Error for
/// fewer, for no samples, or for rates that are not positive.
StepCost predict_step(const StepWork& work, const RankMachine& machine, int ranks, const SharingOptions& options = {});

/// Bytes that the rank which sends most sends in one long sum.
double bytes_of_a_sum(Index numbers, Index chunks, int ranks);

/// Bytes that the rank which sends most sends of the results of tasks that are split.
double bytes_of_results(std::span<const TaskWork> tasks, int ranks);

}  // namespace hesse
