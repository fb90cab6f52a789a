#include "hesse/objective/gaussian_field.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/validation/derivative_check.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

Vector random_vector(Index n, std::uint64_t step) {
  Vector x(n);
  RandomStream(21, Purpose::test, step).fill_normal(x);
  return x;
}

}  // namespace

TEST_CASE("A Gaussian field's gradient and Hessian agree with differences of its values") {
  for (const Index n : {1, 3, 20}) {
    GaussianField f(n, 200, 5);
    CHECK(check_derivatives(f, random_vector(n, 1), {}).good());
    const Vector x = random_vector(n, 2);
    Vector g;
    CHECK(f.value(x) == f.value_and_gradient(x, g));
  }
}

TEST_CASE("Over its draws a random field has covariance exp(-r^2 / 2) and Hessians with that law's moments") {
  const Index n = 3;
  const Vector x = random_vector(n, 3);
  const Vector direction = random_vector(n, 4).normalized();
  constexpr int kDraws = 4000;
  for (const double r : {0.0, 0.7, 2.0}) {
    double sum = 0;
    double square = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      GaussianField f(n, 40, static_cast<std::uint64_t>(draw));
      const double product = f.value(x) * f.value(x + r * direction);
      sum += product;
      square += product * product;
    }
    const double mean = sum / kDraws;
    const double error = std::sqrt((square / kDraws - mean * mean) / kDraws);
    CHECK(std::abs(mean - std::exp(-r * r / 2)) <= 4 * error);
  }
  // From the fourth derivatives of the covariance at 0: E f_ij^2 = 1 + 2 [i = j], E f f_ii = -1.
  double diagonal = 0;
  double off = 0;
  double with_value = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    GaussianField f(n, 40, static_cast<std::uint64_t>(draw));
    const Matrix H = to_dense(*f.curvature(x, Curvature::hessian));
    diagonal += H(0, 0) * H(0, 0) / kDraws;
    off += H(0, 1) * H(0, 1) / kDraws;
    with_value += f.value(x) * H(1, 1) / kDraws;
  }
  // Standard deviations of the terms are below 6, 3 and 3 with 40 waves; four standard errors of 4000 draws.
  CHECK(std::abs(diagonal - 3) <= 4 * 6 / std::sqrt(kDraws));
  CHECK(std::abs(off - 1) <= 4 * 3 / std::sqrt(kDraws));
  CHECK(std::abs(with_value + 1) <= 4 * 3 / std::sqrt(kDraws));
}

TEST_CASE("A Gaussian field is a function of its seed and refuses what it cannot be") {
  const Vector x = random_vector(2, 5);
  CHECK(GaussianField(2, 10, 1).value(x) == GaussianField(2, 10, 1).value(x));
  CHECK(GaussianField(2, 10, 1).value(x) != GaussianField(2, 10, 2).value(x));
  GaussianField f(2, 10, 1);
  CHECK_THROWS_AS(f.curvature(x, Curvature::gauss_newton), Error);
  CHECK_THROWS_AS(GaussianField(0, 10, 1), Error);
  CHECK_THROWS_AS(GaussianField(2, 0, 1), Error);
}
