#include "hesse/core/denormals.h"

#include "hesse/core/parallel.h"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

using namespace hesse;

namespace {

/// Half of the smallest normal number as it comes out of a multiplication on this thread: itself, or 0.
float half_of_smallest() {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = 0.5F;
  return smallest * half;
}

}  // namespace

TEST_CASE("Denormals are zero within a scope and in the tasks of its parallel loops alone on any number of threads") {
  const std::uint64_t mode = floating_point_mode();
  if (mode == 0) return;  // a processor whose mode is not known
  const int before = threads();
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    std::vector<float> within(2000, 1), without(2000, 0);
    REQUIRE(half_of_smallest() > 0);
    {
      const DenormalsAsZero scope;
      CHECK(half_of_smallest() == 0);
      parallel_for(2000, [&](Index task) { within[static_cast<std::size_t>(task)] = half_of_smallest(); });
      const DenormalsAsZero nested;
      CHECK(half_of_smallest() == 0);
    }
    CHECK(half_of_smallest() > 0);
    CHECK(floating_point_mode() == mode);
    parallel_for(2000, [&](Index task) { without[static_cast<std::size_t>(task)] = half_of_smallest(); });
    for (const float product : within) CHECK(product == 0);
    for (const float product : without) CHECK(product > 0);
  }
  set_threads(before);
}
