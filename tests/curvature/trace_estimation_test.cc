#include "hesse/curvature/trace_estimation.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

/// Symmetric with the given eigenvalues, in a random basis.
Matrix with_eigenvalues(const Vector& values, std::uint64_t seed) {
  Matrix G(values.size(), values.size());
  RandomStream(seed, Purpose::test).fill_normal(G.reshaped());
  const Matrix Q = Eigen::HouseholderQR<Matrix>(G).householderQ();
  return Q * values.asDiagonal() * Q.transpose();
}

/// 120 eigenvalues +- k^-power.
Matrix decaying(double power) {
  Vector values(120);
  for (Index i = 0; i < values.size(); ++i) {
    values[i] = (i % 3 == 2 ? -1 : 1) * std::pow(static_cast<double>(i + 1), -power);
  }
  return with_eigenvalues(values, 1);
}

/// Options that use up their products.
TraceOptions budget(TraceMethod method, Index products, std::uint64_t seed) {
  TraceOptions options;
  options.method = method;
  options.tolerance = 0;
  options.max_products = products;
  options.seed = seed;
  return options;
}

}  // namespace

TEST_CASE("Intervals for the trace and the Frobenius norm cover the exact value in 95 of 100 cases") {
  const double power = GENERATE(0.5, 2.0);
  const Matrix M = decaying(power);
  const OperatorPtr A = dense_operator(M);
  constexpr int kTrials = 2000;
  const auto coverage = [&](const auto& estimate_of, double exact) {
    int covered = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      const Estimate e = estimate_of(static_cast<std::uint64_t>(trial));
      covered += e.lower <= exact && exact <= e.upper ? 1 : 0;
    }
    return static_cast<double>(covered) / kTrials;
  };
  // A binomial share of 2000 at 0.95 has a standard error of 0.005: 0.93 to 0.97 are four of them.
  for (const TraceMethod method : {TraceMethod::hutchinson, TraceMethod::hutch_pp, TraceMethod::xtrace}) {
    const double share =
        coverage([&](std::uint64_t seed) { return estimate_trace(*A, budget(method, 60, seed)); }, M.trace());
    CAPTURE(power, static_cast<int>(method), share);
    CHECK(share >= 0.93);
    CHECK(share <= 0.97);
  }
  const double share = coverage(
      [&](std::uint64_t seed) { return estimate_frobenius_square(*A, budget(TraceMethod::hutchinson, 60, seed)); },
      M.squaredNorm());
  CAPTURE(power, share);
  CHECK(share >= 0.93);
  CHECK(share <= 0.97);
}

TEST_CASE("Hutchinson's estimate is unbiased with the variance that theory gives, and Hutch++ and XTrace have less") {
  const Matrix M = decaying(1.5);
  const OperatorPtr A = dense_operator(M);
  constexpr int kTrials = 600;
  double errors[3] = {};
  double told[3] = {};
  for (int trial = 0; trial < kTrials; ++trial) {
    for (const TraceMethod method : {TraceMethod::hutchinson, TraceMethod::hutch_pp, TraceMethod::xtrace}) {
      const Estimate e = estimate_trace(*A, budget(method, 48, static_cast<std::uint64_t>(trial)));
      CHECK(e.products == 48);
      errors[static_cast<int>(method)] += std::pow(e.value - M.trace(), 2) / kTrials;
      told[static_cast<int>(method)] += e.standard_error * e.standard_error / kTrials;
    }
  }
  // Signs: 2 (|A|_F^2 - sum a_ii^2) / 48. A variance from 600 trials has a relative standard error of sqrt(2 / 600),
  // and more for figures with heavier tails than a normal's.
  const double expected = 2 * (M.squaredNorm() - M.diagonal().squaredNorm()) / 48;
  CHECK(std::abs(errors[0] / expected - 1) <= 6 * std::sqrt(2.0 / kTrials));
  for (int method = 0; method < 3; ++method) CHECK(std::abs(told[method] / errors[method] - 1) <= 0.35);
  CHECK(errors[1] < 0.2 * errors[0]);
  CHECK(errors[2] < 0.5 * errors[1]);
}

TEST_CASE("XTrace is the mean over bases that leave one vector out, as it is defined") {
  const Matrix M = decaying(1);
  const OperatorPtr A = dense_operator(M);
  const Index n = M.rows();
  const Index block = GENERATE(1, 4, 10);
  TraceOptions options = budget(TraceMethod::xtrace, 20, 5);
  options.block = block;
  const Estimate e = estimate_trace(*A, options);
  constexpr Index k = 10;
  REQUIRE(e.samples == k);
  Matrix W(n, k);
  for (Index j = 0; j < k; ++j) {
    RandomStream(5, Purpose::probe, static_cast<std::uint64_t>(j)).fill_normal(W.col(j));
  }
  Vector figures(k);
  for (Index i = 0; i < k; ++i) {
    Matrix others(n, k - 1);
    for (Index j = 0; j + 1 < k; ++j) others.col(j) = M * W.col(j < i ? j : j + 1);
    const Matrix Q = Eigen::HouseholderQR<Matrix>(others).householderQ() * Matrix::Identity(n, k - 1);
    const Vector u = W.col(i) - Q * (Q.transpose() * W.col(i));
    figures[i] = (Q.transpose() * M * Q).trace() + static_cast<double>(n - k + 1) * u.dot(M * u) / u.squaredNorm();
  }
  CHECK(e.value == Approx(figures.mean()).epsilon(1e-10));
  CHECK(e.standard_error ==
        Approx(std::sqrt(1.3 * (figures.array() - figures.mean()).square().sum() / (k * (k - 1)))).epsilon(1e-8));
}

TEST_CASE("Estimates stop at their tolerance, are exact where that is as cheap, and find low rank") {
  const Matrix M = with_eigenvalues(Vector::LinSpaced(150, 1, 2), 3);
  const OperatorPtr A = dense_operator(M);
  for (const TraceMethod method : {TraceMethod::hutchinson, TraceMethod::hutch_pp, TraceMethod::xtrace}) {
    TraceOptions options;
    options.method = method;
    options.tolerance = 0.05;
    options.max_products = 149;
    const Estimate e = estimate_trace(*A, options);
    CHECK(e.reached);
    CHECK(e.products < 149);
    CHECK(0.5 * (e.upper - e.lower) <= 0.05 * std::abs(e.value));
    CHECK(std::abs(e.value - M.trace()) <= 5 * e.standard_error);
    options.tolerance = 0;
    options.max_products = 100;
    CHECK(!estimate_trace(*A, options).reached);
    options.absolute_tolerance = 0.05 * M.trace();
    CHECK(estimate_trace(*A, options).reached);
    options.max_products = 150;
    const Estimate exact = estimate_trace(*A, options);
    CHECK(exact.value == Approx(M.trace()).epsilon(1e-13));
    CHECK(exact.standard_error == 0);
    CHECK(exact.products == 150);
  }
  // Rank 4: the basis holds the range, and nothing is left to estimate.
  Vector few = Vector::Zero(150);
  few.head(4) << 3, -1, 2, 0.5;
  const Matrix low = with_eigenvalues(few, 4);
  for (const TraceMethod method : {TraceMethod::hutch_pp, TraceMethod::xtrace}) {
    const Estimate e = estimate_trace(*dense_operator(low), budget(method, 60, 1));
    CHECK(std::abs(e.value - 4.5) <= 1e-12);
    CHECK(e.standard_error <= 1e-12);
  }
}

TEST_CASE("Estimates scale with the matrix to the bit over the range of double") {
  const Matrix M = decaying(1);
  const double unit = std::exp2(GENERATE(-480, 480));  // 1e-145 and 1e144, whose squares are in range too
  for (const TraceMethod method : {TraceMethod::hutchinson, TraceMethod::hutch_pp, TraceMethod::xtrace}) {
    const TraceOptions options = budget(method, 40, 3);
    const Estimate plain = estimate_trace(*dense_operator(M), options);
    const Estimate scaled = estimate_trace(*dense_operator(unit * M), options);
    CAPTURE(unit, static_cast<int>(method));
    REQUIRE(scaled.is_finite);
    CHECK(scaled.value == unit * plain.value);
    CHECK(scaled.standard_error == unit * plain.standard_error);
    CHECK(scaled.lower == unit * plain.lower);
    CHECK(scaled.upper == unit * plain.upper);
  }
  // Here the squares of XTrace's triangular factor, or of its inverse, are out of range, and so is the variance.
  const double extreme = std::exp2(GENERATE(-530, 530));
  const TraceOptions options = budget(TraceMethod::xtrace, 40, 3);
  CHECK(estimate_trace(*dense_operator(extreme * M), options).value ==
        extreme * estimate_trace(*dense_operator(M), options).value);
}

TEST_CASE("The Frobenius norm is exact where as many products as variables are allowed") {
  const Matrix M = decaying(0.5);
  const OperatorPtr A = dense_operator(M);
  EstimateOptions options;
  options.tolerance = 0;
  options.block = GENERATE(1, 7, 200);
  options.max_products = M.rows();
  const Estimate e = estimate_frobenius_square(*A, options);
  CHECK(e.is_exact);
  CHECK(e.reached);
  CHECK(e.products == M.rows());
  CHECK(e.standard_error == 0);
  // 120^2 squares, each product rounded 120 times: well within 1e-12.
  CHECK(std::abs(e.value / M.squaredNorm() - 1) <= 1e-12);
  options.max_products = M.rows() - 1;
  CHECK(!estimate_frobenius_square(*A, options).is_exact);
}

TEST_CASE("What is not finite has no estimate, and impossible options are refused") {
  Matrix M = decaying(1);
  M(3, 5) = M(5, 3) = std::numeric_limits<double>::infinity();
  const OperatorPtr A = dense_operator(M);
  for (const TraceMethod method : {TraceMethod::hutchinson, TraceMethod::hutch_pp, TraceMethod::xtrace}) {
    const Estimate e = estimate_trace(*A, budget(method, 30, 1));
    CHECK(!e.is_finite);
    CHECK(std::isnan(e.value));
    CHECK(!e.reached);
  }
  CHECK(!estimate_frobenius_square(*A, {}).is_finite);
  TraceOptions few;
  few.max_products = 5;
  CHECK_THROWS_AS(estimate_trace(*A, few), Error);
  TraceOptions negative;
  negative.tolerance = -1;
  CHECK_THROWS_AS(estimate_trace(*A, negative), Error);
}
