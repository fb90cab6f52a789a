#include "hesse/linalg/newton_schulz.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

using namespace hesse;

namespace {

Matrix random_matrix(Index rows, Index columns, std::uint64_t step) {
  Matrix M(rows, columns);
  RandomStream(6, Purpose::test, step).fill_normal(Eigen::Map<Vector>(M.data(), M.size()));
  return M;
}

/// U diag(sigma) V' with random U, V.
Matrix with_singular_values(Index rows, Index columns, const Vector& sigma) {
  const Index r = sigma.size();
  const Matrix U = Eigen::HouseholderQR<Matrix>(random_matrix(rows, r, 1)).householderQ() * Matrix::Identity(rows, r);
  const Matrix V =
      Eigen::HouseholderQR<Matrix>(random_matrix(columns, r, 2)).householderQ() * Matrix::Identity(columns, r);
  return U * sigma.asDiagonal() * V.transpose();
}

double map_scalar(PolarSchedule schedule, Index steps, double sigma) {
  const auto coefficients = polar_schedule(schedule);
  for (Index k = 0; k < steps; ++k) {
    const auto [a, b, c] = coefficients[std::min(static_cast<std::size_t>(k), coefficients.size() - 1)];
    sigma = a * sigma + b * std::pow(sigma, 3) + c * std::pow(sigma, 5);
  }
  return sigma;
}

/// The least and greatest image of sigma in [low, 1], on a grid fine enough for four digits.
std::pair<double, double> range_of(PolarSchedule schedule, Index steps, double low) {
  double least = 1e300;
  double greatest = -1e300;
  constexpr int kPoints = 400000;
  for (int i = 0; i <= kPoints; ++i) {
    const double image = map_scalar(schedule, steps, low * std::pow(1 / low, static_cast<double>(i) / kPoints));
    least = std::min(least, image);
    greatest = std::max(greatest, image);
  }
  return {least, greatest};
}

}  // namespace

TEST_CASE(
    "The intervals into which five Newton-Schulz iterations map the singular values are those computed elsewhere") {
  const auto [schedule, low, least, greatest] = GENERATE(
      std::tuple{PolarSchedule::muon, 0.01, 0.6818, 1.1344}, std::tuple{PolarSchedule::muon, 0.001, 0.4705, 1.2024},
      std::tuple{PolarSchedule::modular, 0.01, 0.972, 1.188}, std::tuple{PolarSchedule::dion, 0.01, 0.978, 1.032});
  const auto [from, to] = range_of(schedule, 5, low);
  CAPTURE(static_cast<int>(schedule), from, to);
  CHECK(from == Approx(least).margin(6e-4));
  CHECK(to == Approx(greatest).margin(6e-4));
}

TEST_CASE("Each of the constants of Polar Express is the next best: eight of them bring [0.001, 1] to 1 within 1e-5") {
  const auto [from, to] = range_of(PolarSchedule::polar_express, 9, 1e-3);
  CAPTURE(from, to);
  CHECK(from >= 1 - 1e-5);
  CHECK(to <= 1 + 1e-5);
  double slope = 1;
  for (const auto& q : polar_schedule(PolarSchedule::polar_express).first(5)) slope *= q.a;
  CHECK(slope == Approx(976.2).epsilon(1e-3));
}

TEST_CASE("Newton-Schulz maps the singular values of wide, tall and square matrices as its polynomial maps numbers") {
  const auto [rows, columns] =
      GENERATE(std::pair<Index, Index>{9, 14}, std::pair<Index, Index>{14, 9}, std::pair<Index, Index>{11, 11},
               std::pair<Index, Index>{1, 6}, std::pair<Index, Index>{150, 300});
  const PolarSchedule schedule = GENERATE(PolarSchedule::muon, PolarSchedule::modular, PolarSchedule::classical,
                                          PolarSchedule::dion, PolarSchedule::polar_express);
  const Index r = std::min(rows, columns);
  // In [0.01, 1] after division by the Frobenius norm, for 11 values: sqrt(sum) is below 2.6.
  Vector sigma(r);
  for (Index i = 0; i < r; ++i)
    sigma[i] = r > 1 ? std::pow(30.0, -static_cast<double>(i) / static_cast<double>(r - 1)) : 1.0;
  Matrix X = 1e5 * with_singular_values(rows, columns, sigma);
  NewtonSchulzWorkspace<double> workspace;
  NewtonSchulzOptions options;
  options.schedule = schedule;
  options.eps = 0;
  REQUIRE(newton_schulz(rows, columns, X.data(), X.data(), options, workspace));
  Vector images = sigma / sigma.norm();
  for (double& s : images) s = map_scalar(schedule, 5, s);
  // The same U and V: the result is U diag(images) V'. Slopes up to 1000 times rounding of n eps.
  CHECK((X - with_singular_values(rows, columns, images)).cwiseAbs().maxCoeff() <= 1e-11);
  // In float: the slope, below 1200, on the rounding of 2^-24 of entries below 1, and some products of up to 300 terms.
  Eigen::MatrixXf single(rows, columns);
  NewtonSchulzWorkspace<float> in_float;
  const Matrix A = 1e50 * with_singular_values(rows, columns, sigma);
  REQUIRE(newton_schulz(rows, columns, A.data(), single.data(), options, in_float));
  CHECK((single.cast<double>() - X).cwiseAbs().maxCoeff() <= 1e-3);
  if (schedule == PolarSchedule::muon && r <= 14) {
    const Vector found = Eigen::JacobiSVD<Matrix>(X).singularValues();
    CHECK(found.minCoeff() >= 0.6818 - 1e-4);
    CHECK(found.maxCoeff() <= 1.1344 + 1e-4);
  }
}

TEST_CASE("The classical schedule converges to the polar factor to rounding") {
  const Matrix G = random_matrix(8, 5, 3);
  const Eigen::JacobiSVD<Matrix> svd(G, Eigen::ComputeThinU | Eigen::ComputeThinV);
  Matrix X = G;
  NewtonSchulzWorkspace<double> workspace;
  REQUIRE(newton_schulz(8, 5, X.data(), X.data(), {PolarSchedule::classical, 20, 1e-7}, workspace));
  CHECK((X - svd.matrixU() * svd.matrixV().transpose()).cwiseAbs().maxCoeff() <= 1e-14);
}

TEST_CASE(
    "Newton-Schulz leaves zero as it is, refuses what is not finite, and has the same bits on any number of threads") {
  NewtonSchulzWorkspace<double> workspace;
  Matrix zero = Matrix::Zero(4, 3);
  CHECK(newton_schulz(4, 3, zero.data(), zero.data(), {}, workspace));
  CHECK(zero == Matrix::Zero(4, 3));
  Matrix spoiled = Matrix::Ones(4, 3);
  spoiled(2, 1) = std::nan("");
  CHECK(!newton_schulz(4, 3, spoiled.data(), spoiled.data(), {}, workspace));
  CHECK(spoiled(0, 0) == 1);
  const int machine = threads();
  const Matrix G = random_matrix(300, 410, 4);
  Matrix reference;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    Matrix X = G;
    newton_schulz(300, 410, X.data(), X.data(), {}, workspace);
    if (count == 1) reference = X;
    CHECK(std::memcmp(X.data(), reference.data(), static_cast<std::size_t>(X.size()) * sizeof(double)) == 0);
  }
  set_threads(machine);
}
