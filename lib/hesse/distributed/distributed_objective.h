/// \file
/// A mean over samples that ranks share: each has whole chunks of the selected samples and computes their part of
///
///     f(x) = (1/N) sum_i f_i(x)
///
/// its gradient, its curvature products and its Kronecker factors; the parts are added across ranks in the order of a
/// fixed tree (chunk_tree.h). Tasks that are no sums over samples are split over the ranks too (work_split.h). The
/// selection is the same on every rank, and so are the results, bit for bit, for any number of ranks. From one pass
/// over all samples they differ by rounding alone: (log2(chunks) + 1) eps relative to the mean of |f_i| and its like.
///
/// Every rank calls everything alike: a method or an analysis that runs on all ranks on the same numbers does so by
/// itself. Every rank holds the data, for batches are drawn from all of it.
#pragma once

#include "hesse/distributed/ranks.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/objective.h"

#include <functional>
#include <memory>

namespace hesse {

/// How samples are shared. The bits depend on `chunks` and `least_samples`, and on nothing else here.
struct SharingOptions {
  /// Most chunks of a selection: the ranks among which it can be shared. A power of two, >= 1.
  Index chunks = 64;
  /// Least samples of a chunk, below which matrix products lose their speed. >= 1.
  Index least_samples = 128;
  /// Bytes that a rank may spend on what chunks remember of a point (activations, weights in the network's precision).
  /// Where they need more, they are swept one after the other and again for every product.
  double memory_budget = 2147483648.0;
  /// Flops above which tasks that are no sums over samples (objective/work_sharing.h) are split over the ranks:
  /// inverses of Kronecker factors, roots and bases. Fewer take less time than a meeting, and every rank does all of
  /// them; so it is always for infinity. >= 0.
  double split_above = 1e6;
};

/// Makes one more of the same objective. A network keeps within the budget in bytes for what its curvature remembers.
using MakeObjective = std::function<std::unique_ptr<Objective>()>;
using MakeNetworkObjective = std::function<std::unique_ptr<NetworkObjective>(double memory_budget)>;

/// The finite sum that `make` makes, shared among the ranks; it is made once for each chunk of this rank and once more.
/// Throws Error unless it is a FiniteSum.
std::unique_ptr<Objective> distributed_objective(const MakeObjective& make, std::shared_ptr<Ranks> ranks,
                                                 const SharingOptions& options = {});

/// The same for a network, with all that NetworkObjective has. A network whose layers couple samples (batch
/// normalisation) is no sum over them: it is returned as it is, and every rank computes all of it. Dropout draws its
/// masks by chunk: others than in one pass over all samples, from the same distribution.
std::unique_ptr<NetworkObjective> distributed_network(const MakeNetworkObjective& make, std::shared_ptr<Ranks> ranks,
                                                      const SharingOptions& options = {});

}  // namespace hesse
