#include "hesse/report/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

double quantile(std::span<const double> sorted, double p) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double h = static_cast<double>(sorted.size() - 1) * p;
  const auto below = static_cast<std::size_t>(std::floor(h));
  const double weight = h - static_cast<double>(below);
  const double low = sorted[below];
  // Without this, an order statistic beside an infinity would become 0 * inf = NaN, and one between
  // two infinities inf - inf.
  if (weight == 0 || low == sorted[below + 1]) return low;
  const double high = sorted[below + 1];
  if (std::isinf(low)) return low;
  if (std::isinf(high)) return high;
  return low + weight * (high - low);
}

SampleSummary summarise(std::span<const double> values, Failures failures, bool higher_is_better) {
  SampleSummary out;
  out.n = static_cast<Index>(values.size());
  std::vector<double> sorted;
  for (const double value : values) {
    if (std::isfinite(value)) {
      sorted.push_back(value);
      continue;
    }
    ++out.failures;
    const double worst = std::numeric_limits<double>::infinity();
    if (failures == Failures::as_worst) sorted.push_back(higher_is_better ? -worst : worst);
  }
  std::sort(sorted.begin(), sorted.end());
  out.median = quantile(sorted, 0.5);
  out.lower_quartile = quantile(sorted, 0.25);
  out.upper_quartile = quantile(sorted, 0.75);
  out.least = quantile(sorted, 0);
  out.greatest = quantile(sorted, 1);
  return out;
}

}  // namespace hesse
