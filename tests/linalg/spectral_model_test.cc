#include "hesse/linalg/spectral_model.h"
#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/dogleg.h"
#include "hesse/linalg/krylov_model.h"
#include "hesse/linalg/operators.h"
#include "hesse/linalg/steihaug.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

Vector random_vector(Index n, std::uint64_t seed) {
  Vector v(n);
  RandomStream(seed, Purpose::test).fill_normal(v);
  return v;
}

/// Q diag(lambda) Q' with a random orthogonal Q.
Matrix with_spectrum(const Vector& lambda, std::uint64_t seed, Matrix* Q = nullptr) {
  const Index n = lambda.size();
  Matrix A(n, n);
  RandomStream(seed, Purpose::test, 1).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  const Matrix S = A + A.transpose();
  const Matrix V = Eigen::SelfAdjointEigenSolver<Matrix>(S).eigenvectors();
  if (Q != nullptr) *Q = V;
  const Matrix B = V * lambda.asDiagonal() * V.transpose();
  return 0.5 * (B + B.transpose());
}

double model(const Matrix& B, const Vector& g, const Vector& s) { return g.dot(s) + 0.5 * s.dot(B * s); }

/// The conditions that More and Sorensen (1983) show to be necessary and sufficient, each relative to its terms.
void check_optimal(const Matrix& B, const Vector& g, double radius, const Vector& s, double lambda) {
  const Index n = g.size();
  const double scale = B.norm() * s.norm() + g.norm() + lambda * s.norm();
  CHECK(lambda >= 0);
  CHECK((B * s + lambda * s + g).norm() <= 1e-11 * scale);
  const double least = Eigen::SelfAdjointEigenSolver<Matrix>(B, Eigen::EigenvaluesOnly).eigenvalues()[0];
  CHECK(least + lambda >= -1e-12 * static_cast<double>(n) * (B.norm() + lambda));
  CHECK(s.norm() <= radius * (1 + 1e-10));
  // A multiplier that rounding tells from 0 asks for the whole radius.
  if (lambda > 1e-10 * B.norm()) CHECK(s.norm() >= radius * (1 - 1e-8));
}

}  // namespace

TEST_CASE("A model in a ball: every solution satisfies the conditions of More and Sorensen") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const int shape = GENERATE(0, 1, 2, 3, 4);
  const double radius = GENERATE(1e-4, 1.0, 1e4);
  Vector lambda;
  switch (shape) {
    case 0: lambda = Vector::LinSpaced(n, 1, 10); break;     // definite
    case 1: lambda = Vector::LinSpaced(n, -3, 5); break;     // indefinite
    case 2: lambda = Vector::LinSpaced(n, 0, 4); break;      // singular
    case 3: lambda = Vector::Constant(n, -2); break;         // a multiple of the identity, concave
    default: lambda = Vector::LinSpaced(n, 1e-9, 1); break;  // ill conditioned
  }
  const Matrix B = with_spectrum(lambda, 10 + static_cast<std::uint64_t>(shape));
  const Vector g = random_vector(n, 3);
  SpectralModel spectral;
  REQUIRE(spectral.decompose(B));
  Vector s;
  const SpectralStep step = spectral.in_ball(g, radius, s);
  CAPTURE(n, shape, radius, step.lambda, s.norm());
  check_optimal(B, g, radius, s, step.lambda);
  CHECK(step.decrease == Approx(-model(B, g, s)).epsilon(1e-8));
  CHECK(step.decrease >= 0);
}

TEST_CASE("A model in a ball: the hard case has the multiplier 20 that wrong solvers miss") {
  // min of x - z - 10 y^2 in the unit ball: lambda = 20, (-1/20, +-sqrt(1 - 2/400), 1/20), m = -10.05.
  const Matrix B = Eigen::Vector3d(0, -20, 0).asDiagonal();
  const Vector g = Eigen::Vector3d(1, 0, -1);
  SpectralModel spectral;
  spectral.decompose(B);
  Vector s;
  const SpectralStep step = spectral.in_ball(g, 1, s);
  CHECK(step.hard_case);
  CHECK(std::abs(step.lambda - 20) <= 1e-13);
  CHECK(std::abs(s[0] + 0.05) <= 1e-15);
  CHECK(std::abs(std::abs(s[1]) - 0.9974968671630001) <= 1e-15);
  CHECK(std::abs(s[2] - 0.05) <= 1e-15);
  CHECK(std::abs(step.decrease - 10.05) <= 1e-13);
}

TEST_CASE("A model in a ball: hard and nearly hard cases of any size, and a zero gradient") {
  const Index n = GENERATE(2, 3, 10, 50);
  const double part = GENERATE(0.0, 1e-300, 1e-18, 1e-12, 1e-6);
  Matrix Q;
  const Matrix B = with_spectrum(Vector::LinSpaced(n, -1, 3), 5, &Q);
  Vector in_basis = 0.1 * random_vector(n, 6);
  in_basis[0] = part;
  const Vector g = Q * in_basis;
  SpectralModel spectral;
  REQUIRE(spectral.decompose(B));
  Vector s;
  const SpectralStep step = spectral.in_ball(g, 5, s);
  CAPTURE(n, part, step.lambda);
  check_optimal(B, g, 5, s, step.lambda);
  const SpectralStep stuck = spectral.in_ball(Vector::Zero(n), 5, s);
  CHECK(stuck.hard_case);
  CHECK(s.norm() == Approx(5));
  CHECK(stuck.decrease == Approx(0.5 * 25));  // along the eigenvector of -1
}

TEST_CASE("A model in a ball keeps its digits in any units") {
  const double unit_of_f = GENERATE(1e-100, 1.0, 1e100);
  const double unit_of_x = GENERATE(1e-50, 1.0, 1e50);
  const Matrix B = with_spectrum(Vector::LinSpaced(6, -2, 7), 8);
  const Vector g = random_vector(6, 9);
  SpectralModel plain;
  plain.decompose(B);
  Vector s;
  const SpectralStep expected = plain.in_ball(g, 0.7, s);
  SpectralModel scaled;
  scaled.decompose((unit_of_f / unit_of_x / unit_of_x) * B);
  Vector t;
  const SpectralStep step = scaled.in_ball((unit_of_f / unit_of_x) * g, 0.7 * unit_of_x, t);
  CHECK((t / unit_of_x - s).norm() <= 1e-12 * s.norm());
  CHECK(step.decrease / unit_of_f == Approx(expected.decrease).epsilon(1e-12));
}

TEST_CASE("A model with a cubic term: the multiplier is sigma times the length, and the shifted matrix semidefinite") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const int shape = GENERATE(0, 1, 2, 3);
  const double sigma = GENERATE(1e-6, 1.0, 1e6);
  const Vector lambda = shape == 0   ? Vector::LinSpaced(n, 1, 10)
                        : shape == 1 ? Vector::LinSpaced(n, -3, 5)
                        : shape == 2 ? Vector::Zero(n)
                                     : Vector(-Vector::Ones(n));
  const Matrix B = with_spectrum(lambda, 20 + static_cast<std::uint64_t>(shape));
  const bool hard = GENERATE(false, true);
  const Vector g = hard ? Vector(Vector::Zero(n)) : random_vector(n, 4);
  SpectralModel spectral;
  REQUIRE(spectral.decompose(B));
  Vector s;
  const SpectralStep step = spectral.with_cubic(g, sigma, s);
  CAPTURE(n, shape, sigma, hard, step.lambda, s.norm());
  CHECK(step.lambda == Approx(sigma * s.norm()).epsilon(1e-9).margin(1e-14));
  CHECK((B * s + step.lambda * s + g).norm() <= 1e-11 * (B.norm() * s.norm() + g.norm() + step.lambda * s.norm()));
  CHECK(lambda.minCoeff() + step.lambda >= -1e-12 * (B.norm() + step.lambda));
  const double total = model(B, g, s) + sigma / 3 * std::pow(s.norm(), 3);
  // Both are differences of terms of this size.
  const double terms = std::abs(g.dot(s)) + std::abs(s.dot(B * s)) + sigma * std::pow(s.norm(), 3);
  CHECK(std::abs(step.decrease + total) <= 1e-12 * static_cast<double>(n) * terms);
}

TEST_CASE("In a space of n Lanczos vectors the Krylov model has the exact decrease") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const bool indefinite = GENERATE(false, true);
  const double radius = GENERATE(0.01, 1.0, 100.0);
  const Matrix B = with_spectrum(Vector::LinSpaced(n, indefinite ? -2 : 0.5, 8), 31);
  const Vector g = random_vector(n, 32);
  const OperatorPtr A = dense_operator(B);
  SpectralModel exact;
  exact.decompose(B);
  KrylovModel krylov;
  krylov.start(g, {0, n});
  Vector s;
  Vector t;
  const KrylovStep step = krylov.in_ball(*A, radius, s);
  CAPTURE(n, indefinite, radius, step.products);
  CHECK(step.converged);
  CHECK(step.products <= n);
  CHECK(s.norm() <= radius * (1 + 1e-12));
  CHECK(step.decrease == Approx(exact.in_ball(g, radius, t).decrease).epsilon(1e-9));
  CHECK(step.decrease == Approx(-model(B, g, s)).epsilon(1e-9));
  // Another radius at the same point costs no product that is there already.
  const KrylovStep smaller = krylov.in_ball(*A, radius / 3, s);
  CHECK(smaller.products == 0);
  CHECK(smaller.decrease == Approx(exact.in_ball(g, radius / 3, t).decrease).epsilon(1e-9));
  const KrylovStep cubic = krylov.with_cubic(*A, 2, s);
  CHECK(cubic.decrease == Approx(exact.with_cubic(g, 2, t).decrease).epsilon(1e-9));
}

TEST_CASE("A Krylov model stopped early falls by at least as much as truncated conjugate gradients at the same cost") {
  const Index n = 60;
  const Matrix B = with_spectrum(Vector::LinSpaced(n, -1, 10), 41);
  const Vector g = random_vector(n, 42);
  const OperatorPtr A = dense_operator(B);
  for (const Index products : {1, 2, 5, 10, 20}) {
    SteihaugOptions inner;
    inner.trust_radius = 1;
    inner.max_iterations = products;
    SteihaugWorkspace workspace;
    Vector s;
    const SteihaugResult cg = steihaug(*A, g, inner, s, workspace);
    KrylovModel krylov;
    krylov.start(g, {0, products});
    const KrylovStep step = krylov.in_ball(*A, 1, s);
    CHECK(step.decrease >= cg.decrease * (1 - 1e-12));
    CHECK(step.residual == Approx((B * s + step.lambda * s + g).norm()).epsilon(1e-8).margin(1e-12));
  }
}

TEST_CASE("The dogleg is Newton's step inside, the Cauchy point's direction outside, and never worse than that point") {
  const Index n = GENERATE(1, 2, 3, 10);
  const bool twice = GENERATE(false, true);
  const Matrix B = with_spectrum(Vector::LinSpaced(n, 1, 20), 51);
  const Vector g = random_vector(n, 52);
  const Vector newton = -B.ldlt().solve(g);
  SpectralModel exact;
  exact.decompose(B);
  Dogleg dogleg;
  REQUIRE(dogleg.start(B, g, twice));
  for (const double share : {1e-3, 0.2, 0.5, 0.9, 1.5}) {
    const double radius = share * newton.norm();
    Vector s;
    const double decrease = dogleg.step(radius, s);
    CAPTURE(n, twice, share);
    CHECK(s.norm() <= radius * (1 + 1e-12));
    if (share > 1) {
      CHECK((s - newton).norm() <= 1e-13 * 20 * newton.norm());
    } else {
      CHECK(s.norm() == Approx(radius));
    }
    CHECK(decrease == Approx(-model(B, g, s)));
    Vector best;
    CHECK(decrease <= exact.in_ball(g, radius, best).decrease * (1 + 1e-12));
    const double along = std::min(radius / g.norm(), g.squaredNorm() / g.dot(B * g));
    CHECK(decrease >= -model(B, g, -along * g) * (1 - 1e-12));
  }
  // Concave along the gradient: to the boundary, downhill.
  const Matrix concave = -B;
  CHECK_FALSE(dogleg.start(concave, g, twice));
  Vector s;
  CHECK(dogleg.step(2, s) > 0);
  CHECK(s.norm() == Approx(2));
}

TEST_CASE("Absolute and shifted steps are those of the eigenvalues that they name") {
  Matrix Q;
  const Vector lambda = Eigen::Vector4d(-4, -1e-9, 2, 5);
  const Matrix B = with_spectrum(lambda, 61, &Q);
  const Vector g = Q * Eigen::Vector4d(1, 2, 3, 4);
  SpectralModel spectral;
  spectral.decompose(B);
  Vector s;
  spectral.absolute(g, 0.5, s);
  CHECK((Q.transpose() * s - Eigen::Vector4d(-0.25, -4, -1.5, -0.8)).norm() <= 1e-13);
  CHECK(spectral.shifted(g, 1, s) == Approx(5));
  CHECK((Q.transpose() * s - Eigen::Vector4d(-1, -2 / 5.0, -3 / 7.0, -4 / 10.0)).norm() <= 1e-8);
  CHECK(g.dot(s) < 0);
}

TEST_CASE("Lanczos vectors are orthonormal to rounding, and an invariant space ends the process") {
  const Index n = 40;
  Vector lambda = Vector::Ones(n);
  lambda.head(20).setConstant(3);
  lambda.head(5).setConstant(-2);
  const OperatorPtr A = dense_operator(with_spectrum(lambda, 71));
  Lanczos lanczos;
  lanczos.start(random_vector(n, 72), n);
  while (!lanczos.complete()) REQUIRE(lanczos.extend(*A));
  CHECK(lanczos.invariant());
  CHECK(lanczos.steps() == 3);  // distinct eigenvalues
  const Matrix Q = lanczos.basis();
  CHECK((Q.transpose() * Q - Matrix::Identity(3, 3)).norm() <= 100 * kEps);
  const Vector ritz = Eigen::SelfAdjointEigenSolver<Matrix>(Matrix(lanczos.projected())).eigenvalues();
  CHECK((ritz - Eigen::Vector3d(-2, 1, 3)).norm() <= 1e-13);
}

TEST_CASE("Impossible radii and weights are refused, and the empty model has an empty step") {
  SpectralModel spectral;
  Vector s;
  REQUIRE(spectral.decompose(Matrix(0, 0)));
  CHECK(spectral.in_ball(Vector(0), 1, s).decrease == 0);
  CHECK(s.size() == 0);
  spectral.decompose(Matrix::Identity(2, 2));
  CHECK_THROWS_AS(spectral.in_ball(Vector::Ones(2), 0, s), Error);
  CHECK_THROWS_AS(spectral.with_cubic(Vector::Ones(2), -1, s), Error);
  CHECK_THROWS_AS(spectral.decompose(Matrix(2, 3)), Error);
  CHECK_FALSE(spectral.decompose(Matrix::Constant(2, 2, std::nan(""))));
}
