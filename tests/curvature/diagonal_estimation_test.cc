#include "hesse/curvature/diagonal_estimation.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

Matrix with_eigenvalues(const Vector& values, std::uint64_t seed) {
  const Index n = values.size();
  Vector entries(n * n);
  RandomStream(seed, Purpose::test).fill_normal(entries);
  const Matrix Q = Eigen::HouseholderQR<Matrix>(entries.reshaped(n, n)).householderQ();
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return 0.5 * (A + A.transpose());
}

/// k^-rate, k = 1..n.
Matrix decaying(Index n, double rate) {
  return with_eigenvalues(Vector::LinSpaced(n, 1, static_cast<double>(n)).array().pow(-rate), 1);
}

DiagonalOptions budget(DiagonalMethod method, Index products, std::uint64_t seed, Index block = 10) {
  DiagonalOptions options;
  options.method = method;
  options.max_products = products;
  options.tolerance = 0;
  options.block = block;
  options.seed = seed;
  return options;
}

/// Over many seeds: the mean error of each entry over its standard error, the share of entries within their 95 %
/// intervals, and the root mean square error of an entry.
struct Trials {
  double worst_bias = 0;
  double coverage = 0;
  double error = 0;
};
Trials trials(const Matrix& M, DiagonalMethod method, Index products, double quantile) {
  constexpr int kSeeds = 400;
  const OperatorPtr A = dense_operator(M);
  const Index n = M.rows();
  Vector sum = Vector::Zero(n);
  Vector squares = Vector::Zero(n);
  double covered = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const EstimatedDiagonal e = estimate_diagonal(*A, budget(method, products, static_cast<std::uint64_t>(seed)));
    REQUIRE(e.is_finite);
    REQUIRE(e.products == products);
    const Vector error = e.values - M.diagonal();
    sum += error;
    squares += error.cwiseAbs2();
    covered += static_cast<double>((error.array().abs() <= quantile * e.standard_errors.array()).count());
  }
  Trials t;
  const Vector mean = sum / kSeeds;
  const Vector deviation = ((squares / kSeeds - mean.cwiseAbs2()) / kSeeds).cwiseSqrt();
  t.worst_bias = (mean.cwiseAbs().array() / deviation.array()).maxCoeff();
  t.coverage = covered / static_cast<double>(kSeeds * n);
  t.error = std::sqrt(squares.sum() / static_cast<double>(kSeeds * n));
  return t;
}

}  // namespace

TEST_CASE("Estimates of the diagonal are unbiased and their intervals cover in 93 to 97 of 100 cases") {
  // Student's quantiles of 59 and 19 degrees of freedom.
  for (const double rate : {0.0, 0.5, 1.0, 2.0}) {
    // A spectrum of the two values +-1 where the rate is 0: the identity would be known exactly.
    Vector signs(120);
    for (Index i = 0; i < 120; ++i) signs[i] = i % 3 == 0 ? -1 : 1;
    const Matrix M = rate == 0 ? with_eigenvalues(signs, 2) : decaying(120, rate);
    const Trials plain = trials(M, DiagonalMethod::hutchinson, 60, 2.001);
    const Trials better = trials(M, DiagonalMethod::diag_pp, 60, 2.093);
    CAPTURE(rate, plain.worst_bias, plain.coverage, plain.error, better.worst_bias, better.coverage, better.error);
    // The largest of 120 normal figures lies below 4.5 but for a chance of 8e-4.
    CHECK(plain.worst_bias <= 4.5);
    CHECK(better.worst_bias <= 4.5);
    CHECK(plain.coverage >= 0.93);
    CHECK(plain.coverage <= 0.97);
    CHECK(better.coverage >= 0.93);
    CHECK(better.coverage <= 0.97);
    // Of Hutchinson's variance, sum_{j != i} a_ij^2 a probe.
    const double theory = std::sqrt((M.squaredNorm() - M.diagonal().squaredNorm()) / (60.0 * 120.0));
    CHECK(plain.error == Approx(theory).epsilon(0.05));
    if (rate >= 1) CHECK(better.error < plain.error);
    if (rate == 2) CHECK(better.error < 0.05 * plain.error);
  }
}

TEST_CASE("The diagonal is exact where it is all there is, where few directions are and where products suffice") {
  const Vector d = Vector::LinSpaced(30, -2, 5);
  const EstimatedDiagonal alone = estimate_diagonal(*diagonal_operator(d), budget(DiagonalMethod::hutchinson, 7, 1));
  CHECK((alone.values - d).cwiseAbs().maxCoeff() == 0);
  CHECK(alone.standard_errors.maxCoeff() == 0);
  Vector few = Vector::Zero(150);
  few.head(4) << 3, -1, 2, 0.5;
  const Matrix low = with_eigenvalues(few, 4);
  const EstimatedDiagonal rank = estimate_diagonal(*dense_operator(low), budget(DiagonalMethod::diag_pp, 60, 1));
  CHECK((rank.values - low.diagonal()).cwiseAbs().maxCoeff() <= 1e-13);
  CHECK(rank.standard_errors.maxCoeff() <= 1e-13);
  const Matrix M = decaying(50, 0.5);
  for (const DiagonalMethod method : {DiagonalMethod::hutchinson, DiagonalMethod::diag_pp}) {
    const EstimatedDiagonal all = estimate_diagonal(*dense_operator(M), budget(method, 50, 1));
    CHECK(all.is_exact);
    CHECK(all.products == 50);
    CHECK((all.values - M.diagonal()).cwiseAbs().maxCoeff() <= 1e-15);
    // The same figures whatever the block.
    const Vector narrow = estimate_diagonal(*dense_operator(M), budget(method, 40, 1, 1)).values;
    const Vector wide = estimate_diagonal(*dense_operator(M), budget(method, 40, 1, 8)).values;
    CHECK((narrow - wide).cwiseAbs().maxCoeff() <= 1e-13);
  }
}

TEST_CASE("A tolerance ends an estimate of the diagonal and the error is within it") {
  const Matrix M = decaying(700, 0.8);
  for (const DiagonalMethod method : {DiagonalMethod::hutchinson, DiagonalMethod::diag_pp}) {
    DiagonalOptions options = budget(method, 600, 3);
    options.tolerance = 0.3;
    const EstimatedDiagonal e = estimate_diagonal(*dense_operator(M), options);
    CHECK(e.reached);
    CHECK(e.products < 600);
    CHECK(e.standard_errors.norm() <= 0.3 * e.values.norm());
    // The root mean square of 700 entries' errors hardly differs from its expectation.
    CHECK((e.values - M.diagonal()).norm() <= 1.2 * e.standard_errors.norm());
    options.max_products = 12;
    options.tolerance = 1e-6;
    CHECK(!estimate_diagonal(*dense_operator(M), options).reached);
  }
}

TEST_CASE("A diagonal that is not finite is said to be so and impossible options are refused") {
  Matrix M = decaying(40, 1);
  M(3, 5) = M(5, 3) = std::numeric_limits<double>::infinity();
  for (const DiagonalMethod method : {DiagonalMethod::hutchinson, DiagonalMethod::diag_pp}) {
    const EstimatedDiagonal e = estimate_diagonal(*dense_operator(M), budget(method, 20, 1));
    CHECK(!e.is_finite);
    CHECK(!e.reached);
    CHECK_THROWS_AS(estimate_diagonal(*dense_operator(M), budget(method, 5, 1)), Error);
    CHECK_THROWS_AS(estimate_diagonal(*dense_operator(M), budget(method, 20, 1, 0)), Error);
  }
}
