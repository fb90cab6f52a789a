#include "hesse/objective/finite_sum.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <algorithm>

namespace hesse {

BatchSequence::BatchSequence(Index sample_count, Index batch_size, std::uint64_t seed)
    : sample_count_(sample_count), batch_size_(std::min(batch_size, sample_count)), batches_per_epoch_(0), seed_(seed) {
  if (sample_count < 1) fail("batches: there are no samples to draw from");
  if (batch_size < 1) fail("batch size {} is not possible; give a whole number >= 1", batch_size);
  batches_per_epoch_ = (sample_count_ + batch_size_ - 1) / batch_size_;
}

std::span<const Index> BatchSequence::batch(std::int64_t step) {
  const std::int64_t epoch = step / batches_per_epoch_;
  if (epoch != epoch_) {
    RandomStream(seed_, Purpose::batch_order, static_cast<std::uint64_t>(epoch))
        .permutation(sample_count_, permutation_);
    epoch_ = epoch;
  }
  const Index begin = (step % batches_per_epoch_) * batch_size_;
  const Index size = std::min(batch_size_, sample_count_ - begin);
  return std::span<const Index>(permutation_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
}

}  // namespace hesse
