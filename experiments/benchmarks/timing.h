/// \file
/// Times of the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace hesse::benchmark {

inline double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Median of the times of `body`, repeated for about half a second after one warm-up.
inline double median_seconds(const std::function<void()>& body) {
  body();
  std::vector<double> times;
  double total = 0;
  while ((total < 0.5 && times.size() < 200) || times.size() < 5) {
    times.push_back(seconds_of(body));
    total += times.back();
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

}  // namespace hesse::benchmark
