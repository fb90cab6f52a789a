#include "hesse/linalg/block_lanczos.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/operators.h"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

Matrix random_matrix(Index rows, Index columns, std::uint64_t seed) {
  Vector entries(rows * columns);
  RandomStream(seed, Purpose::test).fill_normal(entries);
  return entries.reshaped(rows, columns);
}

struct Planted {
  Matrix Q;
  Vector values;
  OperatorPtr A;
};

Planted with_spectrum(const Vector& values, std::uint64_t seed) {
  const Index n = values.size();
  const Matrix Q = Eigen::HouseholderQR<Matrix>(random_matrix(n, n, seed)).householderQ();
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return {Q, values, dense_operator(0.5 * (A + A.transpose()))};
}

}  // namespace

TEST_CASE("block Lanczos finds the upper end of a spectrum and its residuals bound its errors") {
  for (const Index n : {1, 2, 5, 40, 300}) {
    const Planted planted = with_spectrum(Vector::LinSpaced(n, -1, 2), 1);
    BlockLanczosOptions options;
    options.pairs = std::min<Index>(n, 3);
    options.tolerance = 1e-8;
    const BlockLanczosResult result = block_lanczos(*planted.A, Matrix(), options);
    CAPTURE(n, result.products);
    CHECK(result.status == EigenStatus::converged);
    REQUIRE(result.pairs.values.size() == options.pairs);
    for (Index i = 0; i < options.pairs; ++i) {
      // Formed anew.
      Vector Av(n);
      const Vector v = result.pairs.vectors.col(i);
      planted.A->apply(v, Av);
      const double residual = (Av - result.pairs.values[i] * v).norm();
      CHECK(std::abs(residual - result.pairs.residuals[i]) <= 1e-13);
      CHECK(residual <= options.tolerance * 2);
      CHECK(std::abs(result.pairs.values[i] - planted.values[n - 1 - i]) <= residual + 1e-13);
    }
    const Matrix gram = result.pairs.vectors.transpose() * result.pairs.vectors;
    CHECK(gram.isIdentity(1e-12));
  }
}

TEST_CASE("copies of an eigenvalue up to the width of the block come together") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Vector values = Vector::LinSpaced(200, 0, 5);
    values.tail(5).setConstant(10);
    values[194] = 9;
    const Planted planted = with_spectrum(values, 300 + seed);
    BlockLanczosOptions options;
    options.pairs = 6;
    options.guard = 2;
    options.tolerance = 1e-9;
    options.seed = seed;
    const BlockLanczosResult result = block_lanczos(*planted.A, Matrix(), options);
    REQUIRE(result.status == EigenStatus::converged);
    CHECK((result.pairs.values.head(5).array() - 10).abs().maxCoeff() <= 1e-8);
    CHECK(std::abs(result.pairs.values[5] - 9) <= 1e-8);
  }
}

TEST_CASE("from eigenvectors that are known one block of products is enough") {
  const Planted planted = with_spectrum(Vector::LinSpaced(100, 0, 1), 7);
  BlockLanczosOptions options;
  options.pairs = 4;
  options.guard = 1;
  options.tolerance = 1e-8;
  const Matrix known = planted.Q.rightCols(4) * random_matrix(4, 4, 8);  // any basis of them
  const BlockLanczosResult warm = block_lanczos(*planted.A, known, options);
  CHECK(warm.status == EigenStatus::converged);
  CHECK(warm.products == 5);
  const BlockLanczosResult cold = block_lanczos(*planted.A, Matrix(), options);
  CHECK(cold.products > 5 * warm.products);
  // Near ones save some of it.
  const BlockLanczosResult near =
      block_lanczos(*planted.A, planted.Q.rightCols(4) + 1e-4 * random_matrix(100, 4, 9), options);
  CHECK(near.status == EigenStatus::converged);
  CHECK(near.products < cold.products);
}

TEST_CASE("restarted block Lanczos loses little to the restarts") {
  // The end of this spectrum is dense: the gap of the second pair to the rest is a 2000th of the width.
  const Index n = 400;
  Vector values(n);
  for (Index i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(n - 1);
    values[i] = 1 - (1 - t) * (1 - t);
  }
  const Planted planted = with_spectrum(values, 13);
  BlockLanczosOptions options;
  options.pairs = 2;
  options.guard = 2;
  options.tolerance = 1e-7;
  options.depth = 100;
  const BlockLanczosResult whole = block_lanczos(*planted.A, Matrix(), options);
  options.depth = 15;
  const BlockLanczosResult restarted = block_lanczos(*planted.A, Matrix(), options);
  REQUIRE(whole.status == EigenStatus::converged);
  REQUIRE(restarted.status == EigenStatus::converged);
  CHECK((restarted.pairs.values - values.tail(2).reverse()).cwiseAbs().maxCoeff() <= 1e-7);
  CHECK((restarted.pairs.vectors.transpose() * restarted.pairs.vectors).isIdentity(1e-12));
  // Residuals that followed from the basis through many restarts are those of products made afresh.
  Matrix AV(n, 2);
  planted.A->apply(restarted.pairs.vectors, AV);
  const Vector afresh =
      (AV - restarted.pairs.vectors * restarted.pairs.values.asDiagonal()).colwise().norm().transpose();
  CHECK((afresh - restarted.pairs.residuals).cwiseAbs().maxCoeff() <= 1e-13);
  CHECK(restarted.products > 4 * 15);
  CHECK(restarted.products <= 3 * whole.products);
}

TEST_CASE("a limit on products is kept and said and a start in an invariant space is left") {
  const Planted planted = with_spectrum(Vector::LinSpaced(200, 0, 1), 11);
  BlockLanczosOptions options;
  options.pairs = 2;
  options.max_products = 20;
  options.tolerance = 1e-12;
  const BlockLanczosResult result = block_lanczos(*planted.A, Matrix(), options);
  CHECK(result.status == EigenStatus::not_converged);
  CHECK(result.products <= 20);
  // Eigenvectors of the lower end converge at once to eigenpairs, but of the wrong end: the guard's random vectors see
  // more.
  options = {};
  options.pairs = 2;
  options.tolerance = 1e-8;
  const BlockLanczosResult low = block_lanczos(*planted.A, planted.Q.leftCols(2), options);
  CHECK(low.status == EigenStatus::converged);
  CHECK(low.pairs.values[0] == Approx(1).epsilon(1e-7));
}

TEST_CASE("block Lanczos names what is not finite and refuses what is impossible") {
  const auto nan = function_operator(30, [](ConstMatrixView, MatrixView Y) { Y.setConstant(std::nan("")); });
  CHECK(block_lanczos(*nan, Matrix(), {}).status == EigenStatus::non_finite);
  CHECK_THROWS_AS(block_lanczos(*scaled_identity(3, 1), Matrix(), {.pairs = 4}), Error);
  CHECK_THROWS_AS(block_lanczos(*scaled_identity(3, 1), Matrix(), {.pairs = 0}), Error);
  CHECK_THROWS_AS(block_lanczos(*scaled_identity(3, 1), Matrix(), {.tolerance = 0}), Error);
  CHECK_THROWS_AS(block_lanczos(*scaled_identity(3, 1), Matrix::Ones(2, 1), {}), Error);
  // The identity's space is invariant from the first block on.
  const BlockLanczosResult identity = block_lanczos(*scaled_identity(50, 2), Matrix(), {.pairs = 3});
  CHECK(identity.status == EigenStatus::converged);
  CHECK((identity.pairs.values.array() - 2).abs().maxCoeff() <= 1e-13);
}

TEST_CASE("the products of block Lanczos show what an operator lacks of symmetry, and nothing where it is symmetric") {
  const Index n = 200;
  const Planted planted = with_spectrum(Vector::LinSpaced(n, 0, 1), 3);
  const Matrix skew = random_matrix(n, n, 4);
  for (const Index pairs : {1, 3}) {
    BlockLanczosOptions options;
    options.pairs = pairs;
    options.guard = pairs == 1 ? 0 : 2;
    options.tolerance = 1e-6;
    // Restarted, too, there is rounding alone: n of them in an inner product.
    options.depth = 6;
    CHECK(block_lanczos(*planted.A, Matrix(), options).asymmetry <= 1e-14 * static_cast<double>(n));
    for (const double share : {1e-6, 1e-3}) {
      const Matrix S = share / std::sqrt(static_cast<double>(n)) * (skew - skew.transpose());
      const auto A = function_operator(n, [&](ConstMatrixView X, MatrixView Y) {
        planted.A->apply(X, Y);
        Y += S * X;
      });
      const double found = block_lanczos(*A, Matrix(), options).asymmetry;
      CAPTURE(pairs, share, found);
      // Entries of S between unit vectors of any direction are about its norm, 2.8 shares, over sqrt(n).
      CHECK(found >= 0.01 * share);
      CHECK(found <= 10 * share);
    }
  }
}
