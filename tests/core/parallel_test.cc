#include "hesse/core/parallel.h"

#include "hesse/core/error.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace hesse;

TEST_CASE("a parallel loop runs each task exactly once, for any number of threads") {
  const int n = GENERATE(1, 2, 3, 4, 8);
  set_threads(n);
  for (const Index tasks : {0, 1, 2, 3, 100, 1000}) {
    std::vector<int> count(static_cast<std::size_t>(tasks), 0);
    parallel_for(tasks, [&](Index i) { ++count[static_cast<std::size_t>(i)]; });
    CHECK(std::vector<int>(static_cast<std::size_t>(tasks), 1) == count);
  }
  set_threads(2);
}

TEST_CASE("a loop inside a loop runs on the calling thread, and the lowest failing task's exception comes out") {
  set_threads(4);
  std::vector<int> sums(8, 0);
  parallel_for(8, [&](Index i) {
    parallel_for(10, [&](Index j) { sums[static_cast<std::size_t>(i)] += static_cast<int>(j); });
  });
  CHECK(std::vector<int>(8, 45) == sums);
  for (int repeat = 0; repeat < 100; ++repeat) {
    REQUIRE_THROWS_WITH(parallel_for(20,
                                     [](Index i) {
                                       if (i >= 5) fail("task {}", i);
                                     }),
                        "task 5");
  }
  set_threads(2);
}

TEST_CASE("an impossible number of threads is refused") { CHECK_THROWS_AS(set_threads(0), Error); }
