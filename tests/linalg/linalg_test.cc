#include "hesse/linalg/cg.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/inertia.h"
#include "hesse/linalg/minres.h"
#include "hesse/linalg/operators.h"
#include "hesse/linalg/steihaug.h"

#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

Matrix random_matrix(Index rows, Index cols, std::uint64_t step) {
  Matrix A(rows, cols);
  RandomStream(11, Purpose::test, step).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  return A;
}
Matrix random_symmetric(Index n, std::uint64_t step) {
  const Matrix A = random_matrix(n, n, step);
  return 0.5 * (A + A.transpose());
}
Matrix random_orthogonal(Index n, std::uint64_t step) {
  return Eigen::HouseholderQR<Matrix>(random_matrix(n, n, step)).householderQ() * Matrix::Identity(n, n);
}
Matrix with_spectrum(const Vector& values, std::uint64_t step) {
  const Matrix Q = random_orthogonal(values.size(), step);
  return Q * values.asDiagonal() * Q.transpose();
}
Matrix product(const LinearOperator& A, const Matrix& X) {
  Matrix Y(A.size(), X.cols());
  A.apply(X, Y);
  return Y;
}

/// Least m(s) = g's + s'As/2 in the ball, for A positive definite, by its eigen-decomposition and
/// bisection on the multiplier.
double best_decrease(const Matrix& A, const Vector& g, double radius) {
  Vector values;
  Matrix V;
  symmetric_eigen(A, values, V);
  const Vector c = V.transpose() * g;
  const auto step = [&](double lambda) { return Vector(-c.array() / (values.array() + lambda)); };
  double low = 0;
  double high = g.norm() / radius;
  if (step(0).norm() > radius) {
    for (int i = 0; i < 200; ++i) {
      const double middle = 0.5 * (low + high);
      (step(middle).norm() > radius ? low : high) = middle;
    }
  }
  const Vector s = step(low);
  return -(c.dot(s) + 0.5 * s.dot(values.cwiseProduct(s)));
}

}  // namespace

TEST_CASE("each operator of the algebra equals its matrix, on blocks of vectors") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const Matrix A = random_symmetric(n, 1);
  const Matrix B = random_symmetric(n, 2);
  const Matrix X = random_matrix(n, 4, 3);
  const auto a = dense_operator(A);
  const auto b = dense_operator(B);
  // n eps |A| |X| per product, times a few products.
  const double tolerance = 20 * static_cast<double>(n) * kEps * (A.norm() + B.norm() + 1) * (A.norm() + 1) * X.norm();
  const auto check = [&](const OperatorPtr& op, const Matrix& M, const Matrix& Z) {
    CHECK(op->size() == M.rows());
    CHECK((product(*op, Z) - M * Z).norm() <= tolerance);
    CHECK((to_dense(*op) - M).norm() <= tolerance);
  };
  const Vector d = random_matrix(n, 1, 4);
  check(a, A, X);
  check(diagonal_operator(d), d.asDiagonal(), X);
  check(scaled_identity(n, 3), 3 * Matrix::Identity(n, n), X);
  check(scaled(-2, a), -2 * A, X);
  check(shifted(a, 0.5), A + 0.5 * Matrix::Identity(n, n), X);
  check(sum({{1, a}, {-3, b}, {2, diagonal_operator(d)}}), A - 3 * B + 2 * Matrix(d.asDiagonal()), X);
  const Matrix U = random_matrix(n, 2, 5);
  const Vector w = Eigen::Vector2d(2, -1);
  check(low_rank(U, w), U * w.asDiagonal() * U.transpose(), X);
  const Matrix Q = random_orthogonal(n, 6).leftCols(1);
  const Matrix P = Matrix::Identity(n, n) - Q * Q.transpose();
  check(projected_off(a, Q), P * A * P, X);
  const Matrix C = random_matrix(n, 3, 7);
  check(congruence(a, C), C.transpose() * A * C, random_matrix(3, 2, 8));
  Matrix D = Matrix::Zero(2 * n, 2 * n);
  D.topLeftCorner(n, n) = A;
  D.bottomRightCorner(n, n) = B;
  check(block_diagonal({a, b}), D, random_matrix(2 * n, 3, 9));
  if (n >= 3) {
    Matrix S(2, 2);
    S << A(2, 2), A(2, 0), A(0, 2), A(0, 0);
    check(sub_block(a, {2, 0}), S, random_matrix(2, 3, 10));
    check(sub_block(a, {2, 0}), S, random_matrix(2, 35, 10));  // more than go through at once
  }
  check(scaled_coordinates(a, d), d.asDiagonal() * A * d.asDiagonal(), X);
  const Index half = n / 2;
  Matrix blocks = Matrix::Zero(n, n);
  blocks.topLeftCorner(half, half) = A.topLeftCorner(half, half);
  blocks.bottomRightCorner(n - half, n - half) = A.bottomRightCorner(n - half, n - half);
  check(block_diagonal_part(a, {half, n - half}), blocks, X);
  check(function_operator(n, [&](ConstMatrixView V, MatrixView Y) { Y = A * V; }), A, X);
}

TEST_CASE("parts that do not fit are refused") {
  const auto a = dense_operator(Matrix::Identity(3, 3));
  CHECK_THROWS_AS(dense_operator(Matrix(2, 3)), Error);
  CHECK_THROWS_AS(sum({}), Error);
  CHECK_THROWS_AS(sum({{1, a}, {1, scaled_identity(2, 1)}}), Error);
  CHECK_THROWS_AS(sub_block(a, {3}), Error);
  CHECK_THROWS_AS(sub_block(a, {1, 1}), Error);
  CHECK_THROWS_AS(low_rank(Matrix::Ones(3, 2), Vector::Ones(3)), Error);
  CHECK_THROWS_AS(projected_off(a, Matrix::Ones(3, 1)), Error);
  CHECK_THROWS_AS(congruence(a, Matrix::Ones(2, 2)), Error);
  CHECK_THROWS_AS(shifted(nullptr, 1), Error);
  CHECK_THROWS_AS(scaled_coordinates(a, Vector::Ones(2)), Error);
  CHECK_THROWS_AS(block_diagonal_part(a, {1, 1}), Error);
  CHECK_THROWS_AS(block_diagonal_part(a, {4, -1}), Error);
  CHECK_THROWS_AS(scaled_identity(-1, 1), Error);
  CHECK_THROWS_WITH(to_dense(*scaled_identity(1000000, 1)), Catch::Contains("7450.6 GiB"));
}

TEST_CASE("a dense matrix is refused where it and its factors are more than there is memory") {
  // Half of what is there as a matrix is possible, with its factors it is not; nothing is multiplied before.
  const auto n = static_cast<Index>(std::sqrt(available_memory() / 16));
  const auto A =
      function_operator(n, [](ConstMatrixView, MatrixView) { FAIL("a product of a matrix that is refused"); });
  CHECK_THROWS_WITH(to_dense(*A, 4), Catch::Contains("with its factors") && Catch::Contains("GiB are free"));
  EigenOptions options;
  options.largest = n;
  CHECK_THROWS_WITH(extreme_eigenpairs(*A, options), Catch::Contains("with its factors"));
  options.largest = 1;
  options.inertia_limit = n;
  CHECK_THROWS_WITH(extreme_eigenpairs(*A, options), Catch::Contains("with its factors"));
}

TEST_CASE("an eigenproblem that LAPACK's integers cannot hold is refused before it is looked at") {
  constexpr Index n = 32767;
  Vector values(n);
  // Columns that overlap, since none is read.
  Vector storage(2 * n);
  const Eigen::Map<Matrix, 0, Eigen::OuterStride<>> A(storage.data(), n, n, Eigen::OuterStride<>(1));
  SymmetricEigenWorkspace workspace;
  CHECK_THROWS_WITH(symmetric_eigen_in_place(A, values, workspace), Catch::Contains("32766"));
}

TEST_CASE("conjugate gradients end after as many steps as there are distinct eigenvalues") {
  Vector values(60);
  for (Index i = 0; i < 60; ++i) values[i] = static_cast<double>(1 + i % 4);
  const auto A = dense_operator(with_spectrum(values, 20));
  const Vector b = random_matrix(60, 1, 21);
  Vector x;
  CgWorkspace workspace;
  CgOptions options;
  options.relative_tolerance = 1e-10;
  const CgResult result = cg(*A, b, x, options, workspace);
  CHECK(result.exit == CgExit::converged);
  CHECK(result.iterations == 4);
  CHECK((b - product(*A, x)).norm() <= 1e-9 * b.norm());
}

TEST_CASE("a perfect preconditioner leaves conjugate gradients one step") {
  const Matrix A = with_spectrum(Vector::LinSpaced(30, 1, 1e4), 22);
  const auto a = dense_operator(A);
  const Matrix inverse = A.ldlt().solve(Matrix::Identity(30, 30));
  const auto M = dense_operator(0.5 * (inverse + inverse.transpose()));
  Vector x;
  CgWorkspace workspace;
  CgOptions options;
  options.preconditioner = M.get();
  const CgResult result = cg(*a, Vector::Ones(30), x, options, workspace);
  CHECK(result.exit == CgExit::converged);
  CHECK(result.iterations <= 2);
}

TEST_CASE("conjugate gradients hand out a direction of negative curvature, and never claim what is not so") {
  Vector values = Vector::LinSpaced(20, 1, 20);
  values[7] = -3;
  const auto A = dense_operator(with_spectrum(values, 23));
  Vector x;
  CgWorkspace workspace;
  const CgResult result = cg(*A, random_matrix(20, 1, 24), x, {}, workspace);
  REQUIRE(result.exit == CgExit::negative_curvature);
  const Vector p = workspace.direction;
  CHECK(result.curvature < 0);
  CHECK(p.dot(product(*A, p).col(0)) / p.squaredNorm() == Approx(result.curvature));

  CgOptions few;
  few.max_iterations = 2;
  Vector y;
  const CgResult limited =
      cg(*dense_operator(with_spectrum(Vector::LinSpaced(20, 1, 1e6), 25)), Vector::Ones(20), y, few, workspace);
  CHECK(limited.exit == CgExit::iteration_limit);
  CHECK(limited.residual > 1e-8);

  const auto nan = function_operator(3, [](ConstMatrixView, MatrixView Y) { Y.setConstant(std::nan("")); });
  Vector z;
  CHECK(cg(*nan, Vector::Ones(3), z, {}, workspace).exit == CgExit::non_finite);
  const auto negative = scaled_identity(20, -1);
  CgOptions bad;
  bad.preconditioner = negative.get();
  Vector u;
  CHECK(cg(*scaled_identity(20, 1), Vector::Ones(20), u, bad, workspace).exit == CgExit::breakdown);
  CHECK_THROWS_AS(cg(*A, Vector::Ones(3), x, {}, workspace), Error);
}

TEST_CASE("MINRES solves indefinite systems, and singular ones in the sense of least squares") {
  MinresWorkspace workspace;
  MinresOptions options;
  options.tolerance = 1e-10;
  Vector x;
  for (const Index n : {1, 2, 3, 10, 50}) {
    Vector values(n);
    for (Index i = 0; i < n; ++i) values[i] = (i % 2 == 0 ? 1.0 : -1.0) * (1 + static_cast<double>(i));
    const Matrix A = with_spectrum(values, 30);
    const Vector b = random_matrix(n, 1, 31);
    const MinresResult result = minres(*dense_operator(A), b, x, options, workspace);
    CAPTURE(n, result.residual, result.iterations);
    CHECK(result.exit == MinresExit::converged);
    CHECK((b - A * x).norm() <= 1e-9 * b.norm());
    // n in exact arithmetic; rounding costs the Lanczos vectors their orthogonality and some steps more.
    CHECK(result.iterations <= 2 * n);
  }
  Vector values = Vector::LinSpaced(20, -10, 10).array().round();
  values[0] = 0;
  values[1] = 0;
  const Matrix Q = random_orthogonal(20, 32);
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  const Vector consistent = A * random_matrix(20, 1, 33);
  CHECK(minres(*dense_operator(A), consistent, x, options, workspace).exit == MinresExit::converged);
  CHECK((consistent - A * x).norm() <= 1e-9 * consistent.norm());

  options.tolerance = 1e-7;
  const Vector inconsistent = consistent + Q.col(0) + 2 * Q.col(1);
  const MinresResult result = minres(*dense_operator(A), inconsistent, x, options, workspace);
  CAPTURE(result.residual, result.normal_residual);
  CHECK(result.exit == MinresExit::least_squares);
  // The part of b outside the range of A has length sqrt(1 + 4), plus what `values` that rounded to 0 add.
  double outside = 0;
  const Vector c = Q.transpose() * inconsistent;
  for (Index i = 0; i < 20; ++i) outside += values[i] == 0 ? c[i] * c[i] : 0;
  CHECK(result.residual == Approx(std::sqrt(outside)).epsilon(1e-6));
  CHECK(result.normal_residual <= 1e-5 * result.norm * result.residual);
  CHECK(minres(*scaled_identity(3, 1), Vector::Zero(3), x, options, workspace).exit == MinresExit::converged);
}

TEST_CASE("MINRES with a preconditioner is MINRES on the system that it transforms, and tells when it is none") {
  constexpr Index n = 30;
  Vector values(n);
  for (Index i = 0; i < n; ++i) values[i] = (i % 2 == 0 ? 1.0 : -1.0) * std::pow(10.0, static_cast<double>(i) / 5);
  const Matrix A = with_spectrum(values, 40);
  const Vector b = random_matrix(n, 1, 41);
  // |A|^-1 itself: M^1/2 A M^1/2 has eigenvalues 1 and -1, so that two steps are all.
  Vector lambda;
  Matrix V;
  REQUIRE(symmetric_eigen(A, lambda, V));
  const Matrix inverse = V * lambda.cwiseAbs().cwiseInverse().asDiagonal() * V.transpose();
  const auto M = dense_operator(Matrix(0.5 * (inverse + inverse.transpose())));
  MinresWorkspace workspace;
  MinresOptions options;
  options.tolerance = 1e-9;
  options.preconditioner = M.get();
  Vector x;
  MinresResult result = minres(*dense_operator(A), b, x, options, workspace);
  CAPTURE(result.iterations, result.residual);
  CHECK(result.exit == MinresExit::converged);
  CHECK(result.iterations <= 3);
  CHECK((b - A * x).norm() <= 1e-6 * b.norm());
  CHECK(result.norm == Approx(1).epsilon(1e-6));

  // Any other M: k steps minimise |b - A x|_M over the span of M b, M A M b, ..., formed here as a dense problem.
  const Matrix C = random_matrix(n, n, 42);
  const Matrix other = C * C.transpose() / n + Matrix::Identity(n, n);
  const auto N = dense_operator(other);
  const Matrix half = Eigen::LLT<Matrix>(other).matrixU();
  options.preconditioner = N.get();
  options.tolerance = 0;
  for (const Index k : {1, 2, 5}) {
    options.max_iterations = k;
    result = minres(*dense_operator(A), b, x, options, workspace);
    Matrix krylov(n, k);
    krylov.col(0) = (other * b).normalized();
    for (Index i = 1; i < k; ++i) krylov.col(i) = (other * (A * krylov.col(i - 1))).normalized();
    const Matrix Q = Eigen::HouseholderQR<Matrix>(krylov).householderQ() * Matrix::Identity(n, k);
    const Vector best = (half * A * Q).colPivHouseholderQr().solve(half * b);
    CAPTURE(k);
    CHECK(result.residual == Approx((half * (b - A * Q * best)).norm()).epsilon(1e-7));
    CHECK(result.exit == MinresExit::iteration_limit);
  }

  options.max_iterations = 0;
  options.tolerance = 1e-8;
  const auto negative = dense_operator(Matrix(-Matrix::Identity(n, n)));
  options.preconditioner = negative.get();
  CHECK(minres(*dense_operator(A), b, x, options, workspace).exit == MinresExit::breakdown);
  options.preconditioner = nullptr;
  // A tolerance beyond what rounding lets through is not reported as reached.
  Vector wide = Vector::LinSpaced(n, 0, 14).unaryExpr([](double e) { return std::pow(10.0, e); });
  wide[0] = 0;
  options.tolerance = 1e-15;
  result = minres(*dense_operator(with_spectrum(wide, 43)), b, x, options, workspace);
  CAPTURE(result.residual, result.normal_residual, result.norm);
  if (result.exit == MinresExit::least_squares) {
    CHECK(result.normal_residual <= 10 * options.tolerance * result.norm * result.residual);
  }
  if (result.exit == MinresExit::converged) CHECK(result.residual <= 10 * options.tolerance * b.norm());
}

TEST_CASE("Steihaug's step lies in the ball, reports its decrease, and reaches half of the best on convex models") {
  for (std::uint64_t trial = 0; trial < 40; ++trial) {
    const Index n = 2 + static_cast<Index>(trial % 12);
    const double spread = trial % 2 == 0 ? 10 : 1e4;
    const Matrix A = with_spectrum(Vector::LinSpaced(n, 1, spread), 40 + trial);
    const Vector g = random_matrix(n, 1, 100 + trial);
    SteihaugOptions options;
    options.trust_radius = std::pow(10.0, -3 + static_cast<double>(trial % 5));
    options.tolerance = 1e-10 * g.norm();
    Vector s;
    SteihaugWorkspace workspace;
    const SteihaugResult result = steihaug(*dense_operator(A), g, options, s, workspace);
    const double decrease = -(g.dot(s) + 0.5 * s.dot(A * s));
    CAPTURE(n, options.trust_radius, result.iterations);
    CHECK(s.norm() <= options.trust_radius * (1 + 1e-12));
    if (result.exit == SteihaugExit::boundary) CHECK(s.norm() == Approx(options.trust_radius).epsilon(1e-12));
    CHECK(result.decrease == Approx(decrease).epsilon(1e-8));
    CHECK(decrease >= 0.5 * best_decrease(A, g, options.trust_radius) * (1 - 1e-10));
  }
}

TEST_CASE("Steihaug follows negative curvature to the boundary") {
  Matrix A = Matrix::Zero(2, 2);
  A(0, 0) = -1;
  A(1, 1) = 2;
  SteihaugOptions options;
  options.trust_radius = 3;
  Vector s;
  SteihaugWorkspace workspace;
  const SteihaugResult result = steihaug(*dense_operator(A), Eigen::Vector2d(1, 0.1), options, s, workspace);
  CHECK(result.exit == SteihaugExit::negative_curvature);
  CHECK(s.norm() == Approx(3));
  CHECK(result.curvature < 0);
  options.trust_radius = 0;
  CHECK_THROWS_AS(steihaug(*dense_operator(A), Eigen::Vector2d(1, 0), options, s, workspace), Error);
}

TEST_CASE("the dense eigen-decomposition passes LAPACK's test ratio at any scale") {
  for (const Index n : {0, 1, 2, 3, 5, 10, 50}) {
    for (const double scale : {1.0, 1e150, 1e-150}) {
      const Matrix A = scale * random_symmetric(n, 200);
      Vector values;
      Matrix V;
      REQUIRE(symmetric_eigen(A, values, V));
      if (n == 0) continue;
      const double size = static_cast<double>(n);
      const double norm = A.cwiseAbs().rowwise().sum().maxCoeff();
      CHECK((A / norm * V - V * (values / norm).asDiagonal()).norm() / (size * kEps) < 30);
      CHECK((V.transpose() * V - Matrix::Identity(n, n)).norm() / (size * kEps) < 30);
      for (Index i = 1; i < n; ++i) CHECK(values[i - 1] <= values[i]);
    }
  }
  Vector values;
  Matrix V;
  CHECK_FALSE(symmetric_eigen(Matrix::Constant(2, 2, std::nan("")), values, V));
  CHECK_THROWS_AS(symmetric_eigen(Matrix(2, 3), values, V), Error);
}

TEST_CASE("eigenpairs do not depend on the units and invariant spaces are no breakdown") {
  const Index n = 300;
  const Matrix A = random_symmetric(n, 201);
  Vector values;
  Matrix V;
  REQUIRE(symmetric_eigen(A, values, V));
  EigenOptions options;
  options.largest = 3;
  options.smallest = 2;
  options.tolerance = 1e-9;
  for (const double unit : {1.0, 1e-20, 1e-150, 1e150}) {
    const EigenResult result = extreme_eigenpairs(*dense_operator(unit * A), options);
    CAPTURE(unit, result.message);
    REQUIRE(result.status == EigenStatus::converged);
    const double norm = values.cwiseAbs().maxCoeff();
    CHECK((result.largest.values / unit - values.tail(3).reverse()).cwiseAbs().maxCoeff() <= 1e-8 * norm);
    CHECK((result.smallest.values / unit - values.head(2).reverse()).cwiseAbs().maxCoeff() <= 1e-8 * norm);
  }
  // The identity and a projector: any start spans an invariant space after one step or two.
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    options.seed = seed;
    const EigenResult identity = extreme_eigenpairs(*scaled_identity(n, 2), options);
    CAPTURE(seed, identity.message);
    REQUIRE(identity.status == EigenStatus::converged);
    CHECK((identity.largest.values.array() - 2).abs().maxCoeff() <= 1e-12);
    CHECK((identity.smallest.values.array() - 2).abs().maxCoeff() <= 1e-12);
    Vector d = Vector::Zero(n);
    d.head(40).setOnes();
    const EigenResult projector = extreme_eigenpairs(*diagonal_operator(d), options);
    CAPTURE(projector.message);
    REQUIRE(projector.status == EigenStatus::converged);
    CHECK((projector.largest.values.array() - 1).abs().maxCoeff() <= 1e-9);
    CHECK(projector.smallest.values.cwiseAbs().maxCoeff() <= 1e-9);
  }
  // What is not finite is still said to be so.
  Matrix spoiled = A;
  spoiled(3, 5) = spoiled(5, 3) = std::nan("");
  CHECK(extreme_eigenpairs(*dense_operator(spoiled), options).status == EigenStatus::non_finite);
  // Nothing sought, nothing proved.
  options.largest = options.smallest = 0;
  const EigenResult nothing = extreme_eigenpairs(*dense_operator(A), options);
  CHECK(nothing.status == EigenStatus::converged);
  CHECK(!nothing.proved);
}

TEST_CASE("Lanczos finds both ends of the Laplacian's spectrum, known in closed form") {
  const Index n = 400;
  const auto laplacian = function_operator(n, [n](ConstMatrixView X, MatrixView Y) {
    Y = 2 * X;
    Y.topRows(n - 1) -= X.bottomRows(n - 1);
    Y.bottomRows(n - 1) -= X.topRows(n - 1);
  });
  EigenOptions options;
  options.largest = 3;
  options.smallest = 2;
  options.tolerance = 1e-9;
  options.max_restarts = 2000;
  const EigenResult result = extreme_eigenpairs(*laplacian, options);
  CAPTURE(result.message);
  CHECK(result.status == EigenStatus::converged);
  const auto exact = [n](Index k) {
    const double s = std::sin(std::numbers::pi * static_cast<double>(k) / (2 * static_cast<double>(n + 1)));
    return 4 * s * s;
  };
  // |lambda - exact| <= residual for a symmetric operator.
  for (Index i = 0; i < 3; ++i)
    CHECK(std::abs(result.largest.values[i] - exact(n - i)) <= result.largest.residuals[i] + 1e-12);
  for (Index i = 0; i < 2; ++i)
    CHECK(std::abs(result.smallest.values[i] - exact(2 - i)) <= result.smallest.residuals[i] + 1e-12);
}

TEST_CASE("no copy of a five-fold eigenvalue is lost, or the multiplicity is not certified") {
  Vector values = Vector::LinSpaced(200, 0, 5);
  for (Index i = 0; i < 5; ++i) values[i] = 10;
  values[5] = 9;
  const auto A = dense_operator(with_spectrum(values, 300));
  EigenOptions options;
  options.largest = 6;
  options.dense_limit = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    const EigenResult result = extreme_eigenpairs(*A, options);
    REQUIRE(result.largest.values.size() == 6);
    if (!result.multiplicity_certified) continue;
    for (Index i = 0; i < 5; ++i) CHECK(result.largest.values[i] == Approx(10).epsilon(1e-7));
    CHECK(result.largest.values[5] == Approx(9).epsilon(1e-7));
  }
}

TEST_CASE("of 1000 clustered spectra those that are certified by a second search have lost nothing") {
  int certified = 0;
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Index n = 60;
    Vector values(n);
    Index at = 0;
    double level = 20;
    while (at < n) {
      const auto copies =
          static_cast<Index>(1 + RandomStream(trial, Purpose::test).below(10, static_cast<std::uint64_t>(at)));
      for (Index i = 0; i < copies && at < n; ++i) values[at++] = level;
      level -= 1;
    }
    EigenOptions options;
    options.largest = 6;
    options.smallest = 3;
    options.dense_limit = 0;
    options.seed = trial;
    const EigenResult result = extreme_eigenpairs(*dense_operator(with_spectrum(values, 400 + trial)), options);
    if (!result.multiplicity_certified) continue;
    ++certified;
    for (Index i = 0; i < 6; ++i) CHECK(std::abs(result.largest.values[i] - values[i]) <= 1e-6);
    for (Index i = 0; i < 3; ++i) CHECK(std::abs(result.smallest.values[i] - values[n - 3 + i]) <= 1e-6);
  }
  CHECK(certified >= 800);
}

TEST_CASE("inertia proves 1000 clustered spectra complete and finds what a search has lost") {
  // Multiplicities from 1 to 10, levels 1 apart: at 5 pairs or so an end cuts through a cluster.
  int proved = 0;
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Index n = 60;
    Vector values(n);
    const RandomStream stream(trial, Purpose::test, 7);
    Index at = 0;
    for (double level = 10; at < n; level -= 1) {
      const auto copies = static_cast<Index>(1 + stream.below(10, static_cast<std::uint64_t>(at)));
      for (Index i = 0; i < copies && at < n; ++i) values[at++] = level;
    }
    EigenOptions options;
    options.largest = 5;
    options.smallest = 2;
    options.dense_limit = 0;
    options.inertia_limit = n;
    options.tolerance = 1e-6;
    options.seed = trial;
    // Few restarts, so that searches fail now and then.
    options.max_restarts = trial % 4 == 0 ? 2 : 300;
    const EigenResult result = extreme_eigenpairs(*dense_operator(with_spectrum(values, 2000 + trial)), options);
    if (!result.proved) {
      CHECK_FALSE((result.multiplicity_certified && result.status == EigenStatus::converged && result.message.empty()));
      continue;
    }
    ++proved;
    // None is missing, and each is within the residuals, whatever these are.
    const auto bound = [](const EigenPairs& pairs) { return pairs.residuals.norm() + 1e-9; };
    CHECK((result.largest.values - values.head(5)).cwiseAbs().maxCoeff() <= bound(result.largest));
    CHECK((result.smallest.values - values.tail(2)).cwiseAbs().maxCoeff() <= bound(result.smallest));
  }
  CHECK(proved > 700);
}

TEST_CASE("a null space at the wanted end and a tail below the mean are found, and certified rightly") {
  const Index n = 300;
  Vector null_below(n);
  for (Index i = 0; i < n; ++i) null_below[i] = i < 2 ? 0.0 : 1.0 + static_cast<double>(i % 3);
  // The third largest lies below the mean of all, which the largest alone lifts.
  Vector below_mean = Vector::Constant(n, -1e-3);
  below_mean.segment(6, 6).setZero();
  below_mean[5] = 1000;
  for (Vector values : {null_below, below_mean}) {
    const auto A = diagonal_operator(values);
    std::sort(values.begin(), values.end(), std::greater<>());
    int certified = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      EigenOptions options;
      options.largest = 3;
      options.smallest = 2;
      options.dense_limit = 0;
      options.seed = seed;
      const EigenResult result = extreme_eigenpairs(*A, options);
      if (!result.multiplicity_certified) continue;
      ++certified;
      // The tolerance on a residual bounds the distance to an eigenvalue.
      const double tolerance = options.tolerance * values.cwiseAbs().maxCoeff();
      CHECK((result.largest.values - values.head(3)).cwiseAbs().maxCoeff() <= tolerance);
      CHECK((result.smallest.values - values.tail(2)).cwiseAbs().maxCoeff() <= tolerance);
    }
    CHECK(certified >= 50);
  }
}

TEST_CASE("a single search finds the ends for fewer products and certifies nothing") {
  const Index n = 400;
  Vector values = Vector::LinSpaced(n, 1, -1);
  values.head(3) << 30, 20, 10;
  values.tail(2) << -8, -15;
  const Matrix D = with_spectrum(values, 600);
  for (const Index pairs : {1, 2}) {
    EigenOptions options;
    options.largest = options.smallest = pairs;
    options.tolerance = 1e-3;
    const Index both = extreme_eigenpairs(*dense_operator(D), options).products;
    options.single_search = true;
    const EigenResult result = extreme_eigenpairs(*dense_operator(D), options);
    CAPTURE(pairs, both, result.products, result.message);
    CHECK(result.status == EigenStatus::converged);
    CHECK(!result.multiplicity_certified);
    CHECK(!result.proved);
    CHECK(2 * result.products <= both);
    REQUIRE(result.largest.values.size() == pairs);
    REQUIRE(result.smallest.values.size() == pairs);
    for (const auto& [found, exact] : {std::pair(&result.largest, Vector(values.head(pairs))),
                                       std::pair(&result.smallest, Vector(values.tail(pairs)))}) {
      for (Index i = 0; i < pairs; ++i) {
        const Vector v = found->vectors.col(i);
        const double residual = (D * v - found->values[i] * v).norm();
        CHECK(std::abs(residual - found->residuals[i]) <= 1e-12);
        CHECK(residual <= options.tolerance * 30);
        // Kato and Temple: the square of the residual over the distance to the rest of the spectrum, here 5 or more.
        CHECK(std::abs(found->values[i] - exact[i]) <= residual * residual / 5 + 1e-12);
      }
    }
    // Where the matrix is formed, it is proved all the same.
    options.inertia_limit = n;
    CHECK(extreme_eigenpairs(*dense_operator(D), options).proved);
  }
}

TEST_CASE("an end of the spectrum at 0 is found where nothing else is sought") {
  const double sign = GENERATE(1.0, -1.0);
  Vector values = Vector::Zero(300);
  values.head(3) << 3, 2, 1;
  if (sign < 0) values = -values.reverse().eval();
  const auto A = dense_operator(with_spectrum(values, 620));
  for (const bool single : {false, true}) {
    EigenOptions options;
    options.largest = sign < 0 ? 2 : 0;
    options.smallest = sign < 0 ? 0 : 2;
    options.single_search = single;
    const EigenResult result = extreme_eigenpairs(*A, options);
    CAPTURE(sign, single, result.message);
    CHECK(result.status == EigenStatus::converged);
    CHECK(result.norm <= 3);
    // A random vector sees 3 by a share of about 1 / 17.
    CHECK(result.norm > 0.01);
    const EigenPairs& found = sign < 0 ? result.largest : result.smallest;
    CHECK(found.values.cwiseAbs().maxCoeff() <= options.tolerance * 3);
  }
}

TEST_CASE("the ends of a spectrum are found whatever its units") {
  Vector values = Vector::LinSpaced(300, 1, -1);
  values.head(3) << 3, 2, 2;
  const Matrix D = with_spectrum(values, 630);
  const double unit = GENERATE(1e-300, 1e-200, 1e-150, 1.0, 1e150, 1e200);
  for (const bool single : {false, true}) {
    EigenOptions options;
    options.largest = 3;
    options.smallest = 1;
    options.tolerance = 1e-6;
    options.single_search = single;
    const EigenResult result = extreme_eigenpairs(*dense_operator(unit * D), options);
    CAPTURE(unit, single, result.message);
    CHECK(result.status == EigenStatus::converged);
    REQUIRE(result.largest.values.size() == 3);
    // A residual bounds the distance to an eigenvalue.
    CHECK((result.largest.values / unit - values.head(3)).cwiseAbs().maxCoeff() <= 3 * options.tolerance);
    CHECK(std::abs(result.smallest.values[0] / unit + 1) <= 3 * options.tolerance);
    CHECK(result.largest.residuals.maxCoeff() <= 3 * options.tolerance * unit);
  }
}

TEST_CASE("a single search sees an operator that is not symmetric in its first blocks") {
  const Index n = 300;
  Vector values = Vector::LinSpaced(n, 1e-3, 0);
  values[0] = 1;
  const Matrix D = with_spectrum(values, 640);
  const Matrix skew = random_matrix(n, n, 641);
  EigenOptions options;
  options.single_search = true;
  options.tolerance = 0.1;  // two blocks bring it there
  for (const Index pairs : {1, 3}) {
    options.largest = pairs;
    const Index products = extreme_eigenpairs(*dense_operator(D), options).products;
    CHECK(products <= 5 * pairs + 6);
    CHECK_THROWS_WITH(extreme_eigenpairs(*dense_operator(D + 1e-5 * skew), options), Catch::Contains("not symmetric"));
  }
}

TEST_CASE("a single search finds as many copies of an eigenvalue as are wanted as inertia proves") {
  Vector values = Vector::LinSpaced(300, 1, 0);
  values.head(5).setConstant(2);
  const auto A = dense_operator(with_spectrum(values, 610));
  for (const Index wanted : {1, 2, 4}) {
    EigenOptions options;
    options.largest = wanted;
    options.single_search = true;
    options.inertia_limit = 300;
    const EigenResult found = extreme_eigenpairs(*A, options);
    CAPTURE(wanted, found.message);
    CHECK(found.proved);
    CHECK((found.largest.values.array() - 2).abs().maxCoeff() <= 2e-8);
  }
}

TEST_CASE("what is not finite or not symmetric is named, and impossible wishes are refused") {
  EigenOptions options;
  options.dense_limit = 0;
  const auto nan = function_operator(300, [](ConstMatrixView, MatrixView Y) { Y.setConstant(std::nan("")); });
  CHECK(extreme_eigenpairs(*nan, options).status == EigenStatus::non_finite);
  Matrix skew = random_matrix(50, 50, 500);
  CHECK_THROWS_WITH(extreme_eigenpairs(*dense_operator(skew), options), Catch::Contains("not symmetric"));
  options.single_search = true;
  CHECK(extreme_eigenpairs(*nan, options).status == EigenStatus::non_finite);
  CHECK_THROWS_WITH(extreme_eigenpairs(*dense_operator(skew), options), Catch::Contains("not symmetric"));
  options.single_search = false;
  options.largest = 4;
  CHECK_THROWS_AS(extreme_eigenpairs(*scaled_identity(3, 1), options), Error);
  options.largest = 3;
  const EigenResult identity = extreme_eigenpairs(*scaled_identity(3, 2), options);
  CHECK(identity.status == EigenStatus::converged);
  CHECK((identity.largest.values.array() == 2).all());
  options.dense_limit = 0;
  const EigenResult large = extreme_eigenpairs(*scaled_identity(300, 2), options);
  CHECK((large.largest.values.array() - 2).abs().maxCoeff() <= 1e-9);
}
