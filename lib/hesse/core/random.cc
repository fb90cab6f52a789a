#include "hesse/core/random.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

namespace hesse {
namespace {

using Philox = r123::Philox4x32;

/// The four words of one block. A position owns 2^12 blocks (attempts), so rejection never runs
/// into a neighbour's draws.
Philox::ctr_type block(const std::uint32_t (&key)[2], std::uint32_t purpose, std::uint32_t step, std::uint64_t position,
                       std::uint32_t attempt) {
  const auto low = static_cast<std::uint32_t>(position);
  const auto high = static_cast<std::uint32_t>(position >> 32U);
  // Twenty bits of purpose and attempt share one word with twelve bits of the position: a stream
  // has 2^44 positions, 2^8 purposes and 2^12 attempts.
  const std::uint32_t mixed = (high << 20U) | (purpose << 12U) | attempt;
  const Philox::ctr_type counter = {{low, mixed, step, 0x48657373U}};
  const Philox::key_type k = {{key[0], key[1]}};
  return Philox{}(counter, k);
}

double to_open_unit_interval(std::uint64_t bits) {
  // 52 bits and a half: the 2^52 midpoints of equal cells, so neither end can appear.
  return (static_cast<double>(bits >> 12U) + 0.5) * 0x1.0p-52;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t step)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)},
      purpose_(static_cast<std::uint32_t>(purpose)),
      step_(static_cast<std::uint32_t>(step)) {
  if (step > std::numeric_limits<std::uint32_t>::max()) fail("random stream: step {} exceeds 2^32 - 1", step);
}

std::uint64_t RandomStream::bits(std::uint64_t position) const {
  const auto words = block(key_, purpose_, step_, position, 0);
  return (static_cast<std::uint64_t>(words[1]) << 32U) | words[0];
}

double RandomStream::uniform(std::uint64_t position) const { return to_open_unit_interval(bits(position)); }

double RandomStream::normal(std::uint64_t position) const {
  // One block gives two normals; even and odd positions share it.
  const auto words = block(key_, purpose_, step_, position / 2, 1);
  const double u = to_open_unit_interval((static_cast<std::uint64_t>(words[1]) << 32U) | words[0]);
  const double v = to_open_unit_interval((static_cast<std::uint64_t>(words[3]) << 32U) | words[2]);
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * v;
  return position % 2 == 0 ? radius * std::cos(angle) : radius * std::sin(angle);
}

double RandomStream::rademacher(std::uint64_t position) const {
  const std::uint64_t word = bits(position / 64);
  return ((word >> (position % 64)) & 1U) != 0 ? 1.0 : -1.0;
}

std::uint64_t RandomStream::below(std::uint64_t n, std::uint64_t position) const {
  if (n == 0) fail("random stream: below(0) has no value to draw from");
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() - std::numeric_limits<std::uint64_t>::max() % n;
  for (std::uint32_t attempt = 2;; ++attempt) {
    const auto words = block(key_, purpose_, step_, position, attempt);
    const std::uint64_t draw = (static_cast<std::uint64_t>(words[1]) << 32U) | words[0];
    // Each attempt fails with probability below one half, so the twelve bits of `attempt` suffice.
    if (draw < limit || attempt == 4095) return draw % n;
  }
}

namespace {

/// out[i] = draw(i), by all threads where there are many.
template <class Draw>
void fill(VectorView out, const Draw& draw) {
  constexpr Index kBlock = 4096;
  parallel_for(block_count(out.size(), kBlock), [&](Index task) {
    const Range r = block_range(out.size(), kBlock, task);
    for (Index i = r.begin; i < r.end; ++i) out[i] = draw(i);
  });
}

}  // namespace

void RandomStream::fill_uniform(VectorView out, double low, double high) const {
  fill(out, [&](Index i) { return low + (high - low) * uniform(static_cast<std::uint64_t>(i)); });
}

void RandomStream::fill_normal(VectorView out) const {
  fill(out, [&](Index i) { return normal(static_cast<std::uint64_t>(i)); });
}

void RandomStream::fill_rademacher(VectorView out, std::uint64_t first) const {
  const auto n = static_cast<std::uint64_t>(out.size());
  // 64 signs come from one block.
  for (std::uint64_t i = 0; i < n;) {
    const std::uint64_t position = first + i;
    const std::uint64_t word = bits(position / 64);
    for (std::uint64_t bit = position % 64; bit < 64 && i < n; ++bit, ++i) {
      out[static_cast<Index>(i)] = static_cast<double>((word >> bit) & 1U) * 2 - 1;
    }
  }
}

void RandomStream::permutation(Index n, std::vector<Index>& out) const {
  out.resize(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), Index{0});
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[below(i, i)]);
}

}  // namespace hesse
