#include "hesse/landscape/principal_components.h"

#include "hesse/core/error.h"
#include "nn/network_cases.h"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

Matrix random_matrix(Index rows, Index cols, std::uint64_t step) {
  return test_point(rows * cols, step).reshaped(rows, cols);
}

}  // namespace

TEST_CASE("points of a plane have two principal components that span it and hold all of the variance") {
  const Matrix plane = Eigen::HouseholderQR<Matrix>(random_matrix(50, 2, 1)).householderQ() * Matrix::Identity(50, 2);
  const Matrix points = plane * random_matrix(2, 9, 2);
  const PrincipalComponents components = principal_components(points, 3);
  REQUIRE(components.directions.cols() == 2);
  // Both bases are orthonormal: the projection of one onto the other is a rotation.
  const Matrix overlap = plane.transpose() * components.directions;
  CHECK((overlap.transpose() * overlap - Matrix::Identity(2, 2)).norm() <= 1e-13);
  CHECK(components.shares.size() == 9);
  CHECK(std::abs(components.shares.sum() - 1) <= 10 * kEps);
  CHECK(std::abs(components.shares.head(2).sum() - 1) <= 100 * kEps);
  const ProjectedPoints shadow = project(components.directions, points);
  CHECK(shadow.distances.maxCoeff() <= 1e-13 * points.norm());
}

TEST_CASE("shares of variance and directions are those of the singular value decomposition") {
  Matrix points = random_matrix(40, 6, 3);
  points.col(0) *= 5;
  points.col(1) *= 3;
  const PrincipalComponents components = principal_components(points, 2);
  const Eigen::JacobiSVD<Matrix> svd(points, Eigen::ComputeThinU);
  const Vector squares = svd.singularValues().array().square();
  CHECK((components.shares - squares / squares.sum()).cwiseAbs().maxCoeff() <= 1e-14);
  for (Index i = 0; i < 2; ++i) {
    CHECK(std::abs(std::abs(components.directions.col(i).dot(svd.matrixU().col(i))) - 1) <= 1e-12);
  }
  CHECK((components.directions.transpose() * components.directions - Matrix::Identity(2, 2)).norm() <= 1e-14);
}

TEST_CASE(
    "a random walk seen from its end has shares of 8 / (pi (2k - 1))^2 in its components as Brownian motion has") {
  const Index n = 4000;
  const Index steps = 150;
  const Matrix moves = random_matrix(n, steps, 7);
  Matrix differences(n, steps);
  differences.col(steps - 1) = -moves.col(steps - 1);
  for (Index i = steps - 1; i-- > 0;) differences.col(i) = differences.col(i + 1) - moves.col(i);
  const Vector shares = principal_components(differences, 1).shares;
  // Off by the walk's 150 steps, relatively 1 / 150, and by the angles of its moves, n^-1/2 = 1 / 63.
  for (Index k = 1; k <= 3; ++k) {
    const double exact = 8 / std::pow(3.14159265358979 * static_cast<double>(2 * k - 1), 2);
    CHECK(std::abs(shares[k - 1] / exact - 1) <= 0.06);
  }
}

TEST_CASE("a line has one component and a single point none") {
  const Vector u = test_point(20);
  Matrix line(20, 3);
  line << u, -2 * u, Vector::Zero(20);
  CHECK(principal_components(line, 2).directions.cols() == 1);
  CHECK(principal_components(Matrix::Zero(20, 3), 2).directions.cols() == 0);
  CHECK(principal_components(Matrix::Zero(20, 0), 2).directions.cols() == 0);
  line(3, 1) = std::nan("");
  CHECK(principal_components(line, 2).directions.cols() == 0);
  CHECK_THROWS_AS(principal_components(line, 0), Error);
}

TEST_CASE("a projection onto oblique directions finds the coordinates that points were made from and their distance") {
  const Matrix U = random_matrix(30, 2, 4) * (Matrix(2, 2) << 3, 2.9, 0, 0.2).finished();
  const Matrix coordinates = random_matrix(2, 5, 5);
  Vector off = test_point(30, 6);
  off -= U * Eigen::HouseholderQR<Matrix>(U).solve(off);
  const ProjectedPoints shadow = project(U, (U * coordinates).colwise() + off);
  // The condition of U is about 50.
  CHECK((shadow.coordinates - coordinates).norm() <= 1e-11);
  CHECK((shadow.distances.array() - off.norm()).abs().maxCoeff() <= 1e-12 * off.norm());
  CHECK_THROWS_AS(project(random_matrix(30, 1, 4) * Matrix::Ones(1, 2), coordinates), Error);
  CHECK_THROWS_AS(project((Matrix(3, 2) << 1, 2, 1, 2, 1, 2).finished(), Matrix::Ones(3, 1)), Error);
}
