#include "core/refusal.h"

#include "hesse/core/panel_product.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace hesse;
using Catch::Contains;

TEST_CASE("the number of threads cannot change inside a parallel loop") {
  const int before = threads();
  set_threads(2);
  std::vector<std::string> texts(2);
  parallel_for(2, [&](Index i) { texts[static_cast<std::size_t>(i)] = refusal([] { set_threads(3); }); });
  for (const std::string& text : texts) CHECK_THAT(text, Contains("cannot change inside a parallel loop"));
  CHECK(threads() == 2);
  set_threads(before);
}

TEST_CASE("a stream of random numbers has 2^32 steps") {
  CHECK_NOTHROW(RandomStream(1, Purpose::synthetic_data, 0xFFFFFFFFU));
  CHECK_THAT(refusal([] { RandomStream(1, Purpose::synthetic_data, std::uint64_t{1} << 32U); }),
             Contains("step 4294967296 exceeds 2^32 - 1"));
}

TEST_CASE("panel products refuse a machine or a build without AVX-512") {
  if (panel_product_available()) return;
  const ProductOperand<double> none{};
  CHECK_THAT(refusal([&] { panel_product(none, none, 0, false, nullptr, 0, 0); }), Contains("without AVX-512"));
}
