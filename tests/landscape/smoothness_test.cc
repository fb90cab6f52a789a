#include "hesse/landscape/smoothness.h"

#include "hesse/core/error.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

/// x^4, and not finite from -2 on.
struct Quartic {
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    const T square = x[0] * x[0];
    return square * square + 0.0 * log(x[0] + 2.0);
  }
};

}  // namespace

TEST_CASE("for a quadratic all three constants are |Hg| / |g| which lies between the extreme eigenvalues") {
  Quadratic f(logarithmic_spectrum(20, 1e3), test_point(20), 4, 2);
  const Vector x = test_point(20, 1);
  Vector g;
  f.value_and_gradient(x, g);
  const Matrix H = dense(*f.curvature(x, Curvature::hessian));
  const double exact = std::sqrt(g.dot(H * (H * g)) / g.squaredNorm());
  const Smoothness s = gradient_smoothness(f, x);
  // Differences of gradients over a step of 1 / 40 of the longest lose a factor of 40.
  CHECK(std::abs(s.effective / exact - 1) <= 1e-12);
  CHECK(std::abs(s.lipschitz / exact - 1) <= 1e-12);
  CHECK(std::abs(s.at_point / exact - 1) <= 1e-13);
  CHECK(s.effective > 1e-3);
  CHECK(s.effective < 1 + 1e-12);
  CHECK(s.steps[40] == Approx(2 / exact));
  REQUIRE(s.steps.size() == 41);
  for (Index i = 0; i <= 40; ++i) {
    const double eta = s.steps[i];
    CHECK(s.gradient_changes[i] == Approx(eta * exact * g.norm()).epsilon(1e-12));
    CHECK(s.values[i] == Approx(f.value(x) - eta * g.squaredNorm() + 0.5 * eta * eta * g.dot(H * g)).epsilon(1e-11));
  }
  CHECK(s.least_value == s.values.minCoeff());
  CHECK(s.largest_value == s.values.maxCoeff());
  CHECK(s.largest_change == s.gradient_changes.maxCoeff());
  CHECK(s.least_change == s.gradient_changes[1]);
}

TEST_CASE("neighbours attain the largest slope over all pairs of points on the path") {
  auto f = make_objective({{3, 5, 2}, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(3, 2, 30, Loss::softmax_cross_entropy));
  const Vector x = test_point(f->size());
  SmoothnessOptions options;
  options.longest_step = 20;
  options.points = 12;
  const Smoothness s = gradient_smoothness(*f, x, options);
  Vector g;
  f->value_and_gradient(x, g);
  std::vector<Vector> points;
  std::vector<Vector> gradients;
  for (Index i = 0; i <= 12; ++i) {
    points.push_back(x - 20.0 * static_cast<double>(i) / 12 * g);
    f->value_and_gradient(points.back(), gradients.emplace_back());
  }
  double all = 0;
  double from_x = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double slope = (gradients[i] - gradients[j]).norm() / (points[i] - points[j]).norm();
      all = std::max(all, slope);
      if (j == 0) from_x = std::max(from_x, slope);
    }
  }
  CHECK(s.lipschitz == Approx(all).epsilon(1e-10));
  CHECK(s.effective == Approx(from_x).epsilon(1e-10));
  CHECK(s.lipschitz > s.effective);
}

TEST_CASE("short steps come to the constant at the point") {
  FunctorObjective<Quartic> f({}, 1);
  SmoothnessOptions options;
  options.longest_step = 1e-6;
  const Smoothness s = gradient_smoothness(f, Vector::Constant(1, 1.0), options);
  // f'' = 12 at 1, and a relative change of 2 |s| over a step of s = 4e-6 at most.
  CHECK(s.at_point == Approx(12).epsilon(1e-14));
  CHECK(std::abs(s.effective / 12 - 1) <= 1e-5);
}

TEST_CASE("points that are not finite are left out and counted and a gradient of 0 has no path") {
  FunctorObjective<Quartic> f({}, 1);
  SmoothnessOptions options;
  options.longest_step = 1;  // from 1 by 4 to -3
  options.points = 8;
  const Smoothness s = gradient_smoothness(f, Vector::Constant(1, 1.0), options);
  CHECK(s.non_finite == 3);  // -2, -2.5 and -3
  CHECK(std::isnan(s.values[8]));
  CHECK(std::isfinite(s.effective));
  CHECK(s.largest_value == Approx(std::pow(1.5, 4)));
  CHECK_THAT(s.message, Contains("3 of 9"));
  const Smoothness flat = gradient_smoothness(f, Vector::Zero(1));
  CHECK(std::isnan(flat.effective));
  CHECK_THAT(flat.message, Contains("gradient is 0"));
  const Smoothness lost = gradient_smoothness(f, Vector::Constant(1, -3.0));
  CHECK(std::isnan(lost.lipschitz));
  CHECK(!lost.message.empty());
  options.points = 0;
  CHECK_THROWS_AS(gradient_smoothness(f, Vector::Zero(1), options), Error);
  options = {-1.0, 5};
  CHECK_THROWS_AS(gradient_smoothness(f, Vector::Zero(1), options), Error);
}
