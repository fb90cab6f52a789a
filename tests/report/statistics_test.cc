#include "hesse/report/statistics.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <numeric>

using namespace hesse;

namespace {
const double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("quantiles are those of definition 7 of Hyndman and Fan") {
  // R: quantile(c(1, 3, 4, 10), c(0, .1, .25, .5, .75, 1), type = 7); all sums are exact or rounded once.
  const std::vector<double> x = {1, 3, 4, 10};
  CHECK(quantile(x, 0) == 1);
  CHECK(quantile(x, 0.1) == Approx(1.6).epsilon(1e-15));
  CHECK(quantile(x, 0.25) == 2.5);
  CHECK(quantile(x, 0.5) == 3.5);
  CHECK(quantile(x, 0.75) == 5.5);
  CHECK(quantile(x, 1) == 10);
  // For n = 4k + 1 the quartiles are order statistics themselves.
  std::vector<double> sorted(101);
  std::iota(sorted.begin(), sorted.end(), 0.0);
  CHECK(quantile(sorted, 0.25) == 25);
  CHECK(quantile(sorted, 0.75) == 75);
  CHECK(std::isnan(quantile({}, 0.5)));
  const std::vector<double> one = {7};
  for (const double p : {0.0, 0.25, 0.5, 1.0}) CHECK(quantile(one, p) == 7);
}

TEST_CASE("a quantile beside an infinity is finite on an order statistic and infinite between") {
  CHECK(quantile(std::vector<double>{1, 2, kInfinity}, 0.5) == 2);
  CHECK(quantile(std::vector<double>{1, 2, kInfinity}, 0.75) == kInfinity);
  CHECK(quantile(std::vector<double>{-kInfinity, 1, 2}, 0.25) == -kInfinity);
  CHECK(quantile(std::vector<double>{kInfinity, kInfinity}, 0.5) == kInfinity);
}

TEST_CASE("the order of a sample does not matter, and a sample of any size is summarised") {
  const SampleSummary none = summarise({});
  CHECK(none.n == 0);
  CHECK(std::isnan(none.median));
  const SampleSummary some = summarise(std::vector<double>{10, 1, 4, 3});
  CHECK(some.n == 4);
  CHECK(some.failures == 0);
  CHECK(some.median == 3.5);
  CHECK(some.lower_quartile == 2.5);
  CHECK(some.upper_quartile == 5.5);
  CHECK(some.least == 1);
  CHECK(some.greatest == 10);
}

TEST_CASE("failures rank as worst, or are left out, and are counted in either case") {
  const std::vector<double> values = {3, kNaN, 1, -kInfinity, 2};
  const SampleSummary worst = summarise(values);
  CHECK(worst.n == 5);
  CHECK(worst.failures == 2);
  CHECK(worst.median == 3);
  CHECK(worst.upper_quartile == kInfinity);
  const SampleSummary excluded = summarise(values, Failures::excluded);
  CHECK(excluded.n == 5);
  CHECK(excluded.failures == 2);
  CHECK(excluded.median == 2);
  const SampleSummary higher = summarise(values, Failures::as_worst, true);
  CHECK(higher.median == 1);
  CHECK(higher.lower_quartile == -kInfinity);
  const SampleSummary all = summarise(std::vector<double>{kNaN, kNaN}, Failures::excluded);
  CHECK(all.failures == 2);
  CHECK(std::isnan(all.median));
}
