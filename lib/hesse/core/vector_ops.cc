#include "hesse/core/vector_ops.h"

#include "hesse/core/multiversion.h"
#include "hesse/core/parallel.h"

#include <array>
#include <cmath>

namespace hesse {
namespace {

constexpr Index kLanes = 16;  // independent sums, so that the loop vectorises without reordering

HESSE_MULTIVERSION double block_dot(const double* a, const double* b, Index n) {
  std::array<double, kLanes> sums{};
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (Index l = 0; l < kLanes; ++l) sums[static_cast<std::size_t>(l)] += a[i + l] * b[i + l];
  }
  for (Index l = 0; i + l < n; ++l) sums[static_cast<std::size_t>(l)] += a[i + l] * b[i + l];
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

HESSE_MULTIVERSION double block_distance(const double* a, const double* b, Index n) {
  std::array<double, kLanes> sums{};
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (Index l = 0; l < kLanes; ++l) {
      const double d = a[i + l] - b[i + l];
      sums[static_cast<std::size_t>(l)] += d * d;
    }
  }
  for (Index l = 0; i + l < n; ++l) sums[static_cast<std::size_t>(l)] += (a[i + l] - b[i + l]) * (a[i + l] - b[i + l]);
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

constexpr Index kBlock = 16384;  // entries of one task

}  // namespace

double dot(ConstVectorView a, ConstVectorView b) {
  return blocked_sum(a.size(), kBlock,
                     [&](Index begin, Index n) { return block_dot(a.data() + begin, b.data() + begin, n); });
}

double norm(ConstVectorView a) {
  const double square = dot(a, a);
  // Squares that left the range of double are formed again from scaled entries.
  if (square > 1e-290 && square < 1e300) return std::sqrt(square);
  if (a.size() == 0) return 0;
  const double largest = a.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  if (!(largest > 0) || !std::isfinite(largest)) return largest;
  return largest * (a / largest).norm();
}

double distance(ConstVectorView a, ConstVectorView b) {
  return std::sqrt(blocked_sum(
      a.size(), kBlock, [&](Index begin, Index n) { return block_distance(a.data() + begin, b.data() + begin, n); }));
}

bool all_finite(ConstVectorView a) {
  // 0 * x is 0 for a finite x and NaN for any other.
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += 0.0 * a[i];
  return sum == 0;
}

}  // namespace hesse
