/// \file
/// Sums over samples whose bits do not depend on the number of ranks. The samples are cut into a fixed number of
/// chunks, a power of two, and the chunks' sums are the leaves of a binary tree that is added from the leaves up:
///
///     ((s_0 + s_1) + (s_2 + s_3)) + ((s_4 + s_5) + (s_6 + s_7))
///
/// Every rank has consecutive chunks and adds what lies in them: the largest subtrees, one where ranks are a power of
/// two, at most 2 log2(chunks) otherwise. What is left of the tree is added across ranks, in the same order (the idea
/// of Demmel and Nguyen 2015, section III, with a tree that is fixed instead of sums that are exact).
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/core/types.h"
#include "hesse/distributed/ranks.h"

#include <span>
#include <vector>

namespace hesse {

/// The chunks [index 2^level, (index + 1) 2^level).
struct TreeNode {
  int level = 0;
  Index index = 0;
  bool operator==(const TreeNode&) const = default;
};

/// The greatest power of two that is at most `most` and leaves at least `least` samples in a chunk; at least 1.
Index chunk_count(Index samples, Index most, Index least);

/// Chunk c has samples c, c + chunks, c + 2 chunks, ... of a selection, so that the first m samples are spread over all
/// chunks, for every m. How many of the first m those are.
inline Index chunk_size(Index m, Index chunks, Index c) { return (m - c + chunks - 1) / chunks; }

/// The chunks of a rank: consecutive, as even as can be, in the order of the ranks. Ranks above `chunks` have none.
Range chunks_of(int rank, int ranks, Index chunks);

/// The largest subtrees that lie in these chunks, in order.
std::vector<TreeNode> subtrees(Range chunks);

/// A sum of vectors at consecutive nodes that grows as they come: at most log2(chunks) + 1 vectors are held.
class TreeSum {
 public:
  /// Begins anew, with vectors of this length.
  void begin(Index length);
  Index length() const { return length_; }
  /// Where the next node's vector goes: n numbers, arbitrary at first.
  double* next();
  /// What was written there is the vector of this node, which follows the one before.
  void add(TreeNode node);

  /// The subtrees that have come together, and their vectors.
  const std::vector<TreeNode>& nodes() const { return nodes_; }
  const double* vector(std::size_t i) const { return vectors_[i].data(); }

 private:
  Index length_ = 0;
  std::vector<TreeNode> nodes_;
  std::vector<std::vector<double>> vectors_;
};

/// The sum over all ranks' chunks, to the same bits on every rank for any number of ranks. Keeps its workspace.
///
/// With R ranks, p nodes on the rank that has most, and n numbers: vectors of up to kShort numbers go to every rank,
/// which adds them itself (1 message of p n numbers to each). Longer ones are cut into R segments: every rank gets its
/// segment from all ranks, adds it, and gives the sum to all; a rank sends (p + 1) n (R - 1) / R numbers, for p = 1 the
/// least that any all-reduce can (Thakur, Rabenseifner and Gropp 2005, section 4.4).
class RankSum {
 public:
  static constexpr Index kShort = 512;

  /// Makes the room for sums of n numbers, so that total() does not fail for want of it while others wait.
  void reserve(const Ranks& ranks, Index chunks, Index n);

  /// `mine` holds the nodes subtrees(chunks_of(rank, ranks, chunks)). `out`: mine.length() numbers. Without a greeting
  /// of its own: for use right after Ranks::together().
  void total(Ranks& ranks, Index chunks, const TreeSum& mine, double* out);

 private:
  void arrange(int ranks, Index chunks);
  void add_up(const std::vector<TreeNode>& nodes, double* vectors, Index stride, Index length);

  int ranks_ = 0;
  Index chunks_ = 0;
  std::vector<TreeNode> nodes_;       ///< of all ranks
  std::vector<Index> nodes_of_rank_;  ///< how many
  std::vector<Index> counts_;
  std::vector<Index> other_counts_;
  std::vector<double> packed_;
  std::vector<double> received_;
  struct Open {
    TreeNode node;
    double* vector;
  };
  std::vector<Open> open_;  ///< nodes whose siblings have not come yet
};

}  // namespace hesse
