#include "hesse/curvature/smoothed_loss.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;

namespace {

constexpr Index kSize = 12;

Vector drawn(std::uint64_t step) {
  Vector x(kSize);
  RandomStream(11, Purpose::test, step).fill_normal(x);
  return x;
}

/// The share of trials whose interval holds the exact value.
template <class EstimateOf>
double coverage(int trials, double exact, const EstimateOf& estimate_of) {
  int covered = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const Estimate e = estimate_of(static_cast<std::uint64_t>(trial));
    covered += e.lower <= exact && exact <= e.upper ? 1 : 0;
  }
  return static_cast<double>(covered) / trials;
}

/// 1 - exp(-x^2): bounded, so that no noise raises it by more than 1.
struct Well {
  template <class T>
  T operator()(const T* x) const {
    using std::exp;
    return 1.0 - exp(-x[0] * x[0]);
  }
};

/// x^2 + 10^4 x^4, which is steeper by two powers above 0.01.
struct Steepening {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * x[0] * (1.0 + 1e4 * x[0] * x[0]);
  }
};

/// slope x^2 within |x| < 1, and not finite beyond.
struct Cliff {
  double slope;
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    return slope * x[0] * x[0] + 0.0 * log(1.0 - x[0] * x[0]);
  }
};

}  // namespace

TEST_CASE("Intervals of the expected sharpness cover sigma^2 tr(T H T) / 2 in 95 of 100 cases") {
  Quadratic f(linear_spectrum(kSize, 10), drawn(0), 3, 2);
  // Away from the centre: pairs u and -u cancel the gradient.
  const Vector x = f.centre() + drawn(1);
  NoiseOptions options;
  options.units = GENERATE(Units::plain, Units::elementwise);
  options.pairs = 30;
  const Vector t = unit_scale(f.layout(), x, options.units);
  Matrix H(kSize, kSize);
  f.curvature(x, Curvature::hessian)->apply(Matrix::Identity(kSize, kSize), H);
  const double sigma = 0.2;
  const double exact = 0.5 * sigma * sigma * (t.asDiagonal() * H * t.asDiagonal()).trace();
  const double share = coverage(2000, exact, [&](std::uint64_t seed) {
    options.seed = seed;
    return expected_rise(f, x, sigma, options);
  });
  // A binomial share of 2000 at 0.95 has a standard error of 0.005: 0.93 to 0.97 are four of them.
  CAPTURE(to_string(options.units), share);
  CHECK(share >= 0.93);
  CHECK(share <= 0.97);
}

TEST_CASE("The expected sharpness of a quadratic has the variance of its quadratic forms") {
  // f - f(centre) = sigma^2 / 2 sum h_i u_i^2, of variance sigma^4 / 2 sum h_i^2 a pair.
  const Vector h = linear_spectrum(kSize, 4);
  Quadratic f(h, Vector::Zero(kSize));
  NoiseOptions options;
  options.pairs = 4000;
  const Estimate e = expected_rise(f, Vector::Zero(kSize), 0.5, options);
  const double exact = 0.125 * h.sum();
  const double error = 0.25 * std::sqrt(0.5 * h.squaredNorm() / 4000);
  CHECK(std::abs(e.value - exact) <= 5 * error);
  // A standard deviation from 4000 figures has a relative error of sqrt(kurtosis - 1) / (2 sqrt(4000)), below 0.02.
  CHECK(e.standard_error == Approx(error).epsilon(0.08));
  CHECK(e.samples == 4000);
}

TEST_CASE("The PAC-Bayes sigma of a quadratic is sqrt(2 rise / tr H) within its interval in 95 of 100 cases") {
  Quadratic f(linear_spectrum(kSize, 10), drawn(0), 3, 2);
  const double exact = std::sqrt(2 * 0.1 / f.eigenvalues().sum());
  NoiseOptions options;
  options.pairs = 25;
  const double share = coverage(1000, exact, [&](std::uint64_t seed) {
    options.seed = seed;
    return pac_bayes_sigma(f, f.centre(), 0.1, options);
  });
  // The standard error of a share of 1000 is 0.007; four of them.
  CAPTURE(share);
  CHECK(share >= 0.922);
  CHECK(share <= 0.978);
}

TEST_CASE("The PAC-Bayes sigma is where the rise over the same draws is the given one") {
  Quadratic f(linear_spectrum(kSize, 10), drawn(0), 3, 2);
  NoiseOptions options;
  options.units = GENERATE(Units::plain, Units::elementwise);
  options.seed = 3;
  for (const double rise : {1e-6, 0.1, 1e5}) {
    const Estimate sigma = pac_bayes_sigma(f, f.centre(), rise, options);
    // R is c sigma^2 exactly, and a straight line in logarithms.
    const Estimate here = expected_rise(f, f.centre(), sigma.value, options);
    CHECK(here.value == Approx(rise).epsilon(1e-9));
    CHECK(expected_rise(f, f.centre(), sigma.lower, options).upper == Approx(rise).epsilon(1e-9));
    CHECK(expected_rise(f, f.centre(), sigma.upper, options).lower == Approx(rise).epsilon(1e-9));
    CHECK(sigma.reached);
    // d sigma / sigma = dR / (2 R), with a slope from a step of sigma / 64: off by 1 / 128.
    CHECK(sigma.standard_error / sigma.value == Approx(here.standard_error / (2 * here.value)).epsilon(0.01));
  }
}

TEST_CASE("The expected sharpness of a linear function is 0 as noise comes in pairs") {
  DenseQuadratic f(Matrix::Zero(kSize, kSize), drawn(0));
  const Estimate e = expected_rise(f, drawn(1), 0.1, {});
  // Differences of values of the order of 10.
  CHECK(std::abs(e.value) <= 1e-14);
  CHECK(e.standard_error <= 1e-14);
}

TEST_CASE("The PAC-Bayes sigma is found on either side of where the search begins") {
  FunctorObjective<Steepening> f({}, 1);
  NoiseOptions options;
  options.pairs = 5000;
  for (const double rise : {1e-8, 1e-6, 1e-4, 1e4}) {
    // E sigma^2 u^2 + 10^4 sigma^4 u^4 = s + 3 10^4 s^2 with s = sigma^2.
    const double s = 2 * rise / (1 + std::sqrt(1 + 12e4 * rise));
    const Estimate sigma = pac_bayes_sigma(f, Vector::Zero(1), rise, options);
    CAPTURE(rise, sigma.value, sigma.standard_error);
    // Beside the draws, the straight line between sigma 9 percent apart.
    CHECK(std::abs(sigma.value - std::sqrt(s)) <= 4 * sigma.standard_error + 1e-3 * std::sqrt(s));
    CHECK(sigma.standard_error <= 0.03 * sigma.value);
  }
}

TEST_CASE("A loss that no noise raises so far has an infinite PAC-Bayes sigma") {
  FunctorObjective<Well> f({}, 1);
  const Estimate never = pac_bayes_sigma(f, Vector::Zero(1), 1.5, {});
  CHECK(std::isinf(never.value));
  CHECK(!never.reached);
  CHECK(never.is_finite);
  CHECK(std::isinf(never.lower));
  CHECK(never.standard_error == 0);
  // With Student's 12.7 standard errors of two pairs the upper bound gets there, and the error is not known.
  NoiseOptions two;
  two.pairs = 2;
  const Estimate perhaps = pac_bayes_sigma(f, Vector::Zero(1), 1.5, two);
  CHECK(std::isinf(perhaps.value));
  CHECK(std::isinf(perhaps.upper));
  REQUIRE(std::isfinite(perhaps.lower));
  CHECK(std::isinf(perhaps.standard_error));
  // E 1 - exp(-sigma^2 u^2) = 1 - (1 + 2 sigma^2)^(-1/2) = 0.5 at sigma^2 = 1.5.
  NoiseOptions options;
  options.pairs = 20000;
  const Estimate half = pac_bayes_sigma(f, Vector::Zero(1), 0.5, options);
  CHECK(std::abs(half.value - std::sqrt(1.5)) <= 4 * half.standard_error);
  CHECK(half.standard_error < 0.02);
}

TEST_CASE("The interval of the PAC-Bayes sigma holds the sigma at which the first draw leaves the domain") {
  const double slope = GENERATE(1.0, -1.0);
  FunctorObjective<Cliff> f({slope}, 1);
  NoiseOptions options;
  options.pairs = GENERATE(2, 20);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    double farthest = 0;
    for (Index k = 0; k < options.pairs; ++k) {
      Vector u(1);
      RandomStream(seed, Purpose::noise, static_cast<std::uint64_t>(k)).fill_normal(u);
      farthest = std::max(farthest, std::abs(u[0]));
    }
    // Below, no finite value rises by 100, and 1 - (sigma u)^2 rounds to no 0 within 9 percent.
    const double edge = 1 / farthest;
    const Estimate sigma = pac_bayes_sigma(f, Vector::Zero(1), 100, options);
    CAPTURE(slope, options.pairs, seed, edge, sigma.lower, sigma.value, sigma.upper);
    CHECK(sigma.lower <= sigma.value);
    CHECK(sigma.value <= edge);
    CHECK(edge <= sigma.upper);
    CHECK(sigma.upper <= 1.1 * sigma.value);
    // R falls with sigma where the slope is negative: no delta method.
    CHECK(sigma.standard_error > 0);
    CHECK(std::isinf(sigma.standard_error) == (slope < 0));
  }
}

TEST_CASE("The local entropy of a quadratic is minus its value minus half log det(I + H / gamma)") {
  const double gamma = GENERATE(20.0, 2.0);
  const Vector h = linear_spectrum(kSize, 10);
  Quadratic f(h, drawn(0), 3, 2);
  const double exact = -0.5 * (1 + h.array() / gamma).log().sum();
  NoiseOptions options;
  options.pairs = 20000;
  const LocalEntropy entropy = local_entropy(f, f.centre(), gamma, options);
  CHECK(std::abs(entropy.estimate.value - exact) <= 5 * entropy.estimate.standard_error);
  CHECK(entropy.estimate.standard_error < 0.01);
  // (E w)^2 / E w^2 = det(I + H / gamma)^-1 det(I + 2 H / gamma)^(1/2).
  const double share = std::exp(-(1 + h.array() / gamma).log().sum() + 0.5 * (1 + 2 * h.array() / gamma).log().sum());
  CHECK(entropy.effective_samples / 40000 == Approx(share).epsilon(0.02));
  options.pairs = 60;
  const double covered = coverage(1000, exact, [&](std::uint64_t seed) {
    options.seed = seed;
    return local_entropy(f, f.centre(), gamma, options).estimate;
  });
  CAPTURE(gamma, covered);
  CHECK(covered >= 0.922);
  CHECK(covered <= 0.978);
}

TEST_CASE("The local entropy of a constant is minus it whatever its size") {
  for (const double c : {0.0, -3.0, 5000.0}) {
    DenseQuadratic f(Matrix::Zero(3, 3), Vector::Zero(3), c);
    const LocalEntropy entropy = local_entropy(f, Vector::Ones(3), 10, {});
    CHECK(entropy.estimate.value == -c);
    CHECK(entropy.estimate.standard_error == 0);
    CHECK(entropy.effective_samples == Approx(100).epsilon(1e-12));
  }
}

TEST_CASE("A loss that is not finite has no means and impossible noise is refused") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  const Vector bad = Vector::Constant(3, std::nan(""));
  CHECK(!expected_rise(f, bad, 0.1, {}).is_finite);
  CHECK(!pac_bayes_sigma(f, bad, 0.1, {}).is_finite);
  CHECK(!local_entropy(f, bad, 1, {}).estimate.is_finite);
  const Vector x = Vector::Ones(3);
  CHECK_THROWS_AS(expected_rise(f, x, 0, {}), Error);
  CHECK_THROWS_AS(pac_bayes_sigma(f, x, -1, {}), Error);
  CHECK_THROWS_AS(local_entropy(f, x, 0, {}), Error);
  NoiseOptions one;
  one.pairs = 1;
  CHECK_THROWS_AS(expected_rise(f, x, 0.1, one), Error);
}
