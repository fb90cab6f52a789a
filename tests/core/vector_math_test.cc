#include "hesse/core/vector_math.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace hesse;

namespace {

/// Numbers of both signs whose magnitudes run through every binade from `smallest` to `largest`, and
/// evenly spaced ones around 0, where the reduction changes its branches.
template <class T>
std::vector<T> sample_points(T smallest, T largest) {
  std::vector<T> points = {T(0), -T(0)};
  for (T binade = smallest; binade < largest; binade *= T(2)) {
    for (int i = 0; i < 64; ++i) {
      const T magnitude = binade * (T(1) + T(i) / T(64) + T(0.001));
      if (magnitude > largest) continue;
      points.push_back(magnitude);
      points.push_back(-magnitude);
    }
  }
  for (int i = -20000; i <= 20000; ++i) points.push_back(T(i) * T(30) / T(20000));
  return points;
}

long double exact_sigmoid(long double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
long double exact_softplus(long double x) { return std::fmax(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }

/// Largest error in units of T's spacing relative to the exact value, over results that are normal.
template <class T, class Exact>
double worst_error(void (*function)(Index, const T*, T*), Exact exact, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  function(static_cast<Index>(x.size()), x.data(), y.data());
  long double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double expected = exact(static_cast<long double>(x[i]));
    if (expected == 0) {
      if (y[i] != T(0)) return std::numeric_limits<double>::infinity();
      continue;
    }
    const long double error = std::fabs(static_cast<long double>(y[i]) - expected) / std::fabs(expected);
    if (!(error <= worst)) worst = error;
  }
  return static_cast<double>(worst / static_cast<long double>(std::numeric_limits<T>::epsilon()));
}

}  // namespace

// The oracle is the C library in long double, whose own error is 2^-11 of a double's spacing. The
// bounds: argument reduction, polynomial and the closing division or product each round once or
// twice, so that four spacings cover the worst case.

TEMPLATE_TEST_CASE("tanh keeps its relative accuracy from the denormal numbers to saturation", "", float, double) {
  using Limits = std::numeric_limits<TestType>;
  const auto x = sample_points<TestType>(Limits::denorm_min(), TestType(1000));
  CHECK(worst_error<TestType>(
            vector_tanh, [](long double t) { return std::tanh(t); }, x) <= 4.0);
}

TEMPLATE_TEST_CASE("exp, sigmoid and softplus are accurate wherever their results are normal", "", float, double) {
  using Limits = std::numeric_limits<TestType>;
  // Just inside the range in which exp(-|x|) is a normal number.
  const TestType largest = std::is_same_v<TestType, float> ? TestType(86.5) : TestType(707.5);
  const auto x = sample_points<TestType>(Limits::min(), largest);
  CHECK(worst_error<TestType>(
            vector_exp, [](long double t) { return std::exp(t); }, x) <= 4.0);
  CHECK(worst_error<TestType>(vector_sigmoid, exact_sigmoid, x) <= 4.0);
  CHECK(worst_error<TestType>(vector_softplus, exact_softplus, x) <= 4.0);
}

TEMPLATE_TEST_CASE("the normal distribution and density are accurate wherever they are normal numbers", "", float,
                   double) {
  using Limits = std::numeric_limits<TestType>;
  // exp(-x^2 / 2) is flushed to 0 below exp(-708), or exp(-87).
  const TestType largest = std::is_same_v<TestType, float> ? TestType(13.1) : TestType(37.6);
  std::vector<TestType> x;
  for (const TestType t : sample_points<TestType>(Limits::min(), TestType(40))) {
    if (std::abs(t) <= largest) x.push_back(t);
  }
  std::vector<TestType> distribution(x.size()), density(x.size());
  vector_normal(static_cast<Index>(x.size()), x.data(), distribution.data(), density.data());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto t = static_cast<long double>(x[i]);
    const long double tail = 0.5L * std::erfc(-t / std::sqrt(2.0L));
    const long double height = std::exp(-t * t / 2) / std::sqrt(2 * std::acos(-1.0L));
    const auto error = [](TestType found, long double exact) {
      return static_cast<double>(std::fabs(static_cast<long double>(found) - exact) / exact) / Limits::epsilon();
    };
    for (const double e : {error(distribution[i], tail), error(density[i], height)}) {
      if (!(e <= worst)) worst = e;
    }
  }
  // About a dozen roundings of half a spacing each.
  CHECK(worst <= 6.0);
  const std::vector<TestType> ends = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                                      TestType(1e4),      TestType(-1e4),      TestType(0)};
  distribution.resize(6);
  density.resize(6);
  vector_normal(6, ends.data(), distribution.data(), density.data());
  CHECK((distribution[0] == 1 && distribution[1] == 0 && std::isnan(distribution[2]) && distribution[3] == 1 &&
         distribution[4] == 0 && std::abs(distribution[5] - TestType(0.5)) <= Limits::epsilon()));
  CHECK((density[0] == 0 && density[1] == 0 && std::isnan(density[2]) && density[3] == 0 && density[4] == 0));
}

TEMPLATE_TEST_CASE("the ends of the range: infinities, NaN, overflow and the sign of zero", "", float, double) {
  using Limits = std::numeric_limits<TestType>;
  const TestType inf = Limits::infinity();
  const std::vector<TestType> x = {inf, -inf, Limits::quiet_NaN(), TestType(1e4), TestType(-1e4), -TestType(0)};
  std::vector<TestType> y(x.size());
  const auto n = static_cast<Index>(x.size());

  vector_tanh(n, x.data(), y.data());
  CHECK((y[0] == 1 && y[1] == -1 && std::isnan(y[2]) && y[3] == 1 && y[4] == -1));
  CHECK((y[5] == 0 && std::signbit(y[5])));

  vector_exp(n, x.data(), y.data());
  CHECK((y[0] == inf && y[1] == 0 && std::isnan(y[2]) && y[3] == inf && y[4] == 0 && y[5] == 1));

  vector_sigmoid(n, x.data(), y.data());
  CHECK((y[0] == 1 && y[1] == 0 && std::isnan(y[2]) && y[3] == 1 && y[4] == 0 && y[5] == TestType(0.5)));

  vector_softplus(n, x.data(), y.data());
  CHECK((y[0] == inf && y[1] == 0 && std::isnan(y[2]) && y[3] == TestType(1e4) && y[4] == 0));
}

TEMPLATE_TEST_CASE("an entry's value depends neither on its place nor on the array's length, also in place", "", float,
                   double) {
  for (const Index n : {0, 1, 2, 3, 10, 50}) {
    std::vector<TestType> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = TestType(0.37) * static_cast<TestType>(i) - TestType(3);
    for (const auto function : {static_cast<void (*)(Index, const TestType*, TestType*)>(vector_tanh),
                                static_cast<void (*)(Index, const TestType*, TestType*)>(vector_exp),
                                static_cast<void (*)(Index, const TestType*, TestType*)>(vector_sigmoid),
                                static_cast<void (*)(Index, const TestType*, TestType*)>(vector_softplus)}) {
      std::vector<TestType> y = x;
      function(n, y.data(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        TestType alone = 0;
        function(1, &x[i], &alone);
        // The vector and the scalar tail of a loop may contract differently: two spacings apart at most.
        CHECK(std::abs(y[i] - alone) <= 2 * std::numeric_limits<TestType>::epsilon() * std::abs(alone));
      }
    }
  }
}
