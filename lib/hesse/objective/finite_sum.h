/// \file
/// Finite sums f(x) = (1/N) sum_i f_i(x) and the batches drawn from them.
#pragma once

#include "hesse/core/random.h"
#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace hesse {

/// Implemented beside Objective by a mean over samples. Value, gradient and curvature are those of
/// the mean over the selected samples.
class FiniteSum {
 public:
  virtual ~FiniteSum() = default;

  /// N.
  virtual Index sample_count() const = 0;

  /// The samples that the mean is over now, all N in order after select_all(). Valid until the next selection.
  virtual std::span<const Index> selection() const = 0;

  /// Restricts the mean to these samples (copied; each in [0, N), not empty) until the next call.
  virtual void select(std::span<const Index> samples) = 0;

  /// Back to the mean over all N samples: the state after construction.
  virtual void select_all() = 0;
};

/// Samples without replacement: `count` of the numbers 0, ..., population - 1, each subset as likely as any other,
/// ascending. A pure function of the stream.
class SubsetSampler {
 public:
  /// Throws Error unless 0 <= count <= population. Valid until the next call.
  std::span<const Index> draw(Index population, Index count, const RandomStream& stream);

 private:
  std::vector<Index> order_;
};

/// The batches of mini-batch methods: each epoch is a fresh permutation of all samples, cut into
/// consecutive batches, the last of which may be smaller. A pure function of (seed, step), so a
/// resumed run sees the batches that it would have seen.
///
/// With `full_at` > 0 the batches grow exponentially, from batch_size at the first step to all N samples at the one of
/// that number, counted from 1, and from there on: m_k = min(m_1 exp((k - 1) / b), N) (Martens and Grosse 2015, section
/// 13, with m_500 = N). Each is then drawn by itself, without replacement.
class BatchSequence {
 public:
  /// Throws Error unless 1 <= batch_size and full_at is 0 or at least 2; a batch_size above N means N.
  BatchSequence(Index sample_count, Index batch_size, std::uint64_t seed, std::int64_t full_at = 0);

  /// Of the first size.
  Index batches_per_epoch() const { return batches_per_epoch_; }
  Index batch_size() const { return batch_size_; }
  bool full_batch() const { return batch_size_ == sample_count_; }

  /// The samples of step `step` >= 0; valid until the next call.
  std::span<const Index> batch(std::int64_t step);

 private:
  Index sample_count_;
  Index batch_size_;
  Index batches_per_epoch_;
  std::uint64_t seed_;
  std::int64_t full_at_;
  std::int64_t epoch_ = -1;
  std::vector<Index> permutation_;
  SubsetSampler sampler_;
};

/// The finite sum behind f. Throws Error, in which `method` is named, when there is none.
FiniteSum& finite_sum_of(Objective& f, std::string_view method);

/// For as long as it lives a method may select as it likes; then the selection that it found is back. `storage` keeps
/// that selection, so that nothing is allocated again and again.
class SelectionGuard {
 public:
  SelectionGuard(FiniteSum& sum, std::vector<Index>& storage);
  ~SelectionGuard();
  SelectionGuard(const SelectionGuard&) = delete;
  SelectionGuard& operator=(const SelectionGuard&) = delete;

 private:
  FiniteSum& sum_;
  const std::vector<Index>& found_;
};

/// For as long as it lives, a share of the samples that it found selected is selected: the whole number nearest to the
/// share, at least one, drawn without replacement.
class ShareSelection {
 public:
  /// What is kept between such selections, so that nothing is allocated again and again.
  struct Room {
    SubsetSampler sampler;
    std::vector<Index> found;
    std::vector<Index> drawn;
  };
  /// A share of 1 leaves the selection as it is.
  ShareSelection(FiniteSum& sum, double share, const RandomStream& stream, Room& room);

 private:
  std::optional<SelectionGuard> guard_;
};

}  // namespace hesse
