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

HESSE_MULTIVERSION double block_add_and_dot(double a, const double* x, double b, double* __restrict y, const double* z,
                                            Index n) {
  std::array<double, kLanes> sums{};
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (Index l = 0; l < kLanes; ++l) {
      y[i + l] = b * y[i + l] + a * x[i + l];
      sums[static_cast<std::size_t>(l)] += y[i + l] * z[i + l];
    }
  }
  for (Index l = 0; i + l < n; ++l) {
    y[i + l] = b * y[i + l] + a * x[i + l];
    sums[static_cast<std::size_t>(l)] += y[i + l] * z[i + l];
  }
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

namespace detail {

double long_dot(const double* a, const double* b, Index n) {
  return blocked_sum(n, kBlock, [&](Index begin, Index count) { return block_dot(a + begin, b + begin, count); });
}

double long_add_and_dot(double a, const double* x, double b, double* y, const double* z, Index n) {
  return blocked_sum(n, kBlock, [&](Index begin, Index count) {
    return block_add_and_dot(a, x + begin, b, y + begin, z + begin, count);
  });
}

double scaled_norm(const double* a, Index n) {
  if (n == 0) return 0;
  const Eigen::Map<const Vector> v(a, n);
  const double largest = v.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  if (!(largest > 0) || !std::isfinite(largest)) return largest;
  return largest * (v / largest).norm();
}

}  // namespace detail

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
