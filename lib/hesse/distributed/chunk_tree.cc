#include "hesse/distributed/chunk_tree.h"

#include <algorithm>

namespace hesse {
namespace {

/// Entries of one task when vectors are added.
constexpr Index kBlock = 32768;

void add_to(double* a, const double* b, Index n) {
  parallel_for(block_count(n, kBlock), [&](Index task) {
    const Range r = block_range(n, kBlock, task);
    for (Index i = r.begin; i < r.end; ++i) a[i] += b[i];
  });
}

/// True when the two are the children, left and right, of one node.
bool siblings(TreeNode left, TreeNode right) {
  return left.level == right.level && left.index % 2 == 0 && right.index == left.index + 1;
}

TreeNode parent(TreeNode child) { return {child.level + 1, child.index / 2}; }

}  // namespace

Index chunk_count(Index samples, Index most, Index least) {
  Index chunks = 1;
  while (2 * chunks <= most && samples >= 2 * chunks * least) chunks *= 2;
  return chunks;
}

Range chunks_of(int rank, int ranks, Index chunks) {
  const Index workers = std::min<Index>(ranks, chunks);
  if (rank >= workers) return {chunks, chunks};
  return {rank * chunks / workers, (rank + 1) * chunks / workers};
}

std::vector<TreeNode> subtrees(Range chunks) {
  std::vector<TreeNode> nodes;
  for (Index c = chunks.begin; c < chunks.end; ++c) {
    nodes.push_back({0, c});
    while (nodes.size() > 1 && siblings(nodes[nodes.size() - 2], nodes.back())) {
      nodes.pop_back();
      nodes.back() = parent(nodes.back());
    }
  }
  return nodes;
}

void TreeSum::begin(Index length) {
  length_ = length;
  nodes_.clear();
}

double* TreeSum::next() {
  if (vectors_.size() == nodes_.size()) vectors_.emplace_back();
  std::vector<double>& room = vectors_[nodes_.size()];
  if (static_cast<Index>(room.size()) < length_) room.resize(static_cast<std::size_t>(length_));
  return room.data();
}

void TreeSum::add(TreeNode node) {
  nodes_.push_back(node);
  while (nodes_.size() > 1 && siblings(nodes_[nodes_.size() - 2], nodes_.back())) {
    add_to(vectors_[nodes_.size() - 2].data(), vectors_[nodes_.size() - 1].data(), length_);
    nodes_.pop_back();
    nodes_.back() = parent(nodes_.back());
  }
}

void RankSum::arrange(int ranks, Index chunks) {
  if (ranks_ == ranks && chunks_ == chunks) return;
  ranks_ = ranks;
  chunks_ = chunks;
  nodes_.clear();
  nodes_of_rank_.clear();
  for (int r = 0; r < ranks; ++r) {
    const std::vector<TreeNode> its = subtrees(chunks_of(r, ranks, chunks));
    nodes_.insert(nodes_.end(), its.begin(), its.end());
    nodes_of_rank_.push_back(std::ssize(its));
  }
  counts_.resize(static_cast<std::size_t>(ranks));
  other_counts_.resize(static_cast<std::size_t>(ranks));
}

/// Adds the vectors of consecutive nodes, which begin `stride` apart, into the first.
void RankSum::add_up(const std::vector<TreeNode>& nodes, double* vectors, Index stride, Index length) {
  open_.clear();
  for (Index i = 0; i < std::ssize(nodes); ++i) {
    open_.push_back({nodes[static_cast<std::size_t>(i)], vectors + i * stride});
    while (open_.size() > 1 && siblings(open_[open_.size() - 2].node, open_.back().node)) {
      add_to(open_[open_.size() - 2].vector, open_.back().vector, length);
      open_.pop_back();
      open_.back().node = parent(open_.back().node);
    }
  }
}

void RankSum::reserve(const Ranks& ranks, Index chunks, Index n) {
  if (ranks.size() == 1) return;
  arrange(ranks.size(), chunks);
  const Index mine = nodes_of_rank_[static_cast<std::size_t>(ranks.rank())];
  const Index segment = n <= kShort ? n : n / ranks_ + 1;
  const auto grow = [](std::vector<double>& storage, Index entries) {
    if (static_cast<Index>(storage.size()) < entries) storage.resize(static_cast<std::size_t>(entries));
  };
  grow(packed_, n <= kShort || mine > 1 ? mine * n : 0);
  grow(received_, std::ssize(nodes_) * segment);
  open_.reserve(nodes_.size());
}

void RankSum::total(Ranks& ranks, Index chunks, const TreeSum& mine, double* out) {
  const Index n = mine.length();
  if (ranks.size() == 1) {
    std::copy_n(mine.vector(0), n, out);
    return;
  }
  reserve(ranks, chunks, n);
  const auto my_nodes = std::ssize(mine.nodes());

  if (n <= kShort) {
    double* const packed = packed_.data();
    for (Index i = 0; i < my_nodes; ++i) std::copy_n(mine.vector(static_cast<std::size_t>(i)), n, packed + i * n);
    for (std::size_t r = 0; r < counts_.size(); ++r) counts_[r] = nodes_of_rank_[r] * n;
    double* const all = received_.data();
    ranks.communicator().all_gather_parts(packed, counts_, all);
    add_up(nodes_, all, n, n);
    std::copy_n(all, n, out);
    return;
  }

  const auto segment = [&](Index r) { return Range{r * n / ranks_, (r + 1) * n / ranks_}; };
  const Range own = segment(ranks.rank());
  // One node's vector is in the order of the segments already.
  const double* send = my_nodes == 1 ? mine.vector(0) : nullptr;
  if (my_nodes > 1) {
    double* to = packed_.data();
    send = to;
    for (Index r = 0; r < ranks_; ++r) {
      for (Index i = 0; i < my_nodes; ++i) {
        const Range s = segment(r);
        to = std::copy_n(mine.vector(static_cast<std::size_t>(i)) + s.begin, s.size(), to);
      }
    }
  }
  for (Index r = 0; r < ranks_; ++r) {
    counts_[static_cast<std::size_t>(r)] = my_nodes * segment(r).size();
    other_counts_[static_cast<std::size_t>(r)] = nodes_of_rank_[static_cast<std::size_t>(r)] * own.size();
  }
  double* const received = received_.data();
  ranks.communicator().exchange(send, counts_, received, other_counts_);
  add_up(nodes_, received, own.size(), own.size());
  for (Index r = 0; r < ranks_; ++r) counts_[static_cast<std::size_t>(r)] = segment(r).size();
  ranks.communicator().all_gather_parts(received, counts_, out);
}

}  // namespace hesse
