#include "hesse/data/sha256.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace hesse {
namespace {

using Word = std::uint32_t;
__extension__ using Wide = unsigned __int128;

/// The constants of FIPS 180-4 are bits of roots of the first primes: the first 32 bits of the fraction of p^(1/root),
/// found as floor(p^(1/root) 2^32) mod 2^32 in whole numbers, so that nothing is typed from a table.
template <int root, std::size_t count>
constexpr std::array<Word, count> root_fractions() {
  std::array<Word, count> out = {};
  std::size_t found = 0;
  for (unsigned prime = 2; found < count; ++prime) {
    bool is_prime = true;
    for (unsigned d = 2; d * d <= prime; ++d) is_prime = is_prime && prime % d != 0;
    if (!is_prime) continue;
    // The largest x with x^root <= prime 2^(32 root); x < 2^37, so x^3 < 2^111.
    Wide target = prime;
    target <<= 32U * root;
    std::uint64_t x = 0;
    for (int bit = 37; bit-- > 0;) {
      const std::uint64_t y = x | (std::uint64_t{1} << static_cast<unsigned>(bit));
      Wide power = 1;
      for (int i = 0; i < root; ++i) power *= y;
      if (power <= target) x = y;
    }
    out[found++] = static_cast<Word>(x);
  }
  return out;
}

constexpr std::array<Word, 64> kRound = root_fractions<3, 64>();
constexpr std::array<Word, 8> kInitial = root_fractions<2, 8>();

void compress(std::array<Word, 8>& hash, const char* block) {
  std::array<Word, 64> w;
  for (std::size_t t = 0; t < 16; ++t) {
    w[t] = 0;
    for (std::size_t b = 0; b < 4; ++b) w[t] = (w[t] << 8U) | static_cast<unsigned char>(block[4 * t + b]);
  }
  for (std::size_t t = 16; t < 64; ++t) {
    const Word sigma0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3U);
    const Word sigma1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10U);
    w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
  }
  auto [a, b, c, d, e, f, g, h] = hash;
  for (std::size_t t = 0; t < 64; ++t) {
    const Word sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const Word t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
    const Word sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const Word t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::array<Word, 8> update = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) hash[i] += update[i];
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::array<Word, 8> hash = kInitial;
  const std::uint64_t bits = 8 * static_cast<std::uint64_t>(bytes.size());
  for (; bytes.size() >= 64; bytes.remove_prefix(64)) compress(hash, bytes.data());
  // The tail: what is left, a one bit, zeros, and the length in bits at the end of a block.
  std::array<char, 128> tail = {};
  std::memcpy(tail.data(), bytes.data(), bytes.size());
  tail[bytes.size()] = static_cast<char>(0x80);
  const std::size_t length = bytes.size() < 56 ? 64 : 128;
  for (unsigned i = 0; i < 8; ++i) tail[length - 1 - i] = static_cast<char>((bits >> (8 * i)) & 0xFFU);
  for (std::size_t at = 0; at < length; at += 64) compress(hash, tail.data() + at);
  std::string out;
  for (const Word word : hash) out += fmt::format("{:08x}", word);
  return out;
}

}  // namespace hesse
