#include "hesse/optim/schedule.h"
#include "hesse/core/error.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace hesse;

namespace {

ScheduleValue at(const std::string& text, std::int64_t step, double share = std::nan("")) {
  return schedules().make(parse_spec(text), {})({step, share});
}
double rate(const std::string& text, std::int64_t step, double share = std::nan("")) {
  return at(text, step, share).rate;
}

}  // namespace

TEST_CASE("Each schedule takes the values of its formula at the corners of its course") {
  struct Point {
    const char* text;
    std::int64_t step;
    double rate;
  };
  const std::vector<Point> points = {
      {"constant:factor=0.5", 7, 0.5},
      {"step:every=10,gamma=0.5", 9, 1},
      {"step:every=10,gamma=0.5", 10, 0.5},
      {"step:every=10,gamma=0.5", 25, 0.25},
      {"exponential:over=10,gamma=0.5", 5, std::sqrt(0.5)},
      {"cosine:steps=100", 0, 1},
      {"cosine:steps=100", 50, 0.5},
      {"cosine:steps=100,final=0.1", 100, 0.1},
      {"cosine:steps=100,final=0.1", 250, 0.1},
      {"sgdr:period=10,growth=1", 10, 1},
      {"sgdr:period=10,growth=1", 15, 0.5},
      {"sgdr:period=10,growth=2", 10, 1},
      {"sgdr:period=10,growth=2", 20, 0.5},
      {"sgdr:period=10,growth=2", 30, 1},
      {"sgdr:period=10,growth=2", 50, 0.5},
      {"sgdr:period=10,growth=2", 70, 1},
      {"warmup:over=10,start=0", 0, 0},
      {"warmup:over=10,start=0", 5, 0.5},
      {"warmup:over=10", 10, 1},
      {"warmup:over=10", 99, 1},
      {"warmup-cosine:warmup=0.2,steps=100", 10, 0.5005},
      {"warmup-cosine:warmup=0.2,steps=100", 20, 1},
      {"warmup-cosine:warmup=0.2,steps=100", 60, 0.5},
      {"wsd:warmup=0.1,decay=0.2,steps=100", 5, 0.5005},
      {"wsd:warmup=0.1,decay=0.2,steps=100", 80, 1},
      {"wsd:warmup=0.1,decay=0.2,steps=100", 90, 0.5},
      {"cyclical:half_period=10,low=0.2", 0, 0.2},
      {"cyclical:half_period=10,low=0.2", 10, 1},
      {"cyclical:half_period=10,low=0.2", 20, 0.2},
      {"cyclical:half_period=10,low=0.2", 25, 0.6},
      {"cyclical:mode=triangular2,half_period=10,low=0.2", 30, 0.6},
      {"cyclical:mode=exp_range,half_period=10,low=0.2,gamma=0.9", 10, 0.2 + 0.8 * std::pow(0.9, 10)},
      {"one-cycle:steps=100,rise=0.3", 0, 1.0 / 25},
      {"one-cycle:steps=100,rise=0.3", 30, 1},
      {"one-cycle:steps=100,rise=0.3", 100, 1.0 / 25 / 1e4},
      {"polynomial:steps=100,power=2", 50, 0.25},
      {"polynomial:steps=100,power=2,final=0.1", 50, 0.1 + 0.9 * 0.25},
      {"nag-momentum", 1000, 1},
  };
  for (const Point& p : points) {
    CAPTURE(p.text, p.step);
    // Interpolation and powers of numbers of order 1; sgdr's clock is a relative 1e-12 ahead, lest a restart come late.
    CHECK(std::abs(rate(p.text, p.step) - p.rate) <= (std::string(p.text).starts_with("sgdr") ? 1e-11 : 1e-14));
  }
  CHECK(at("one-cycle:steps=100", 0).momentum == Approx(0.95).epsilon(1e-14));
  CHECK(at("one-cycle:steps=100", 30).momentum == Approx(0.85).epsilon(1e-14));
  CHECK(at("one-cycle:steps=100", 100).momentum == Approx(0.95).epsilon(1e-14));
  CHECK(std::isnan(at("cosine:steps=100", 3).momentum));
  // mu_t = min(1 - 2^(-1 - log2(floor(t / 250) + 1)), mu_max).
  for (const std::int64_t t : {0, 249, 250, 999, 5000, 1000000}) {
    CHECK(at("nag-momentum:max=0.995", t).momentum ==
          Approx(std::min(1 - std::pow(2, -1 - std::log2(std::floor(static_cast<double>(t) / 250) + 1)), 0.995))
              .epsilon(1e-14));
  }
}

TEST_CASE("A share of the budget stands for the steps, and a schedule without either says what it lacks") {
  for (const auto& entry : schedules().entries()) {
    std::string with_steps = entry.name;
    for (const OptionInfo& option : entry.options) {
      if (option.name == "steps") with_steps += ":steps=1000";
    }
    for (std::int64_t step = 0; step <= 1000; step += 7) {
      const double share = static_cast<double>(step) / 1000;
      const ScheduleValue a = at(with_steps, step);
      const ScheduleValue b = at(entry.name, step, share);
      CAPTURE(entry.name, step);
      CHECK(std::abs(a.rate - b.rate) <= 1e-9);
      CHECK(a.rate >= 0);
      CHECK(a.rate <= 1);
      CHECK((std::isnan(a.momentum) || (a.momentum >= 0 && a.momentum < 1)));
    }
  }
  CHECK_THROWS_WITH(rate("cosine", 3), Catch::Contains("steps=N"));
}

TEST_CASE("Warm restarts come at the steps that the sum of the periods gives, none late") {
  for (const double growth : {1.5, 2.0, 3.0}) {
    double start = 0;
    double length = 8;
    for (int i = 0; i < 5; ++i) {
      const auto step = static_cast<std::int64_t>(std::ceil(start));
      const std::string text = "sgdr:period=8,growth=" + std::to_string(growth);
      // The rate at the first step of a period: within the part of a step by which it starts late.
      const double u = (static_cast<double>(step) - start) / length;
      CHECK(rate(text, step) == Approx(0.5 * (1 + std::cos(3.14159265358979 * u))).epsilon(1e-9));
      if (i > 0) CHECK(rate(text, step - 1) < 0.1);
      start += length;
      length *= growth;
    }
  }
}
