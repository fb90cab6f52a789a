#include "hesse/optim/globalization/hager_zhang.h"

#include "optim/line_functions.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

struct Found {
  LineSearchResult result;
  double slope = 0;
};

Found search(Line& f, double first_step, const HagerZhangOptions& options) {
  const Vector x = Vector::Zero(1);
  const Vector d = Vector::Ones(1);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  const double slope = g[0];
  f.evaluations = 0;
  Vector x_new(1);
  Vector g_new(1);
  Found found;
  found.result = hager_zhang(f, x, d, value, slope, first_step, options, x_new, g_new);
  found.slope = g_new[0];
  if (found.result.accepted()) CHECK(x_new[0] == found.result.step);
  CHECK(f.evaluations == found.result.evaluations);
  CHECK(found.result.evaluations <= options.max_evaluations);
  return found;
}

}  // namespace

TEST_CASE("The Hager-Zhang search satisfies its conditions T1 or T2 on the functions of More and Thuente") {
  for (const MoreThuenteCase& c : more_thuente_cases()) {
    for (const double start : {1e-3, 1e-1, 1e1, 1e3}) {
      for (const bool approximate : {true, false}) {
        for (const bool tight : {false, true}) {
          Line f(c.phi);
          HagerZhangOptions options;
          options.approximate = approximate;
          if (tight) {
            options.delta = std::min(c.mu, c.eta);
            options.sigma = c.eta;
          }
          const Found found = search(f, start, options);
          CAPTURE(c.name, start, approximate, tight, found.result.step, found.result.evaluations);
          REQUIRE(found.result.accepted());
          // From fresh evaluations.
          const auto [value0, slope0] = c.phi(0);
          const auto [value, slope] = c.phi(found.result.step);
          CHECK(found.result.value == value);
          CHECK(found.slope == slope);
          CHECK(slope >= options.sigma * slope0);
          const bool t1 = value <= value0 + options.delta * found.result.step * slope0;
          const bool t2 =
              slope <= (2 * options.delta - 1) * slope0 && value <= value0 + options.epsilon * std::abs(value0);
          if (found.result.status == LineSearchStatus::approximate_wolfe) {
            CHECK(approximate);
            CHECK(t2);
          } else {
            CHECK(t1);
            CHECK((found.result.status == LineSearchStatus::strong_wolfe) ==
                  (std::abs(slope) <= options.sigma * -slope0));
          }
        }
      }
    }
  }
}

TEST_CASE("On a quadratic one secant step finds the minimiser") {
  // phi = (a - 2)^2: a bracket from the first trial, then the secant, exact to a few roundings of 2.
  Line f([](double a) { return std::pair{(a - 2) * (a - 2), 2 * (a - 2)}; });
  HagerZhangOptions options;
  options.sigma = 0.1;
  const Found found = search(f, 5.0, options);
  CHECK(found.result.status == LineSearchStatus::strong_wolfe);
  CHECK(std::abs(found.result.step - 2) <= 10 * kEps);
  CHECK(found.result.evaluations == 2);
}

TEST_CASE("A weak Wolfe step with a large positive slope is not called strong") {
  // phi' = -1 + 50 max(a - 1, 0)^2: at 1.3 the slope is 3.5 and the value still far below.
  Line f([](double a) {
    const double t = std::max(a - 1, 0.0);
    return std::pair{-a + 50.0 / 3 * t * t * t, -1 + 50 * t * t};
  });
  const Found found = search(f, 1.3, {});
  CHECK(found.result.evaluations == 1);
  CHECK(found.slope > 0.9);
  CHECK(found.result.status == LineSearchStatus::wolfe);
  CHECK(found.result.accepted());
}

TEST_CASE("Where values drown in rounding the Hager-Zhang search still finds the minimiser by slopes") {
  // f = 1 + 1e-20 (a - 1)^2: every value is 1, up to a unit in the last place.
  Line f([](double a) { return std::pair{a == 0 ? 1.0 : 1.0 + kEps, 2e-20 * (a - 1)}; });
  HagerZhangOptions options;
  options.sigma = 0.1;
  for (const bool approximate : {true, false}) {
    for (const double start : {1e-2, 1.0, 30.0}) {
      options.approximate = approximate;
      const Found found = search(f, start, options);
      CAPTURE(start, approximate, found.result.step);
      CHECK(found.result.status == LineSearchStatus::approximate_wolfe);
      CHECK(std::abs(found.slope) <= 0.8 * 2e-20);
    }
  }
}

TEST_CASE("Without approximate steps a visible increase is never accepted") {
  // Values that a search of the published kind accepts: slopes right, 1e-8 above the first, of size one.
  Line f([](double a) { return std::pair{1.0 + (a > 0 ? 1e-8 : 0.0) + 1e-12 * (a - 1) * (a - 1), 2e-12 * (a - 1)}; });
  CHECK(search(f, 1.0, {}).result.status == LineSearchStatus::approximate_wolfe);
  HagerZhangOptions strict;
  strict.approximate = false;
  strict.epsilon = 1e-6;
  const Found found = search(f, 1.0, strict);
  if (found.result.accepted()) CHECK(-strict.delta * found.result.step * -2e-12 <= 100 * 10 * 1e-15);
}

TEST_CASE("The Hager-Zhang search says why it found no step") {
  HagerZhangOptions options;
  SECTION("no descent") {
    Line f([](double a) { return std::pair{a, 1.0}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::not_descent);
    Line flat([](double) { return std::pair{1.0, 0.0}; });
    CHECK(search(flat, 1.0, options).result.status == LineSearchStatus::not_descent);
  }
  SECTION("NaN at every trial, and at the start") {
    Line f([](double a) { return a == 0 ? std::pair{1.0, -1.0} : std::pair{std::nan(""), std::nan("")}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::non_finite);
    Line g([](double) { return std::pair{1.0, std::nan("")}; });
    CHECK(search(g, 1.0, options).result.status == LineSearchStatus::non_finite);
  }
  SECTION("values that no step changes, slopes that are wrong") {
    Line f([](double) { return std::pair{1.0, -1e-18}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::at_rounding);
  }
  SECTION("a slope that lies: f rises everywhere") {
    Line f([](double a) { return std::pair{1.0 + a, -1.0}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::failed);
  }
  SECTION("a function unbounded below") {
    Line f([](double a) { return std::pair{-a, -1.0}; });
    CHECK(!search(f, 1.0, options).result.accepted());
  }
  SECTION("options that are impossible") {
    Line f([](double a) { return std::pair{-a, -1.0}; });
    options.delta = 0.6;
    CHECK_THROWS_AS(search(f, 1.0, options), Error);
    options = {};
    options.rho = 1;
    CHECK_THROWS_AS(search(f, 1.0, options), Error);
    CHECK_THROWS_AS(search(f, 0.0, {}), Error);
  }
}

TEST_CASE("The Hager-Zhang search stays inside a domain beyond which f is not finite") {
  // -log(1 - a) - 3 a: minimiser 2/3, a pole at 1; the first trials lie beyond it or short of it.
  const double first = GENERATE(1e-4, 0.1, 0.9999, 2.0, 1e6);
  const double beyond = GENERATE(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
  Line f([&](double a) {
    return a >= 1 ? std::pair{beyond, beyond} : std::pair{-std::log(1 - a) - 3 * a, 1 / (1 - a) - 3};
  });
  HagerZhangOptions options;
  options.sigma = 0.1;
  const Found found = search(f, first, options);
  CAPTURE(first, found.result.step, found.result.evaluations);
  REQUIRE(found.result.accepted());
  CHECK(found.slope >= 0.1 * -2);
  CHECK(found.result.value < 0);
}

TEST_CASE("The rules for the first step: a share of x, of f, one, the quadratic's minimiser, or growth") {
  const Vector x = Eigen::Vector2d(-3, 1);
  const Vector g = Eigen::Vector2d(0.5, -6);
  CHECK(hager_zhang_first_step(x, g, 7) == Approx(0.01 * 3 / 6));
  CHECK(hager_zhang_first_step(Vector::Zero(2), g, -7) == Approx(0.01 * 7 / 36.25));
  CHECK(hager_zhang_first_step(Vector::Zero(2), g, 0) == 1);
  CHECK(hager_zhang_first_step(x, Vector::Zero(2), 1) == 1);
  CHECK(hager_zhang_first_step(Vector(0), Vector(0), 1) == 1);
  const Vector origin = Vector::Zero(1);
  const Vector d = Vector::Ones(1);
  Vector x_new(1);
  Line quadratic([](double a) { return std::pair{(a - 2) * (a - 2), 2 * (a - 2)}; });
  const InitialStep exact = hager_zhang_next_step(quadratic, origin, d, 4, -4, 1, {}, x_new);
  CHECK(exact.step == Approx(2).epsilon(1e-12));
  CHECK(exact.values == 1);
  // A probe that is no lower, one on a concave function, one that is not finite, one that rounding decides: growth.
  CHECK(hager_zhang_next_step(quadratic, origin, d, 4, -4, 100, {}, x_new).step == 200);
  Line concave([](double a) { return std::pair{-a - a * a, -1 - 2 * a}; });
  CHECK(hager_zhang_next_step(concave, origin, d, 0, -1, 1, {}, x_new).step == 2);
  Line undefined([](double a) { return a == 0 ? std::pair{1.0, -1.0} : std::pair{std::nan(""), 0.0}; });
  CHECK(hager_zhang_next_step(undefined, origin, d, 1, -1, 1, {}, x_new).step == 2);
  Line flat([](double a) { return std::pair{1.0, 2e-20 * (a - 1)}; });
  CHECK(hager_zhang_next_step(flat, origin, d, 1, -2e-20, 1, {}, x_new).step == 2);
}
