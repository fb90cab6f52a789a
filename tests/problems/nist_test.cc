#include "hesse/core/error.h"
#include "hesse/data/data_cache.h"
#include "hesse/objective/least_squares.h"
#include "hesse/problems/nist_models.h"
#include "hesse/problems/problem.h"
#include "hesse/validation/derivative_check.h"

#include <Eigen/QR>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

bool have(const std::string& set) {
  for (const SetStatus& status : list_fetched_sets()) {
    if (status.name != set || status.state == SetState::present) continue;
    WARN("left out: the data set " << set << " is not there; fetch it with: " << status.fetch_command);
    return false;
  }
  return true;
}

Problem make(const std::string& text) { return problems().make(parse_spec(text), {}); }

/// What the certified values allow at the certified point, b being rounded to a relative `rounding`.
struct Certified {
  Vector r;
  Matrix J;
  double shift = 0;  ///< |J db| at most, db the rounding of b
  double noise = 0;  ///< of r in double, from the rounding of y, of the terms of the model and of b
};

Certified at_certified(Problem& problem, double rounding) {
  Certified c;
  const Vector& b = problem.minimisers.at(0);
  auto* squares = find<LeastSquares>(*problem.objective);
  REQUIRE(squares != nullptr);
  squares->residuals_and_jacobian(b, c.r, c.J);
  double terms = 0;
  for (Index j = 0; j < b.size(); ++j) terms += c.J.col(j).norm() * std::abs(b[j]);
  c.shift = rounding * terms;
  // y is the model less r.
  c.noise = 8 * kEps * (terms + c.r.norm());
  return c;
}

/// sqrt(diag((J'J)^-1) RSS / (m - n)), by QR of J with columns of length 1.
Vector standard_errors(const Matrix& J, double sum_of_squares) {
  const Vector length = J.colwise().norm();
  const Eigen::HouseholderQR<Matrix> qr(J * length.cwiseInverse().asDiagonal());
  const Index n = J.cols();
  const Matrix inverse = qr.matrixQR().topRows(n).triangularView<Eigen::Upper>().solve(Matrix::Identity(n, n).eval());
  const double variance = sum_of_squares / static_cast<double>(J.rows() - n);
  return (inverse.rowwise().norm().array() / length.array()).matrix() * std::sqrt(variance);
}

/// Common digits: -log10 of the largest relative error.
double digits(const Vector& a, const Vector& b) { return -std::log10(((a - b).array() / b.array()).abs().maxCoeff()); }

}  // namespace

TEST_CASE("nist: at the certified parameters the sum of squares is the certified one and the gradient vanishes") {
  if (!have("nist")) return;
  for (const std::string& name : nist::nonlinear_names()) {
    Problem problem = make("nist:set=" + name);
    const double certified = 2 * problem.minimum_value.value();
    // 11 significant digits are given, so each parameter is off by at most 5e-11 of itself, and by the stationarity of
    // the sum its error is of second order.
    const Certified c = at_certified(problem, 5e-11);
    CAPTURE(name, c.r.squaredNorm(), certified, c.shift, c.noise);
    const double r = std::sqrt(certified);
    CHECK(std::abs(c.r.squaredNorm() - certified) <=
          5e-11 * certified + c.shift * c.shift + 2 * (r + c.shift) * c.noise + c.noise * c.noise);
    const Vector g = c.J.transpose() * c.r;
    // A change db of b changes J'r by (J'J + sum r_i H_i) db; the second part is below the first at these minima.
    for (Index j = 0; j < g.size(); ++j)
      CHECK(std::abs(g[j]) <= c.J.col(j).norm() * (2 * c.shift + c.noise + kEps * r));
    // Small beside |J||r|: to 1e-5 except for Lanczos1, whose residuals are the rounding of its parameters.
    if (name != "Lanczos1") CHECK((g.array().abs() / c.J.colwise().norm().transpose().array()).maxCoeff() <= 1e-4 * r);
    CHECK(2 * problem.value(problem.minimisers[0]) == Approx(c.r.squaredNorm()).epsilon(1e-9));
  }
}

TEST_CASE("nist: standard errors from the Jacobian at the certified parameters are the certified ones") {
  if (!have("nist")) return;
  for (const std::string& name : nist::nonlinear_names()) {
    Problem problem = make("nist:set=" + name);
    const Certified c = at_certified(problem, 5e-11);
    // Certified to 11 digits, of which the rounding of b costs two at most. The certified sum, since that of Lanczos1
    // (1e-25) is lost in the rounding of its parameters.
    const Vector errors = standard_errors(c.J, 2 * problem.minimum_value.value());
    REQUIRE(problem.standard_errors.size() == errors.size());
    CAPTURE(name, errors.transpose(), problem.standard_errors.transpose(), digits(errors, problem.standard_errors));
    CHECK(digits(errors, problem.standard_errors) >= 9);
  }
}

TEST_CASE(
    "nist: gradient and Hessian of every model agree with differences, at the certified point and the second start") {
  if (!have("nist")) return;
  for (const std::string& name : nist::nonlinear_names()) {
    Problem problem = make("nist:start=2,set=" + name);
    for (const Vector& b : {problem.start(0), problem.minimisers[0]}) {
      const DerivativeCheck check = check_derivatives(*problem.objective, b, {});
      CAPTURE(name, b.transpose(), check.gradient_error, check.product_error, check.asymmetry);
      // At the minimum the gradient is nothing but rounding.
      CHECK((check.gradient_good || b == problem.minimisers[0]));
      CHECK(check.product_good);
      CHECK(check.symmetric);
    }
  }
}

TEST_CASE("nist: the two starts are those of the file, the first farther away") {
  if (!have("nist")) return;
  CHECK(make("nist:set=MGH10").start(0) == Eigen::Vector3d(2, 400000, 25000));
  CHECK(make("nist:set=MGH10,start=2").start(0) == Eigen::Vector3d(0.02, 4000, 250));
  CHECK(make("nist:set=BoxBOD").start(7) == Eigen::Vector2d(1, 1));
  Problem nelson = make("nist:set=Nelson");
  CHECK(find<LeastSquares>(*nelson.objective)->residual_count() == 128);
  CHECK_THROWS_WITH(make("nist:set=Misra1"), Catch::Contains("did you mean 'Misra1"));
  CHECK_THROWS_WITH(make("nist-linear:set=Misra1a"), Catch::Contains("Norris"));
}

TEST_CASE("nist-linear: at the certified estimates the sum of squares is the certified one and the gradient vanishes") {
  if (!have("nist-linear")) return;
  for (const std::string& name : nist::linear_names()) {
    Problem problem = make("nist-linear:set=" + name);
    const double certified = 2 * problem.minimum_value.value();
    const Certified c = at_certified(problem, 5e-15);
    CAPTURE(name, c.r.squaredNorm(), certified, c.shift, c.noise);
    const double r = std::sqrt(certified);
    CHECK(std::abs(c.r.squaredNorm() - certified) <=
          5e-15 * certified + c.shift * c.shift + 2 * (r + c.shift) * c.noise + c.noise * c.noise);
    const Vector g = c.J.transpose() * c.r;
    for (Index j = 0; j < g.size(); ++j) CHECK(std::abs(g[j]) <= c.J.col(j).norm() * (c.shift + c.noise + kEps * r));
    CHECK(problem.start(0).isZero(0));
  }
}

TEST_CASE("nist-linear: standard errors of the estimates are the certified ones, to the digits that double leaves") {
  if (!have("nist-linear")) return;
  for (const std::string& name : nist::linear_names()) {
    Problem problem = make("nist-linear:set=" + name);
    const Certified c = at_certified(problem, 5e-15);
    const Vector errors = standard_errors(c.J, 2 * problem.minimum_value.value());
    CAPTURE(name, errors.transpose(), problem.standard_errors.transpose());
    if (problem.minimum_value == 0.0) {  // Wampler1 and 2 fit exactly
      CHECK(errors.isZero(0));
      CHECK(problem.standard_errors.isZero(0));
      continue;
    }
    CAPTURE(digits(errors, problem.standard_errors));
    CHECK(digits(errors, problem.standard_errors) >= (name == "Filip" ? 7 : 12));
  }
}
