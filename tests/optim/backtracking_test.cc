#include "hesse/optim/globalization/backtracking.h"

#include "optim/line_functions.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

LineSearchResult search(Line& f, double first_step, const BacktrackingOptions& options,
                        double reference = -std::numeric_limits<double>::infinity()) {
  const Vector x = Vector::Zero(1);
  const Vector d = Vector::Ones(1);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  const double slope = g[0];
  f.evaluations = 0;
  Vector x_new(1);
  Vector g_new(1);
  const LineSearchResult result = backtracking(f, x, d, value, slope, first_step, reference, options, x_new, g_new);
  if (result.accepted()) {
    CHECK(x_new[0] == result.step);
    Vector fresh;
    CHECK(f.value_and_gradient(x_new, fresh) == result.value);
    CHECK(g_new == fresh);
    --f.evaluations;
  }
  CHECK(f.evaluations == result.evaluations);
  return result;
}

}  // namespace

TEST_CASE("Backtracking decreases sufficiently on the functions of More and Thuente, by steps within [0.1, 0.5]") {
  for (const MoreThuenteCase& c : more_thuente_cases()) {
    for (const double start : {1e-3, 1e-1, 1e1, 1e3}) {
      std::vector<double> trials;
      Line f([&](double a) {
        trials.push_back(a);
        return c.phi(a);
      });
      BacktrackingOptions options;
      options.ftol = c.mu;
      const LineSearchResult result = search(f, start, options);
      CAPTURE(c.name, start, result.step, result.evaluations);
      REQUIRE(result.status == LineSearchStatus::armijo);
      const auto [value0, slope0] = c.phi(0);
      CHECK(c.phi(result.step).first <= value0 + c.mu * result.step * slope0);
      // The first is at 0; the last is the check of the test.
      for (std::size_t i = 2; i + 1 < trials.size(); ++i) {
        CHECK(trials[i] >= 0.1 * trials[i - 1] * (1 - kEps));
        CHECK(trials[i] <= 0.5 * trials[i - 1] * (1 + kEps));
      }
    }
  }
}

TEST_CASE("The second trial is the minimiser of the quadratic and the third that of the cubic") {
  // A quadratic with minimiser 1: from 3, where it is too high, back to 1 exactly.
  Line quadratic([](double a) { return std::pair{(a - 1) * (a - 1), 2 * (a - 1)}; });
  const LineSearchResult second = search(quadratic, 3, {});
  CHECK(second.evaluations == 2);
  CHECK(std::abs(second.step - 1) <= 4 * kEps);
  // The cubic a^3 - a^2 - a + 5 has its minimiser at 1; sufficient decrease of 0.45 |slope| excludes the second trial,
  // which is the quadratic's 1 / (1 + 1) of 2, clamped to half of it.
  BacktrackingOptions options;
  options.ftol = 0.49;
  options.contraction_min = 0.01;
  options.contraction_max = 0.99;
  std::vector<double> trials;
  Line cubic([&](double a) {
    trials.push_back(a);
    return std::pair{a * a * a / 3 + 0.5 * a * a - 2 * a, a * a + a - 2};
  });
  search(cubic, 9, options);
  REQUIRE(trials.size() >= 4);
  // phi(9) - phi(0) - 9 phi'(0) = 243 + 40.5: the quadratic's minimiser is 2 * 81 / (2 * 283.5).
  CHECK(std::abs(trials[2] - 81 / 283.5) <= 4 * kEps);
}

TEST_CASE("The third trial is the minimiser of a cubic, exactly") {
  // phi = a^3/3 + a^2/2 - 2a has its minimiser at 1. The second trial is made to fail by a value that only it has.
  BacktrackingOptions options;
  options.contraction_min = 1e-3;
  options.contraction_max = 0.999;
  std::vector<double> trials;
  // With phi(4), phi(16/...) both above the line of sufficient decrease: a cubic steep enough beyond its minimiser.
  const auto phi = [](double a) { return 40 * (a * a * a / 3 - 0.02 * a * a) - 0.01 * a; };
  const auto slope = [](double a) { return 40 * (a * a - 0.04 * a) - 0.01; };
  Line f([&](double a) {
    trials.push_back(a);
    return std::pair{phi(a), slope(a)};
  });
  options.ftol = 0.499;
  search(f, 0.8, options);
  REQUIRE(trials.size() >= 4);
  if (phi(trials[2]) > phi(0) + options.ftol * trials[2] * slope(0)) {
    // 40 a^2 - 1.6 a - 0.01 = 0.
    const double minimiser = (1.6 + std::sqrt(1.6 * 1.6 + 1.6)) / 80;
    CHECK(std::abs(trials[3] - minimiser) <= 1e-12);
  }
}

TEST_CASE("A non-monotone reference lets the value rise to it and no further") {
  Line f([](double a) { return std::pair{1 + 2 * a * a - 0.1 * a, 4 * a - 0.1}; });
  CHECK(search(f, 1, {}).evaluations > 1);
  const LineSearchResult high = search(f, 1, {}, 3.0);
  CHECK(high.status == LineSearchStatus::armijo);
  CHECK(high.step == 1);
  CHECK(high.value > 1);
  const LineSearchResult lower = search(f, 1, {}, 1.5);
  CHECK(lower.step < 1);
  CHECK(lower.value <= 1.5);
  CHECK(search(f, 1, {}, std::nan("")).step == search(f, 1, {}).step);
}

TEST_CASE("The non-monotone references are those of Grippo, Lampariello and Lucidi and of Zhang and Hager") {
  const std::vector<double> values = {5, 4, 6, 3, 2, 2.5, 1};
  NonmonotoneReference maximum{NonmonotoneKind::maximum, 3};
  NonmonotoneReference average{NonmonotoneKind::average, 1, 0.85};
  NonmonotoneReference mean{NonmonotoneKind::average, 1, 1};
  NonmonotoneReference last{NonmonotoneKind::average, 1, 0};
  NonmonotoneReference monotone{NonmonotoneKind::monotone, 4};
  CHECK_THROWS_AS(maximum.value(), Error);
  const std::vector<double> greatest = {5, 5, 6, 6, 6, 3, 2.5};
  double sum = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    for (NonmonotoneReference* r : {&maximum, &average, &mean, &last, &monotone}) {
      if (k == 0) {
        r->reset(values[k]);
      } else {
        r->update(values[k]);
      }
    }
    sum += values[k];
    CHECK(maximum.value() == greatest[k]);
    CHECK(mean.value() == Approx(sum / static_cast<double>(k + 1)));
    CHECK(last.value() == values[k]);
    CHECK(monotone.value() == values[k]);
    // C_k is the mean with weights eta^(k - i).
    double weighted = 0;
    double weights = 0;
    for (std::size_t i = 0; i <= k; ++i) {
      const double w = std::pow(0.85, static_cast<double>(k - i));
      weighted += w * values[i];
      weights += w;
    }
    CHECK(average.value() == Approx(weighted / weights));
    CHECK(average.value() >= values[k] * (values[k] == greatest[k] ? 0 : 1));
  }
  NonmonotoneReference impossible{NonmonotoneKind::maximum, 0};
  CHECK_THROWS_AS(impossible.reset(1), Error);
}

TEST_CASE("Near rounding backtracking accepts by slopes, and says why it found no step") {
  Line rounded([](double a) { return std::pair{a == 0 ? 1.0 : 1.0 + kEps, 2e-20 * (a - 1)}; });
  const LineSearchResult slopes = search(rounded, 1, {});
  CHECK(slopes.status == LineSearchStatus::approximate_wolfe);
  CHECK(slopes.evaluations == 1);
  Line rising([](double a) { return std::pair{a, 1.0}; });
  CHECK(search(rising, 1, {}).status == LineSearchStatus::not_descent);
  Line undefined([](double a) { return a == 0 ? std::pair{1.0, -1.0} : std::pair{std::nan(""), std::nan("")}; });
  CHECK(search(undefined, 1, {}).status == LineSearchStatus::non_finite);
  Line start([](double) { return std::pair{1.0, std::nan("")}; });
  CHECK(search(start, 1, {}).status == LineSearchStatus::non_finite);
  Line constant([](double a) { return std::pair{a == 0 ? 1.0 : 1.0 + kEps, -1e-18}; });
  CHECK(search(constant, 1, {}).status == LineSearchStatus::at_rounding);
  Line lying([](double a) { return std::pair{1.0 + a, -1.0}; });
  CHECK(search(lying, 1, {}).status == LineSearchStatus::failed);
  BacktrackingOptions options;
  options.contraction_max = 1;
  CHECK_THROWS_AS(search(lying, 1, options), Error);
  CHECK_THROWS_AS(search(lying, -1, {}), Error);
}

TEST_CASE("Backtracking comes back into a domain beyond which f is not finite") {
  const double first = GENERATE(0.9999, 2.0, 1e6);
  Line f([&](double a) {
    return a >= 1 ? std::pair{std::nan(""), std::nan("")} : std::pair{-std::log(1 - a) - 3 * a, 1 / (1 - a) - 3};
  });
  const LineSearchResult result = search(f, first, {});
  REQUIRE(result.status == LineSearchStatus::armijo);
  CHECK(result.step < 1);
  CHECK(result.value < 0);
}
