/// \file
/// Tasks that are the same on every rank (objective/work_sharing.h), each done by one of them, and its results sent to
/// all. The longest task goes first, each to the rank that has least so far: the rank with most then has at most
/// 4/3 - 1/(3R) times what the best of all assignments would leave it (Graham 1969, theorem 3).
#pragma once

#include "hesse/core/parallel.h"
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

/// The r-th of R equal parts of n numbers.
inline Range segment_of(Index n, int ranks, int r) { return {r * n / ranks, (r + 1) * n / ranks}; }

/// Runs the tasks. Keeps its workspace.
///
/// A meeting, and two collectives for the results: laid in the order of the ranks that have them, they are cut into R
/// equal segments, each of which goes to one rank, which gives it to all (van de Geijn's broadcast, of all ranks at
/// once). With N numbers in all a rank sends at most its own and N (R - 1) / R, even where all are those of one task.
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
  std::vector<Index> mine_;      ///< tasks
  std::vector<double> own_;      ///< results, task by task, each from a whole number on
  std::vector<double> segment_;  ///< of all ranks' results
  std::vector<double> all_;
  std::vector<Index> to_;    ///< how many numbers go to each rank
  std::vector<Index> from_;  ///< and come from it
};

}  // namespace hesse
