#include "hesse/optim/globalization/line_search.h"
#include "hesse/optim/globalization/backtracking.h"
#include "hesse/optim/globalization/hager_zhang.h"

#include "hesse/core/error.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <utility>

using namespace hesse;
using detail::more_thuente_step;
using detail::TrialPoint;

namespace {

constexpr double kEps = 2.220446049250313e-16;

/// phi(alpha) as an objective in one variable.
class Line final : public Objective {
 public:
  using Phi = std::function<std::pair<double, double>(double)>;
  explicit Line(Phi phi) : phi_(std::move(phi)), layout_(1) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return phi_(x[0]).first; }
  double value_and_gradient(const Vector& x, Vector& g) override {
    ++evaluations;
    const auto [value, slope] = phi_(x[0]);
    g = Vector::Constant(1, slope);
    return value;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("line: no curvature"); }
  Index evaluations = 0;

 private:
  Phi phi_;
  ParameterLayout layout_;
};

struct Found {
  LineSearchResult result;
  double slope = 0;
};

Found search(Line& f, double first_step, const LineSearchOptions& options) {
  const Vector x = Vector::Zero(1);
  const Vector d = Vector::Ones(1);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  const double slope = g[0];
  f.evaluations = 0;
  Vector x_new(1);
  Vector g_new(1);
  Found found;
  found.result = line_search(f, x, d, value, slope, first_step, options, x_new, g_new);
  found.slope = g_new[0];
  if (found.result.accepted()) CHECK(x_new[0] == found.result.step);
  CHECK(f.evaluations == found.result.evaluations);
  return found;
}

// The six functions of More and Thuente (1994, section 5).
Line::Phi function1(double beta) {
  return [=](double a) {
    const double q = a * a + beta;
    return std::pair{-a / q, (a * a - beta) / (q * q)};
  };
}
Line::Phi function2(double beta) {
  return [=](double a) {
    const double t = a + beta;
    return std::pair{std::pow(t, 5) - 2 * std::pow(t, 4), 5 * std::pow(t, 4) - 8 * std::pow(t, 3)};
  };
}
Line::Phi function3(double beta, double l) {
  return [=](double a) {
    double value = 0;
    double slope = 0;
    if (a <= 1 - beta) {
      value = 1 - a;
      slope = -1;
    } else if (a >= 1 + beta) {
      value = a - 1;
      slope = 1;
    } else {
      value = (a - 1) * (a - 1) / (2 * beta) + beta / 2;
      slope = (a - 1) / beta;
    }
    const double w = l * std::numbers::pi / 2;
    return std::pair{value + (1 - beta) / w * std::sin(w * a), slope + (1 - beta) * std::cos(w * a)};
  };
}
Line::Phi yanai(double beta1, double beta2) {
  const auto gamma = [](double b) { return std::sqrt(1 + b * b) - b; };
  const double g1 = gamma(beta1);
  const double g2 = gamma(beta2);
  return [=](double a) {
    const double r1 = std::hypot(1 - a, beta2);
    const double r2 = std::hypot(a, beta1);
    return std::pair{g1 * r1 + g2 * r2, -g1 * (1 - a) / r1 + g2 * a / r2};
  };
}

}  // namespace

TEST_CASE("The More-Thuente search satisfies both Wolfe conditions on the six published functions") {
  struct Case {
    const char* name;
    Line::Phi phi;
    double mu, eta;
    double minimiser_low, minimiser_high;  ///< where the accepted steps may lie for the tight settings
    Index most;                            ///< evaluations from the worst of the four published starts
  };
  const Case cases[] = {{"1", function1(2), 0.001, 0.1, 1.0, 50, 6},
                        {"2", function2(0.004), 0.1, 0.1, 1.55, 1.65, 12},
                        {"3", function3(0.01, 39), 0.1, 0.1, 0.95, 1.05, 13},
                        {"4", yanai(0.001, 0.001), 0.001, 0.001, 0.05, 0.95, 4},
                        {"5", yanai(0.01, 0.001), 0.001, 0.001, 0.07, 0.08, 8},
                        {"6", yanai(0.001, 0.01), 0.001, 0.001, 0.91, 0.94, 13}};
  for (const Case& c : cases) {
    for (const double start : {1e-3, 1e-1, 1e1, 1e3}) {
      Line f(c.phi);
      LineSearchOptions options;
      options.ftol = c.mu;
      options.gtol = c.eta;
      const Found found = search(f, start, options);
      CAPTURE(c.name, start, found.result.step, found.result.evaluations);
      REQUIRE(found.result.status == LineSearchStatus::strong_wolfe);
      const auto [value0, slope0] = c.phi(0);
      const auto [value, slope] = c.phi(found.result.step);
      CHECK(found.result.value == value);
      CHECK(found.slope == slope);
      CHECK(value <= value0 + c.mu * found.result.step * slope0);
      CHECK(std::abs(slope) <= c.eta * std::abs(slope0));
      CHECK(found.result.step >= c.minimiser_low);
      CHECK(found.result.step <= c.minimiser_high);
      CHECK(found.result.evaluations <= c.most);
    }
  }
}

TEST_CASE("The four cases of the More-Thuente step are exact on cubics, and keep a minimiser bracketed") {
  // p(a) = a^3/3 - a^2/2 (roots of p': 0 and 1; minimiser 1), shifted so that the ends are where each
  // case wants them. On a cubic the cubic interpolant is p itself.
  const auto p = [](double a) { return TrialPoint{a, a * a * a / 3 - a * a / 2, a * a - a}; };
  // Steps of magnitude 1 from a well conditioned interpolation: tens of roundings.
  const double tolerance = 50 * kEps;

  SECTION("case 1, a higher value: the cubic minimiser or the mean with the quadratic one") {
    TrialPoint best = p(0.2);
    TrialPoint other = best;
    bool bracketed = false;
    const TrialPoint trial = p(2.0);
    REQUIRE(trial.value > best.value);
    const double width = trial.step - best.step;
    const double quadratic = best.step + best.slope / ((best.value - trial.value) / width + best.slope) / 2 * width;
    const double expected = std::abs(1 - 0.2) < std::abs(quadratic - 0.2) ? 1 : (1 + quadratic) / 2;
    CHECK(std::abs(more_thuente_step(best, other, trial, bracketed, 0, 10) - expected) <= tolerance);
    CHECK(bracketed);
    CHECK(best.step == 0.2);
    CHECK(other.step == 2.0);
  }
  SECTION("case 2, slopes of opposite sign: the farther of cubic and secant step") {
    TrialPoint best = p(0.2);
    TrialPoint other = best;
    bool bracketed = false;
    const TrialPoint trial = p(1.3);
    REQUIRE(trial.value <= best.value);
    const double secant = 1.3 - trial.slope / (trial.slope - best.slope) * 1.1;
    const double expected = std::abs(1 - 1.3) > std::abs(secant - 1.3) ? 1 : secant;
    CHECK(std::abs(more_thuente_step(best, other, trial, bracketed, 0, 10) - expected) <= tolerance);
    CHECK(bracketed);
    CHECK(best.step == 1.3);
    CHECK(other.step == 0.2);
  }
  SECTION("case 3, the same sign and a smaller slope: extrapolation takes the farther, within the bounds") {
    TrialPoint best = p(0.5);
    TrialPoint other = best;
    bool bracketed = false;
    const TrialPoint trial = p(0.9);
    const double secant = 0.9 - trial.slope / (trial.slope - best.slope) * 0.4;
    const double expected = std::abs(1 - 0.9) < std::abs(secant - 0.9) ? secant : 1;
    CHECK(std::abs(more_thuente_step(best, other, trial, bracketed, 0, 10) - expected) <= tolerance);
    CHECK(!bracketed);
    CHECK(best.step == 0.9);
  }
  SECTION("case 3 without a minimiser of the cubic: the upper bound, by a radicand clamped at zero") {
    // theta^2 < slope product: p' keeps its sign, so that the unclamped root would be NaN.
    TrialPoint best{0, 0, -2};
    TrialPoint other = best;
    bool bracketed = false;
    const TrialPoint trial{1, -1.6, -1.9};
    const double next = more_thuente_step(best, other, trial, bracketed, 0, 5);
    CHECK(std::isfinite(next));
    CHECK(next <= 5);
    CHECK(next > 1);
  }
  SECTION("case 3 inside a bracket: the nearer, and no farther than 0.66 of the way to the other end") {
    TrialPoint best = p(0.5);
    TrialPoint other = p(0.95);
    other.value = 10;
    bool bracketed = true;
    const TrialPoint trial = p(0.9);
    const double next = more_thuente_step(best, other, trial, bracketed, 0.5, 0.95);
    CHECK(std::abs(next - (0.9 + 0.66 * 0.05)) <= tolerance);
    CHECK(bracketed);
  }
  SECTION("case 4, the same sign and no smaller slope: the bound, or the cubic through the other end") {
    TrialPoint best = p(0.1);
    TrialPoint other = best;
    bool bracketed = false;
    const TrialPoint trial = p(0.4);
    REQUIRE(std::abs(trial.slope) >= std::abs(best.slope));
    CHECK(more_thuente_step(best, other, trial, bracketed, 0, 7) == 7);
    best = p(0.1);
    other = p(2.0);
    bracketed = true;
    CHECK(std::abs(more_thuente_step(best, other, trial, bracketed, 0.1, 2) - 1) <= tolerance);
    CHECK(best.step == 0.4);
    CHECK(other.step == 2.0);
  }
  SECTION("the scale is of magnitudes: with theta and both slopes negative the root keeps its sign") {
    // The cubic -4 a^3 + 6 a^2 - a has its minimiser at the smaller root of 12 a^2 - 12 a + 1.
    TrialPoint best{0, 0, -1};
    TrialPoint other = best;
    bool bracketed = false;
    const double next = more_thuente_step(best, other, {1, 1, -1}, bracketed, 0, 5);
    CHECK(std::abs(next - (12 - std::sqrt(96.0)) / 24) <= tolerance);
  }
  SECTION("the scale is of magnitudes: values near the largest double do not overflow the root") {
    const double big = 1e200;
    TrialPoint best{0, 0, -big};
    TrialPoint other = best;
    bool bracketed = false;
    const double next = more_thuente_step(best, other, {1, big, 3 * big}, bracketed, 0, 5);
    CHECK(next > 0);
    CHECK(next < 1);
  }
}

TEST_CASE("Where the decrease drowns in rounding the approximate Wolfe conditions decide by slopes") {
  // f = 1 + 1e-20 (a - 1)^2 with a value that rounding lifted by one unit in the last place.
  Line f([](double a) { return std::pair{a == 0 ? 1.0 : 1.0 + kEps, 2e-20 * (a - 1)}; });
  const Found found = search(f, 1.0, {});
  CHECK(found.result.status == LineSearchStatus::approximate_wolfe);
  CHECK(found.result.evaluations == 1);
}

TEST_CASE("A search says why it found no step") {
  LineSearchOptions options;
  SECTION("no descent") {
    Line f([](double a) { return std::pair{a, 1.0}; });
    const Found found = search(f, 1.0, options);
    CHECK(found.result.status == LineSearchStatus::not_descent);
    CHECK(found.result.evaluations == 0);
  }
  SECTION("a zero slope is no descent") {
    Line f([](double) { return std::pair{1.0, 0.0}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::not_descent);
  }
  SECTION("NaN at every trial") {
    Line f([](double a) { return a == 0 ? std::pair{1.0, -1.0} : std::pair{std::nan(""), std::nan("")}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::non_finite);
  }
  SECTION("a NaN slope at the start") {
    Line f([](double) { return std::pair{1.0, std::nan("")}; });
    CHECK(search(f, 1.0, options).result.status == LineSearchStatus::non_finite);
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
    const Found found = search(f, 1.0, options);
    CHECK(!found.result.accepted());
    CHECK(found.result.evaluations <= options.max_evaluations);
  }
}

TEST_CASE("A search stays inside a domain beyond which f is not finite") {
  // -log(1 - a) - 3 a: minimiser 2/3, a pole at 1; the first trials lie beyond it.
  const double first = GENERATE(0.1, 0.9999, 2.0, 1e6);
  const double beyond = GENERATE(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
  Line f([&](double a) {
    return a >= 1 ? std::pair{beyond, beyond} : std::pair{-std::log(1 - a) - 3 * a, 1 / (1 - a) - 3};
  });
  LineSearchOptions options;
  options.gtol = 0.1;
  const Found found = search(f, first, options);
  CAPTURE(first, found.result.step, found.result.evaluations);
  REQUIRE(found.result.status == LineSearchStatus::strong_wolfe);
  CHECK(std::abs(found.slope) <= 0.1 * 2);
}

namespace {

/// Any of the searches from 0 along 1 on phi.
template <class Search>
Found search_with(Line& f, const Search& run) {
  const Vector x = Vector::Zero(1);
  const Vector d = Vector::Ones(1);
  Vector g;
  const double value = f.value_and_gradient(x, g);
  const double slope = g[0];
  f.evaluations = 0;
  Vector x_new(1);
  Vector g_new(1);
  Found found;
  found.result = run(x, d, value, slope, x_new, g_new);
  found.slope = g_new[0];
  if (found.result.accepted()) CHECK(x_new[0] == found.result.step);
  CHECK(f.evaluations == found.result.evaluations);
  return found;
}

Found hager_zhang_from(Line& f, double first, const HagerZhangOptions& options) {
  return search_with(f, [&](const Vector& x, const Vector& d, double value, double slope, Vector& xn, Vector& gn) {
    return hager_zhang(f, x, d, value, slope, first, options, xn, gn);
  });
}

Found backtrack_from(Line& f, double first, double above = 0) {
  return search_with(f, [&](const Vector& x, const Vector& d, double value, double slope, Vector& xn, Vector& gn) {
    return backtrack(f, x, d, value, slope, value + above, first, {}, xn, gn);
  });
}

const std::pair<const char*, Line::Phi> kSixFunctions[] = {
    {"1", function1(2)},        {"2", function2(0.004)},   {"3", function3(0.01, 39)},
    {"4", yanai(0.001, 0.001)}, {"5", yanai(0.01, 0.001)}, {"6", yanai(0.001, 0.01)},
};

}  // namespace

TEST_CASE("The Hager-Zhang search satisfies one of its two pairs of conditions on the six published functions") {
  for (const auto& [name, phi] : kSixFunctions) {
    for (const double start : {1e-3, 1e-1, 1e1, 1e3}) {
      for (const double sigma : {0.9, 0.1}) {
        Line f(phi);
        HagerZhangOptions options;
        options.sigma = sigma;
        const Found found = hager_zhang_from(f, start, options);
        CAPTURE(name, start, sigma, found.result.step, found.result.evaluations);
        REQUIRE(found.result.accepted());
        const auto [value0, slope0] = phi(0);
        const auto [value, slope] = phi(found.result.step);
        CHECK(found.result.value == value);
        CHECK(found.slope == slope);
        CHECK(slope >= sigma * slope0);
        if (found.result.status == LineSearchStatus::wolfe) {
          CHECK(value <= value0 + 0.1 * found.result.step * slope0);
        } else {
          CHECK((2 * 0.1 - 1) * slope0 >= slope);
          CHECK(value <= value0 + 1e-6 * std::abs(value0));
        }
        CHECK(found.result.evaluations <= 30);
      }
    }
  }
}

TEST_CASE(
    "Backtracking finds a sufficient decrease on the six published functions, and none is longer than the first") {
  for (const auto& [name, phi] : kSixFunctions) {
    for (const double start : {1e-3, 1e-1, 1e1, 1e3}) {
      Line f(phi);
      const Found found = backtrack_from(f, start);
      CAPTURE(name, start, found.result.step, found.result.evaluations);
      REQUIRE(found.result.status == LineSearchStatus::armijo);
      const auto [value0, slope0] = phi(0);
      CHECK(found.result.value == phi(found.result.step).first);
      CHECK(found.result.value <= value0 + 1e-4 * found.result.step * slope0);
      CHECK(found.result.step <= start);
      CHECK(found.result.evaluations <= 20);
    }
  }
}

TEST_CASE("Backtracking from a step that is k times too long on a parabola takes the minimiser at the second trial") {
  // (a - 1)^2: the parabola through three of its data is itself. Cut at a tenth of the last step.
  const double start = GENERATE(2.5, 4.0, 8.0);
  Line f([](double a) { return std::pair{(a - 1) * (a - 1), 2 * (a - 1)}; });
  const Found found = backtrack_from(f, start);
  CHECK(found.result.evaluations == 2);
  CHECK(std::abs(found.result.step - 1) <= 10 * kEps * start * start);
}

TEST_CASE("A search goes back from where f is not a number, and says so when it is one nowhere") {
  const auto domain = [](double a) {
    return a < 0.3 ? std::pair{(a - 1) * (a - 1), 2 * (a - 1)} : std::pair{std::nan(""), std::nan("")};
  };
  Line f(domain);
  CHECK(backtrack_from(f, 5).result.status == LineSearchStatus::armijo);
  const Found found = hager_zhang_from(f, 5, {});
  CHECK(found.result.accepted());
  CHECK(found.result.step < 0.3);
  const auto nowhere = [](double a) { return a <= 0 ? std::pair{1.0, -1.0} : std::pair{std::nan(""), std::nan("")}; };
  Line g(nowhere);
  CHECK(backtrack_from(g, 1).result.status == LineSearchStatus::non_finite);
  CHECK(hager_zhang_from(g, 1, {}).result.status == LineSearchStatus::non_finite);
}

TEST_CASE("Searches whose decrease drowns in rounding go by slopes") {
  // 1e8 + (a - 1e-6)^2 / 2: values cannot tell a decrease of 5e-13 from none, slopes can.
  const auto flat = [](double a) { return std::pair{1e8 + 0.5 * (a - 1e-6) * (a - 1e-6), a - 1e-6}; };
  Line f(flat);
  const Found hz = hager_zhang_from(f, 1e-6, {});
  CHECK(hz.result.accepted());
  CHECK(std::abs(hz.slope) <= 0.9e-6);
  CHECK(backtrack_from(f, 1e-6).result.status == LineSearchStatus::approximate_wolfe);
  // Uphill along d there is nothing to find.
  Line up([](double a) { return std::pair{a, 1.0}; });
  CHECK(backtrack_from(up, 1).result.status == LineSearchStatus::not_descent);
  CHECK(hager_zhang_from(up, 1, {}).result.status == LineSearchStatus::not_descent);
}

TEST_CASE("A non-monotone reference is the greatest of the last M values, or their mean with a decaying weight") {
  NonmonotoneReference greatest(3, 0);
  const double values[] = {5, 3, 4, 1, 2, 0};
  const double expected[] = {5, 5, 5, 4, 4, 2};
  CHECK(greatest.at(values[0]) == expected[0]);
  for (int i = 1; i < 6; ++i) {
    greatest.accept(values[i]);
    CHECK(greatest.at(values[i]) == expected[i]);
  }
  // A value that the last step did not lead to belongs to another function: the past is dropped.
  CHECK(greatest.at(7) == 7);

  // Zhang and Hager (2004), eq. (1.6): Q <- eta Q + 1, C <- (eta Q C + f) / Q, by hand for eta = 1/2.
  NonmonotoneReference mean(1, 0.5);
  CHECK(mean.at(4) == 4);
  mean.accept(1);
  CHECK(mean.at(1) == Approx((0.5 * 4 + 1) / 1.5).epsilon(4 * kEps));
  mean.accept(2);
  CHECK(mean.at(2) == Approx((0.5 * 1.5 * 2 + 2) / 1.75).epsilon(4 * kEps));
}
