#include "hesse/linalg/schur_complement.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

using namespace hesse;

namespace {

/// Blocks of 2, 5, 1 and 3 variables that stay and 40 of 1 to 3 that go. Residual blocks of 1 to 4 rows use one or two
/// of the former with one of the latter; some use none of the latter, and one pair of blocks meets twice.
BlockStructure random_structure(std::uint64_t seed) {
  BlockStructure s;
  s.variables = {0, 2, 7, 8, 11};
  s.eliminated = 4;
  for (Index e = 0; e < 40; ++e) s.variables.push_back(s.variables.back() + 1 + e % 3);
  s.residuals = {0};
  s.uses_begin = {0};
  const auto add = [&](std::initializer_list<Index> uses, Index height) {
    s.uses.insert(s.uses.end(), uses);
    s.uses_begin.push_back(static_cast<Index>(s.uses.size()));
    s.residuals.push_back(s.residuals.back() + height);
  };
  for (Index e = 0; e < 40; ++e) {
    const Index eliminated = 4 + e;
    const Index a = (e + static_cast<Index>(seed)) % 4;
    add({a, eliminated}, 1 + e % 4);
    add({(a + 1) % 4, eliminated, (a + 2) % 4}, 3);
    add({eliminated, a}, 2);
  }
  add({0, 1}, 4);
  add({3}, 3);
  add({2, 3}, 1);
  s.finish();
  return s;
}

Matrix dense(const BlockJacobian& J) {
  Matrix D(J.structure().residual_count(), J.structure().size());
  Vector column;
  for (Index j = 0; j < D.cols(); ++j) {
    J.multiply(Vector::Unit(D.cols(), j), column);
    D.col(j) = column;
  }
  return D;
}

}  // namespace

TEST_CASE("the Schur complement solves damped least squares as a QR factorisation of the whole does") {
  const int before = threads();
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const BlockStructure structure = random_structure(seed);
    BlockJacobian J;
    J.bind(structure);
    RandomStream stream(seed, Purpose::test);
    Vector values(structure.values.back());
    stream.fill_normal(values);
    for (Index k = 0; k < structure.residual_blocks(); ++k) {
      const Index begin = structure.values[static_cast<std::size_t>(k)];
      const Index end = structure.values[static_cast<std::size_t>(k) + 1];
      std::copy(values.data() + begin, values.data() + end, J.rows(k));
    }
    Vector r(structure.residual_count());
    Vector scale(structure.size());
    RandomStream(seed + 50, Purpose::test).fill_normal(r);
    RandomStream(seed + 90, Purpose::test).fill_uniform(scale, 0.5, 2);
    const Matrix D = dense(J);
    SchurComplement complement;
    complement.bind(J);
    for (const double lambda : {1e-6, 1e-2, 1.0, 1e4}) {
      Matrix stacked(D.rows() + D.cols(), D.cols());
      stacked.topRows(D.rows()) = D;
      stacked.bottomRows(D.cols()) = std::sqrt(lambda) * scale.asDiagonal().toDenseMatrix();
      Vector right = Vector::Zero(stacked.rows());
      right.head(D.rows()) = -r;
      const Eigen::ColPivHouseholderQR<Matrix> qr(stacked);
      const Vector expected = qr.solve(right);
      Vector s;
      set_threads(1);
      REQUIRE(complement.solve(r, lambda, scale, s));
      CAPTURE(seed, lambda);
      // Normal equations square the condition number.
      const auto pivots = qr.matrixQR().diagonal().head(D.cols()).cwiseAbs();
      const double condition = std::pow(pivots.maxCoeff() / pivots.minCoeff(), 2);
      CHECK((s - expected).norm() <= 1e-13 * condition * (expected.norm() + r.norm() / stacked.norm()));
      Vector again;
      set_threads(4);
      REQUIRE(complement.solve(r, lambda, scale, again));
      CHECK(again == s);
    }
  }
  set_threads(before);
}

TEST_CASE("the Schur complement passes the test ratio of a solution at any scale") {
  // |M s + J'r| / ((|M| |s| + |J'r|) n eps) with M = J'J + lambda D^2, in units in which J is of the size of 1. M
  // itself is a square of J, and so is its range: 1e-300 to 1e300.
  const double unit = GENERATE(1.0, 1e150, 1e-150);
  const BlockStructure structure = random_structure(1);
  BlockJacobian J;
  J.bind(structure);
  Vector values(structure.values.back());
  RandomStream(1, Purpose::test).fill_normal(values);
  const auto fill = [&](double factor) {
    for (Index k = 0; k < structure.residual_blocks(); ++k) {
      const Index begin = structure.values[static_cast<std::size_t>(k)];
      const Index end = structure.values[static_cast<std::size_t>(k) + 1];
      std::transform(values.data() + begin, values.data() + end, J.rows(k), [=](double v) { return factor * v; });
    }
  };
  fill(1);
  const Matrix D = dense(J);
  fill(unit);
  Vector r(structure.residual_count());
  Vector scale(structure.size());
  RandomStream(51, Purpose::test).fill_normal(r);
  RandomStream(91, Purpose::test).fill_uniform(scale, 0.5, 2);
  SchurComplement complement;
  complement.bind(J);
  for (const double lambda : {1e-6, 1.0}) {
    Vector s;
    REQUIRE(complement.solve(r, unit * lambda * unit, scale, s));
    Matrix M = D.transpose() * D;
    M.diagonal() += lambda * scale.cwiseAbs2();
    const Vector right = D.transpose() * r;
    const Vector x = unit * s;
    const auto norm = [](const auto& v) { return v.cwiseAbs().rowwise().sum().maxCoeff(); };
    const double size = static_cast<double>(M.rows());
    CAPTURE(unit, lambda);
    CHECK(norm(Vector(M * x + right)) / ((norm(M) * norm(x) + norm(right)) * size * 0x1p-52) < 30);
  }
}

TEST_CASE("a Schur complement that is singular or not finite is told, not returned") {
  const BlockStructure structure = random_structure(0);
  BlockJacobian J;
  J.bind(structure);  // all 0
  SchurComplement complement;
  complement.bind(J);
  Vector s;
  const Vector r = Vector::Ones(structure.residual_count());
  const Vector ones = Vector::Ones(structure.size());
  CHECK_FALSE(complement.solve(r, 0, ones, s));
  CHECK(complement.solve(r, 1, ones, s));
  CHECK(s.isZero());
  J.rows(5)[0] = std::nan("");
  CHECK_FALSE(complement.solve(r, 1, ones, s));

  BlockStructure none = random_structure(0);
  none.eliminated = none.variable_blocks();
  BlockJacobian K;
  K.bind(none);
  SchurComplement refused;
  CHECK_THROWS_AS(refused.bind(K), Error);
}

TEST_CASE("a Schur complement follows the structure, also to another one at the same address and past a refused one") {
  BlockStructure structure = random_structure(0);
  SchurComplement complement;
  const auto check = [&] {
    BlockJacobian J;
    J.bind(structure);
    RandomStream(7, Purpose::test).fill_normal(Eigen::Map<Vector>(J.rows(0), structure.values.back()));
    Vector r(structure.residual_count());
    RandomStream(8, Purpose::test).fill_normal(r);
    complement.bind(J);
    Vector s;
    REQUIRE(complement.solve(r, 1, Vector::Ones(structure.size()), s));
    const Matrix D = dense(J);
    const Vector gradient = D.transpose() * (D * s + r) + s;
    CHECK(gradient.norm() <= 1e-12 * (D.transpose() * r).norm());
  };
  check();
  structure = random_structure(3);
  check();
  structure.eliminated = structure.variable_blocks();
  BlockJacobian none;
  none.bind(structure);
  CHECK_THROWS_AS(complement.bind(none), Error);
  CHECK_THROWS_AS(complement.bind(none), Error);
  structure = random_structure(3);
  check();
}
