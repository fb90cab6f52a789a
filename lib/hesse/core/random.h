/// \file
/// Counter-based random streams: every draw is a pure function of (seed, purpose, step, position),
/// so nothing about randomness needs saving, and the order in which threads draw cannot matter.
/// The generator is Philox4x32-10 of Random123 (Salmon, Moraes, Dror and Shaw 2011).
#pragma once

#include "hesse/core/types.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// What a stream is for. Two purposes never share a draw, so that, say, another batch order leaves
/// the initial weights alone. The numbers are part of the promise "same seed, same bits".
enum class Purpose : std::uint32_t {
  initialisation = 1,
  batch_order = 2,
  synthetic_data = 3,
  split = 4,
  probe = 5,
  sampled_label = 6,
  krylov_start = 7,
  test = 8,
  noise = 9,
  dropout = 10,
  bootstrap = 11,
  search = 12,
  curvature_samples = 13,
};

/// The stream of one (seed, purpose, step). Draws at a position are const and thread-safe; `fill_*`
/// writes draws 0..n-1.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t step = 0);

  /// 64 random bits.
  std::uint64_t bits(std::uint64_t position) const;
  /// Uniform on (0, 1), on a lattice of 2^-53: never 0 and never 1.
  double uniform(std::uint64_t position) const;
  /// Standard normal by Box and Muller (1958).
  double normal(std::uint64_t position) const;
  /// -1 or +1 with equal probability.
  double rademacher(std::uint64_t position) const;
  /// Uniform on {0, ..., n-1}; n > 0. Exact, by rejection within the position's own block.
  std::uint64_t below(std::uint64_t n, std::uint64_t position) const;

  void fill_uniform(VectorView out, double low, double high) const;
  void fill_normal(VectorView out) const;
  /// Those from position `first` on.
  void fill_rademacher(VectorView out, std::uint64_t first = 0) const;
  /// A uniformly random permutation of 0..n-1 (Fisher and Yates), into `out`, resized to n.
  void permutation(Index n, std::vector<Index>& out) const;

 private:
  std::uint32_t key_[2];
  std::uint32_t purpose_;
  std::uint32_t step_;
};

}  // namespace hesse
