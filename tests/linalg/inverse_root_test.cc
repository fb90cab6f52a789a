#include "hesse/linalg/inverse_root.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/linalg/products.h"
#include "hesse/linalg/tall_products.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

Matrix random_matrix(Index rows, Index columns, std::uint64_t step) {
  Matrix M(rows, columns);
  RandomStream(5, Purpose::test, step).fill_normal(Eigen::Map<Vector>(M.data(), M.size()));
  return M;
}

Matrix random_basis(Index n, std::uint64_t step) {
  return Eigen::HouseholderQR<Matrix>(random_matrix(n, n, step)).householderQ() * Matrix::Identity(n, n);
}

/// Eigenvalues from scale / condition to scale, equally spaced in logarithm, in a random basis.
Matrix with_condition(Index n, double condition, double scale, std::uint64_t step) {
  const Matrix Q = random_basis(n, step);
  Vector values(n);
  for (Index i = 0; i < n; ++i) {
    values[i] = scale * std::pow(condition, n > 1 ? -static_cast<double>(i) / static_cast<double>(n - 1) : 0.0);
  }
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return 0.5 * (A + A.transpose());
}

/// max |X^p A - I| in long double, by factors from the left: independent of the library's own residual.
double true_residual(const Matrix& X, const Matrix& A, int p) {
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const Long R = X.cast<long double>();
  Long product = A.cast<long double>();
  for (int i = 0; i < p; ++i) product = (R * product).eval();
  return static_cast<double>((product - Long::Identity(A.rows(), A.cols())).cwiseAbs().maxCoeff());
}

}  // namespace

TEST_CASE("Inverse roots of every order from 1 to 8 have residual at most 1e-8 at condition 1e8") {
  const int p = GENERATE(range(1, 9));
  const Index n = GENERATE(1, 2, 7, 60);
  const Matrix A = with_condition(n, 1e8, 30, 1);
  Matrix X;
  const InverseRootReport report = inverse_root(A, p, {}, X);
  CAPTURE(p, n, describe(report));
  CHECK(report.status == RootStatus::ok);
  // eps cond is 2e-8; its n^2 entries have each some part of it.
  CHECK(true_residual(X, A, p) <= 1e-8);
  // The library's figure is formed in double, which adds as much again.
  CHECK(report.residual <= 2e-8);
  CHECK((X - X.transpose()).cwiseAbs().maxCoeff() == 0);
  // Newton's root may have left the matrices that commute with A by rounding, which the residual amplifies by
  // cond^((p-1)/p); it keeps to the bound that it reports, and agrees with the other as a matrix.
  Matrix Y;
  const InverseRootReport newton = inverse_root(A, p, {.method = RootMethod::newton}, Y);
  CAPTURE(describe(newton), newton.fallback);
  CHECK(newton.status == RootStatus::ok);
  CHECK(newton.residual <= newton.bound);
  CHECK(newton.bound <= 1e-5);
  CHECK(true_residual(Y, A, p) <= newton.bound);
  CHECK((X - Y).norm() <= 1e-8 * X.norm());
  // Independent of both: Eigen's decomposition.
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(A);
  const Matrix reference = eigen.eigenvectors() * eigen.eigenvalues().array().pow(-1.0 / p).matrix().asDiagonal() *
                           eigen.eigenvectors().transpose();
  // lambda_min is known to eps |A|, a relative eps cond.
  CHECK((X - reference).norm() <= 1e-7 * reference.norm());
}

TEST_CASE("Newton's own root, with no help from the decomposition, is right for every order at condition 1e4") {
  const int p = GENERATE(range(1, 9));
  const Matrix A = with_condition(40, 1e4, 1e-3, 2);
  Matrix X;
  const InverseRootReport report = inverse_root(A, p, {.method = RootMethod::newton}, X);
  CAPTURE(p, describe(report), report.iterations);
  CHECK(report.method == RootMethod::newton);
  CHECK(!report.fallback);
  CHECK(report.condition >= 1e4);
  CHECK(report.condition <=
        1e4 * 40);  // column sums and Frobenius norms are up to sqrt(n) above the largest eigenvalue
  CHECK(true_residual(X, A, p) <= 1e-9);
}

TEST_CASE("A Newton iteration that is stopped too early is noticed by its residual and replaced") {
  const Matrix A = with_condition(30, 1e6, 2, 3);
  Matrix X;
  const InverseRootReport report = inverse_root(A, 3, {.method = RootMethod::newton, .max_iterations = 8}, X);
  CHECK(report.fallback);
  CHECK(report.method == RootMethod::eigen);
  CHECK(report.iterations == 8);
  CHECK(report.status == RootStatus::ok);
  CHECK(true_residual(X, A, 3) <= 1e-8);
}

TEST_CASE("The residual of a root of the wrong order is of order one, though its matrix is symmetric and definite") {
  const Matrix A = with_condition(20, 100, 1, 4);
  InverseRootWorkspace workspace;
  workspace.reserve(20, RootMethod::eigen);
  Matrix fourth;
  inverse_root(A, 4, {}, fourth);
  for (const Index p : {1, 2, 3, 5, 6, 7, 8}) {
    CAPTURE(p);
    CHECK(inverse_root_residual(fourth, A, 0, p, workspace) > 0.1);  // 1 - lambda^(1 - p/4) for lambda in [0.01, 1]
  }
  CHECK(inverse_root_residual(fourth, A, 0, 4, workspace) <= 1e-12);
  // One entry that is off by a hundred-thousandth is seen.
  fourth(3, 5) *= 1 + 1e-5;
  CHECK(inverse_root_residual(fourth, A, 0, 4, workspace) > 1e-8);
}

TEST_CASE("Real exponents obey the law of powers") {
  const double p = GENERATE(0.5, 0.75, 1.5, 2.5, 6.25);
  const Matrix A = with_condition(25, 1e3, 5, 5);
  Matrix X;
  Matrix Y;
  const InverseRootReport report = inverse_root(A, p, {}, X);
  CHECK(report.status == RootStatus::ok);
  inverse_root(A, 2 * p, {}, Y);
  // (A^(-1/(2p)))^2 = A^(-1/p), up to n eps of the norm.
  CHECK((Y * Y - X).norm() <= 100 * kEps * X.norm());
  Matrix inverse;
  inverse_root(A, 1, {}, inverse);
  if (p == 0.5) CHECK((inverse * inverse - X).norm() <= 1e-10 * X.norm());
  CHECK_THROWS_AS(inverse_root(A, p, {.method = RootMethod::newton}, X), Error);
}

TEST_CASE("A ridge stands on the diagonal, in absolute terms or relative to the largest eigenvalue") {
  const Matrix A = with_condition(12, 1e3, 7, 6);
  const RootMethod method = GENERATE(RootMethod::eigen, RootMethod::newton);
  Matrix X;
  const InverseRootReport absolute = inverse_root(A, 2, {.method = method, .ridge = 0.5}, X);
  CHECK(absolute.ridge == 0.5);
  CHECK(true_residual(X, A + 0.5 * Matrix::Identity(12, 12), 2) <= 1e-10);
  const InverseRootReport relative = inverse_root(A, 2, {.method = method, .ridge = 0.1, .relative_ridge = true}, X);
  // Newton's estimate of the largest eigenvalue is from 40 products.
  CHECK(relative.ridge == Approx(0.7).epsilon(1e-3));
  CHECK(true_residual(X, A + relative.ridge * Matrix::Identity(12, 12), 2) <= 1e-10);
}

TEST_CASE(
    "No inverse root is silently wrong or not finite: zero, singular, indefinite, huge, tiny and spoiled matrices") {
  const RootMethod method = GENERATE(RootMethod::eigen, RootMethod::newton);
  const InverseRootOptions options{.method = method};
  Matrix X;
  const Matrix zero = Matrix::Zero(5, 5);
  CHECK(inverse_root(zero, 4, options, X).status == RootStatus::zero);
  CHECK(X == Matrix::Identity(5, 5));
  const Matrix thin = random_matrix(6, 2, 7);
  const InverseRootReport singular = inverse_root(thin * thin.transpose(), 4, options, X);
  CHECK(singular.status == RootStatus::inaccurate);
  CHECK(singular.residual > 0.5);
  CHECK(X.allFinite());
  Matrix indefinite = with_condition(5, 10, 1, 8);
  indefinite -= 0.5 * Matrix::Identity(5, 5);
  CHECK(inverse_root(indefinite, 2, options, X).status == RootStatus::inaccurate);
  CHECK(X.allFinite());
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Matrix spoiled = with_condition(5, 10, 1, 9);
    spoiled(4, 1) = spoiled(1, 4) = bad;
    const InverseRootReport report = inverse_root(spoiled, 4, options, X);
    CHECK(report.status == RootStatus::non_finite);
    CHECK(X == Matrix::Identity(5, 5));
    CHECK(report.residual > 1);
  }
  for (const double scale : {1e-280, 1e-100, 1e100, 1e300}) {
    CAPTURE(scale);
    const Matrix A = with_condition(5, 100, scale, 10);
    const InverseRootReport report = inverse_root(A, 4, options, X);
    CHECK(report.status == RootStatus::ok);
    CHECK(report.residual <= 1e-8);
    CHECK(X.allFinite());
  }
  CHECK_THROWS_AS(inverse_root(Matrix::Zero(2, 3), 2, options, X), Error);
  CHECK_THROWS_AS(inverse_root(zero, 0, options, X), Error);
  Matrix none;
  CHECK(inverse_root(Matrix(0, 0), 2, options, none).status == RootStatus::ok);
}

TEST_CASE("Orthonormalised columns span what they did, first to last, with their signs kept") {
  const Index n = GENERATE(1, 3, 20, 130);
  const Matrix A = random_matrix(n, n, 11);
  Matrix Q = A;
  OrthonormalizeWorkspace<double> workspace;
  REQUIRE(orthonormalize(Q, workspace));
  CHECK((Q.transpose() * Q - Matrix::Identity(n, n)).cwiseAbs().maxCoeff() <=
        20 * kEps * std::sqrt(static_cast<double>(n)));
  const Matrix R = Q.transpose() * A;
  for (Index j = 0; j < n; ++j) {
    CHECK(R(j, j) > 0);
    for (Index i = j + 1; i < n; ++i) CHECK(std::abs(R(i, j)) <= 100 * kEps * A.norm());
  }
  // What is orthonormal stays, also at other scales.
  for (const double scale : {1.0, 1e-200, 1e200}) {
    Matrix again = scale * Q;
    REQUIRE(orthonormalize(again, workspace));
    CHECK((again - Q).cwiseAbs().maxCoeff() <= 100 * kEps);
  }
  OrthonormalizeWorkspace<float> in_float;
  Eigen::MatrixXf single = A.cast<float>();
  REQUIRE(orthonormalize(single, in_float));
  CHECK((single.transpose() * single - Eigen::MatrixXf::Identity(n, n)).cwiseAbs().maxCoeff() <= 1e-5F);
  CHECK((single.cast<double>().transpose() * A).triangularView<Eigen::StrictlyLower>().toDenseMatrix().norm() <=
        1e-5 * A.norm());
  Matrix zero = Matrix::Zero(n, n);
  REQUIRE(orthonormalize(zero, workspace));
  CHECK((zero.transpose() * zero - Matrix::Identity(n, n)).cwiseAbs().maxCoeff() <= 1e-14);
  Matrix spoiled = A;
  spoiled(n - 1, 0) = std::nan("");
  CHECK(!orthonormalize(spoiled, workspace));
  Matrix wide = random_matrix(2, 3, 12);
  CHECK_THROWS_AS(orthonormalize(wide, workspace), Error);
}

TEST_CASE("A tall matrix is orthonormalised as a short one is and to the same bits for any number of threads") {
  // By panels from 8192 rows on; 20001 leaves a last panel of another size.
  for (const Index m : {8191, 8192, 20001}) {
    const Index n = 7;
    const Matrix A = random_matrix(m, n, 14);
    OrthonormalizeWorkspace<double> workspace;
    Matrix Q = A;
    REQUIRE(orthonormalize(Q, workspace));
    CHECK((Q.transpose() * Q - Matrix::Identity(n, n)).cwiseAbs().maxCoeff() <= 1e-14);
    // A = Q R with R's diagonal positive has one solution.
    const Matrix R = Q.transpose() * A;
    CHECK((Q * R - A).cwiseAbs().maxCoeff() <= 100 * kEps * A.cwiseAbs().maxCoeff());
    for (Index j = 0; j < n; ++j) CHECK(R(j, j) > 0);
    CHECK(R.triangularView<Eigen::StrictlyLower>().toDenseMatrix().norm() <= 100 * kEps * A.norm());
    const int before = threads();
    set_threads(1);
    Matrix on_one = A;
    REQUIRE(orthonormalize(on_one, workspace));
    set_threads(before);
    CHECK(on_one == Q);
    // Without full rank: two columns alike, and one of nothing.
    Matrix poor = A;
    poor.col(3) = poor.col(1);
    poor.col(5).setZero();
    REQUIRE(orthonormalize(poor, workspace));
    CHECK((poor.transpose() * poor - Matrix::Identity(n, n)).cwiseAbs().maxCoeff() <= 1e-14);
    CHECK((A.col(6) - poor * (poor.transpose() * A.col(6))).norm() <= 1e-12 * A.col(6).norm());
  }
}

TEST_CASE("Products with tall matrices equal the products as defined and do not depend on the number of threads") {
  for (const Index n : {0, 1, 100, 4096, 9001}) {
    const Index k = 5;
    const Index b = GENERATE(1, 3);
    const Matrix Q = random_matrix(n, k, 15);
    const Matrix V = random_matrix(n, b, 16);
    TallWorkspace workspace;
    Matrix C(k, b);
    tall_gram(Q, V, C, workspace);
    // Sums of n products of entries of size one.
    const double tolerance = 10 * kEps * static_cast<double>(n + 1);
    CHECK((C - Q.transpose() * V).cwiseAbs().sum() <= tolerance * static_cast<double>(k * b));
    Matrix left = V;
    tall_subtract(Q, C, left);
    CHECK((left - (V - Q * C)).cwiseAbs().sum() <= tolerance * (1 + C.cwiseAbs().sum()));
    Matrix combined(n, b);
    tall_combine(Q, C, combined);
    CHECK((combined - Q * C).cwiseAbs().sum() <= tolerance * (1 + C.cwiseAbs().sum()));
    const int before = threads();
    set_threads(1);
    Matrix on_one(k, b);
    tall_gram(Q, V, on_one, workspace);
    set_threads(before);
    CHECK(on_one == C);
  }
  TallWorkspace workspace;
  Matrix C(2, 2);
  CHECK_THROWS_AS(tall_gram(Matrix(5, 2), Matrix(4, 2), C, workspace), Error);
  CHECK_THROWS_AS(tall_combine(Matrix(5, 2), Matrix(3, 2), C), Error);
}

TEST_CASE("Products over panels equal the products as defined, and symmetric ones are symmetric to the bit") {
  const auto [m, n, k] =
      GENERATE(std::tuple<Index, Index, Index>{3, 5, 2}, std::tuple<Index, Index, Index>{300, 40, 17},
               std::tuple<Index, Index, Index>{65, 259, 40});
  const Matrix A = random_matrix(m, k, 13);
  const Matrix B = random_matrix(k, n, 14);
  const Matrix At = A.transpose();
  const Matrix Bt = B.transpose();
  const Matrix C0 = random_matrix(m, n, 15);
  const Matrix expected = 0.5 * (A * B) + 2 * C0;
  const double bound =
      4 * kEps * static_cast<double>(k) * A.cwiseAbs().maxCoeff() * B.cwiseAbs().maxCoeff() + 20 * kEps;
  for (const Transpose a_op : {Transpose::no, Transpose::yes}) {
    for (const Transpose b_op : {Transpose::no, Transpose::yes}) {
      const Matrix& left = a_op == Transpose::no ? A : At;
      const Matrix& right = b_op == Transpose::no ? B : Bt;
      Matrix C = C0;
      multiply(a_op, b_op, m, n, k, 0.5, left.data(), left.rows(), right.data(), right.rows(), 2, C.data(), m);
      CHECK((C - expected).cwiseAbs().maxCoeff() <= bound);
    }
    const Matrix& left = a_op == Transpose::no ? A : At;
    Matrix G = Matrix::Constant(m, m, std::nan(""));
    symmetric_product(a_op, a_op == Transpose::no ? Transpose::yes : Transpose::no, m, k, 1, left.data(), left.rows(),
                      left.data(), left.rows(), 0, G.data(), m);
    CHECK((G - A * A.transpose()).cwiseAbs().maxCoeff() <=
          4 * kEps * static_cast<double>(k) * A.cwiseAbs2().maxCoeff());
    CHECK(G == G.transpose());
  }
}
