#include "hesse/curvature/spectral_density.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <numbers>

using namespace hesse;

namespace {

Matrix random_symmetric(Index n, std::uint64_t seed) {
  Matrix G(n, n);
  RandomStream(seed, Purpose::test).fill_normal(G.reshaped());
  // The semicircle of radius 1.
  return (G + G.transpose()) / std::sqrt(8.0 * static_cast<double>(n));
}

}  // namespace

TEST_CASE("Weights sum to one, and moments up to degree 2 m - 1 are those of the probe's vector") {
  constexpr Index n = 70;
  const Matrix M = random_symmetric(n, 1);
  const SpectralDensity density = spectral_density(*dense_operator(M), {.probes = 3, .steps = 6, .seed = 4});
  CHECK(density.products == 18);
  REQUIRE(density.probes.size() == 3);
  for (std::size_t p = 0; p < 3; ++p) {
    const Quadrature& rule = density.probes[p];
    CHECK(rule.weights.minCoeff() >= 0);
    CHECK(rule.weights.sum() == Approx(1).epsilon(1e-14));
    Vector v(n);
    RandomStream(4, Purpose::probe, p).fill_normal(v);
    v.normalize();
    Vector power = v;
    for (int degree = 0; degree <= 11; ++degree) {
      const double moment = (rule.weights.array() * rule.nodes.array().pow(degree)).sum();
      CHECK(moment == Approx(v.dot(power)).epsilon(1e-11).margin(1e-14));
      power = M * power;
    }
    // One degree further the rule is no longer exact.
    const double beyond = (rule.weights.array() * rule.nodes.array().pow(12)).sum();
    CHECK(std::abs(beyond - v.dot(power)) > 1e-9);
  }
}

TEST_CASE("As many steps as the matrix has different eigenvalues give its spectrum, with their shares as weights") {
  Vector d(40);
  for (Index i = 0; i < 40; ++i) d[i] = i < 25 ? -1.0 : i < 35 ? 0.5 : 3.0;
  const SpectralDensity density = spectral_density(*diagonal_operator(d), {.probes = 400, .steps = 40, .seed = 1});
  CHECK(density.products == 3 * 400);
  CHECK(density.least == Approx(-1).epsilon(1e-13));
  CHECK(density.greatest == Approx(3).epsilon(1e-13));
  const Estimate negative = spectral_sum(density, [](double x) { return x < -0.25 ? 1.0 : 0.0; });
  CHECK(std::abs(negative.value - 25) <= 5 * negative.standard_error);
  // Shares on the sphere are of the beta distribution: variance 2 s (1 - s) / (n + 2).
  CHECK(negative.standard_error == Approx(40 * std::sqrt(2 * 0.625 * 0.375 / 42 / 400)).epsilon(0.15));
}

TEST_CASE("Intervals for sums over the spectrum cover the exact value in 95 of 100 cases") {
  constexpr Index n = 60;
  const Matrix M = random_symmetric(n, 2);
  const OperatorPtr A = dense_operator(M + 2 * Matrix::Identity(n, n));
  const Vector values = Eigen::SelfAdjointEigenSolver<Matrix>(M).eigenvalues().array() + 2;
  struct Case {
    double (*f)(double);
    double exact;
  };
  const Case cases[] = {
      {[](double x) { return x; }, values.sum()},
      {[](double x) { return x * x; }, values.squaredNorm()},
      {[](double x) { return std::log(x); }, values.array().log().sum()},
      {[](double x) { return x / (x + 0.5); }, (values.array() / (values.array() + 0.5)).sum()},
  };
  constexpr int kTrials = 2000;
  int covered[4] = {};
  for (int trial = 0; trial < kTrials; ++trial) {
    const SpectralDensity density =
        spectral_density(*A, {.probes = 6, .steps = 15, .seed = static_cast<std::uint64_t>(trial)});
    for (std::size_t i = 0; i < 4; ++i) {
      const Estimate e = spectral_sum(density, cases[i].f);
      covered[i] += e.lower <= cases[i].exact && cases[i].exact <= e.upper ? 1 : 0;
    }
  }
  // A binomial share of 2000 at 0.95 has a standard error of 0.005. On [1, 3] the rules' own error is below 1e-10.
  for (const int count : covered) {
    CHECK(count >= 0.93 * kTrials);
    CHECK(count <= 0.97 * kTrials);
  }
}

TEST_CASE("Intervals for numbers of eigenvalues cover in 95 of 100 cases where they are few, many or nearly all") {
  constexpr Index n = 60;
  constexpr int kTrials = 2000;
  for (const Index few : {1, 2, 6, 30, 58}) {
    // Three different eigenvalues: three steps, and the rule itself has no error.
    Vector d = Vector::Ones(n);
    d.head(few).setConstant(-1);
    d[n - 1] = 2;
    const OperatorPtr A = diagonal_operator(d);
    int covered = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      const SpectralDensity density =
          spectral_density(*A, {.probes = 4, .steps = n, .seed = static_cast<std::uint64_t>(trial)});
      const Estimate e = eigenvalue_count(density, [](double x) { return x < 0; });
      CHECK(e.lower >= 0);
      CHECK(e.upper <= n);
      covered += e.lower <= static_cast<double>(few) && static_cast<double>(few) <= e.upper ? 1 : 0;
    }
    CAPTURE(few, covered);
    CHECK(covered >= 0.93 * kTrials);
    // One is never missed for being too many, since a share that is not 0 is of one at least: 97.5 in 100.
    CHECK(covered <= (few == 1 ? 0.99 : 0.97) * kTrials);
  }
  const SpectralDensity definite = spectral_density(*diagonal_operator(Vector::LinSpaced(n, 1, 2)), {.probes = 4});
  const Estimate none = eigenvalue_count(definite, [](double x) { return x < 0; });
  CHECK(none.lower == 0);
  CHECK(none.upper == 0);
  const Estimate all = eigenvalue_count(definite, [](double x) { return x > 0; });
  CHECK(all.lower == n);
  CHECK(all.upper == n);
}

TEST_CASE("The density integrates to one, and is Wigner's semicircle for a Gaussian matrix, within its band") {
  const Matrix M = random_symmetric(500, 3);
  const SpectralDensity density = spectral_density(*dense_operator(M), {.probes = 10, .steps = 60, .seed = 2});
  const double sigma = 0.05;
  const Vector lambda = Vector::LinSpaced(601, -1.5, 1.5);
  const Band95 band = density_at(density, lambda, sigma);
  CHECK(band.value.sum() * 3.0 / 600 == Approx(1).epsilon(1e-6));
  const Vector values = Eigen::SelfAdjointEigenSolver<Matrix>(M).eigenvalues();
  int covered = 0;
  int counted = 0;
  for (Index i = 120; i <= 480; i += 12) {
    const auto z = (lambda[i] - values.array()) / sigma;
    const double exact = (-0.5 * z * z).exp().mean() / (sigma * std::sqrt(2 * std::numbers::pi));
    ++counted;
    covered += band.lower[i] <= exact && exact <= band.upper[i] ? 1 : 0;
    const double semicircle = 2 / std::numbers::pi * std::sqrt(std::max(0.0, 1 - lambda[i] * lambda[i]));
    // The blur rounds the edges off; eigenvalues of a Gaussian matrix are more regular than a sample.
    if (std::abs(lambda[i]) < 0.8) CHECK(std::abs(band.value[i] - semicircle) <= 0.08);
  }
  // Neighbouring points share their probes: of 31, at 95 of 100, no more than a quarter may miss together.
  CHECK(covered >= 3 * counted / 4);
  CHECK((band.lower.array() <= band.value.array()).all());
  CHECK((band.value.array() <= band.upper.array()).all());
}

TEST_CASE("Chebyshev moments are those of the probe's vector, from half as many products") {
  constexpr Index n = 50;
  const Vector d = Vector::LinSpaced(n, -2, 3);
  const Index degree = GENERATE(1, 2, 7, 8);
  const ChebyshevMoments moments =
      chebyshev_moments(*diagonal_operator(d), -2.5, 3.5, {.probes = 2, .degree = degree, .seed = 9});
  CHECK(moments.products == 2 * ((degree + 1) / 2));
  for (std::size_t p = 0; p < 2; ++p) {
    Vector v(n);
    RandomStream(9, Purpose::probe, p).fill_normal(v);
    v.normalize();
    for (Index k = 0; k <= degree; ++k) {
      const auto angle = ((d.array() - 0.5) / 3).acos();
      const double exact = (v.array().square() * (static_cast<double>(k) * angle).cos()).sum();
      CHECK(moments.probes[p][k] == Approx(exact).epsilon(1e-12).margin(1e-14));
    }
  }
  CHECK_THROWS_AS(chebyshev_moments(*diagonal_operator(d), 1, 1, {}), Error);
  CHECK_THROWS_AS(chebyshev_moments(*diagonal_operator(d), -3, 4, {.probes = 1}), Error);
  // Outside of its interval the recurrence grows without bound, and does not go unnoticed for long.
  CHECK(!chebyshev_moments(*diagonal_operator(d), -0.01, 0.01, {.degree = 2000}).is_finite);
}

TEST_CASE("The kernel polynomial method is nowhere negative, integrates to one, and agrees with quadrature") {
  const OperatorPtr A = dense_operator(random_symmetric(500, 3));
  const ChebyshevMoments moments = chebyshev_moments(*A, -1.1, 1.1, {.probes = 10, .degree = 120, .seed = 5});
  CHECK(moments.products == 10 * 60);
  const Vector lambda = Vector::LinSpaced(2201, -1.1, 1.1);
  const Band95 band = density_at(moments, lambda);
  CHECK(band.value.minCoeff() >= -1e-12);
  // The trapezoidal rule, on an integrand that ends smoothly at 0.
  CHECK(band.value.sum() * 2.2 / 2200 == Approx(1).epsilon(1e-3));
  const SpectralDensity rules = spectral_density(*A, {.probes = 10, .steps = 60, .seed = 2});
  // Jackson's kernel is near a normal one of deviation pi half / degree in the middle.
  const Band95 other = density_at(rules, lambda, std::numbers::pi * 1.1 / 120);
  for (Index i = 700; i <= 1500; i += 100) {
    const double spread = 0.5 * (band.upper[i] - band.lower[i] + other.upper[i] - other.lower[i]);
    CHECK(std::abs(band.value[i] - other.value[i]) <= 2 * spread + 0.02);
  }
  CHECK(density_at(moments, Vector::Constant(1, 1.2)).value[0] == 0);
}

TEST_CASE("Jackson's kernel takes one eigenvalue to a density without negative parts, of its known mean") {
  const double x = GENERATE(0.3, -0.9, 0.0);
  constexpr Index kDegree = 40;
  const ChebyshevMoments moments = chebyshev_moments(*scaled_identity(10, x), -1, 1, {.degree = kDegree});
  // Chebyshev's nodes integrate polynomials of these degrees exactly.
  constexpr Index kNodes = 400;
  Vector nodes(kNodes);
  for (Index j = 0; j < kNodes; ++j) nodes[j] = std::cos(std::numbers::pi * (static_cast<double>(j) + 0.5) / kNodes);
  const Band95 band = density_at(moments, nodes);
  CHECK(band.value.minCoeff() >= -1e-12);
  const Vector weights = std::numbers::pi / kNodes * (1 - nodes.array().square()).sqrt();
  CHECK(weights.dot(band.value) == Approx(1).epsilon(1e-12));
  // The first factor of the kernel of N terms is cos(pi / (N + 1)).
  const double mean = weights.dot(band.value.cwiseProduct(nodes));
  CHECK(mean == Approx(x * std::cos(std::numbers::pi / (kDegree + 2))).epsilon(1e-12).margin(1e-13));
}

TEST_CASE("A spectrum that is not finite has no sums, and impossible options are refused") {
  Matrix M = random_symmetric(20, 4);
  M(2, 3) = M(3, 2) = std::numeric_limits<double>::quiet_NaN();
  const SpectralDensity density = spectral_density(*dense_operator(M), {});
  CHECK(!density.is_finite);
  CHECK(density.probes.empty());
  CHECK(!spectral_sum(density, [](double x) { return x; }).is_finite);
  CHECK(std::isnan(density_at(density, Vector::Zero(1), 1).value[0]));
  const OperatorPtr A = diagonal_operator(Vector::LinSpaced(10, -1, 1));
  CHECK_THROWS_AS(spectral_density(*A, {.probes = 1}), Error);
  CHECK_THROWS_AS(spectral_density(*A, {.steps = 0}), Error);
  const SpectralDensity fine = spectral_density(*A, {.probes = 2, .steps = 10});
  CHECK_THROWS_AS(density_at(fine, Vector::Zero(1), 0), Error);
  // The logarithm of a negative node is no number.
  CHECK(!spectral_sum(fine, [](double x) { return std::log(x); }).is_finite);
}
