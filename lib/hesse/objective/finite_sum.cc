#include "hesse/objective/finite_sum.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace hesse {

BatchSequence::BatchSequence(Index sample_count, Index batch_size, std::uint64_t seed, std::int64_t full_at)
    : sample_count_(sample_count),
      batch_size_(std::min(batch_size, sample_count)),
      batches_per_epoch_(0),
      seed_(seed),
      full_at_(full_at) {
  if (sample_count < 1) fail("batches: there are no samples to draw from");
  if (batch_size < 1) fail("batch size {} is not possible; give a whole number >= 1", batch_size);
  if (full_at != 0 && full_at < 2) {
    fail("batches that grow to all samples by step {} are not possible; give a step >= 2", full_at);
  }
  batches_per_epoch_ = (sample_count_ + batch_size_ - 1) / batch_size_;
}

std::span<const Index> BatchSequence::batch(std::int64_t step) {
  if (full_at_ > 0) {
    const double way = std::min(1.0, static_cast<double>(step) / static_cast<double>(full_at_ - 1));
    const double growth = static_cast<double>(sample_count_) / static_cast<double>(batch_size_);
    const auto size = static_cast<Index>(std::llround(static_cast<double>(batch_size_) * std::pow(growth, way)));
    return sampler_.draw(sample_count_, std::min(size, sample_count_),
                         RandomStream(seed_, Purpose::batch_order, static_cast<std::uint64_t>(step)));
  }
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

FiniteSum& finite_sum_of(Objective& f, std::string_view method) {
  auto* sum = find<FiniteSum>(f);
  if (sum == nullptr) fail("{}: this problem is no mean over samples, so that there is nothing to sample from", method);
  return *sum;
}

SelectionGuard::SelectionGuard(FiniteSum& sum, std::vector<Index>& storage) : sum_(sum), found_(storage) {
  const auto selected = sum.selection();
  storage.assign(selected.begin(), selected.end());
}

SelectionGuard::~SelectionGuard() {
  if (static_cast<Index>(found_.size()) == sum_.sample_count()) {
    sum_.select_all();
  } else {
    sum_.select(found_);
  }
}

std::span<const Index> SubsetSampler::draw(Index population, Index count, const RandomStream& stream) {
  if (count < 0 || count > population) fail("sampling: {} of {} samples cannot be drawn", count, population);
  order_.resize(static_cast<std::size_t>(population));
  std::iota(order_.begin(), order_.end(), Index{0});
  // The first `count` steps of the shuffle of Fisher and Yates.
  for (Index i = 0; i < count; ++i) {
    const auto position = static_cast<std::uint64_t>(i);
    const auto other = static_cast<Index>(stream.below(static_cast<std::uint64_t>(population - i), position));
    std::swap(order_[static_cast<std::size_t>(i)], order_[static_cast<std::size_t>(i + other)]);
  }
  std::sort(order_.begin(), order_.begin() + count);
  return std::span<const Index>(order_).first(static_cast<std::size_t>(count));
}

ShareSelection::ShareSelection(FiniteSum& sum, double share, const RandomStream& stream, Room& room) {
  const auto count = static_cast<Index>(sum.selection().size());
  const auto wanted = std::max<Index>(1, std::llround(share * static_cast<double>(count)));
  if (wanted >= count) return;
  guard_.emplace(sum, room.found);
  room.drawn.clear();
  for (const Index position : room.sampler.draw(count, wanted, stream)) {
    room.drawn.push_back(room.found[static_cast<std::size_t>(position)]);
  }
  sum.select(room.drawn);
}

}  // namespace hesse
