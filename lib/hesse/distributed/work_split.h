/// \file
/// Tasks that are the same on every rank (objective/work_sharing.h), each done by one of them, and its results sent to
/// all. The longest task goes first, each to the rank that has least so far: the rank with most then has at most
/// 4/3 - 1/(3R) times what the best of all assignments would leave it (Graham 1969, theorem 3).
#pragma once

#include "hesse/core/types.h"
#include "hesse/distributed/ranks.h"
#include "hesse/objective/work_sharing.h"

#include <cstdint>
#include <span>
#include <vector>

namespace hesse {

/// Which rank does each task: a function of costs >= 0 and the number of ranks alone. Of equal tasks the first comes
/// first, of equal ranks the lowest.
std::vector<int> owners_of(std::span<const double> costs, int ranks);

/// What the rank that has most has to do.
double longest_share(std::span<const double> costs, int ranks);

/// Runs the tasks. Keeps its workspace.
///
/// A meeting, and an all-gather of all results: a rank sends those of its own tasks to R - 1 others.
class WorkSplit {
 public:
  /// Tasks that cost at most `least_work` together are run by every rank for itself, without a meeting.
  explicit WorkSplit(double least_work) : least_work_(least_work) {}

  /// As WorkSharing::share(). An error carries the name of its rank, as in Ranks::together().
  void share(Ranks& ranks, SharedTasks& tasks);

 private:
  double least_work_;
  std::uint64_t turn_ = 0;
  std::vector<double> costs_;
  std::vector<Index> mine_;       ///< tasks
  std::vector<double> sent_;      ///< results, task by task, each from a whole number on
  std::vector<double> received_;  ///< of all ranks
  std::vector<Index> counts_;     ///< of numbers from each rank
};

}  // namespace hesse
