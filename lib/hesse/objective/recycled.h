/// \file
/// Operators handed out by shared_ptr and taken back when nobody holds them any more, so that an
/// objective linearised at every step allocates nothing after the first.
#pragma once

#include <memory>
#include <vector>

namespace hesse {

/// An element of `pool` that only the pool holds, or a new one made by `make()`.
template <class T, class Make>
std::shared_ptr<T> recycled(std::vector<std::shared_ptr<T>>& pool, const Make& make) {
  for (const auto& candidate : pool) {
    if (candidate.use_count() == 1) return candidate;
  }
  pool.push_back(make());
  return pool.back();
}

}  // namespace hesse
