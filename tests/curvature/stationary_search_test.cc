#include "hesse/curvature/stationary_search.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/curvature/critical_point.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

/// x^3 + x has no critical point; |f'| has its least value 1 at 0, where f'' = 0.
struct Rising {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * (x[0] * x[0]) + x[0];
  }
};

Vector random_start(Index n, std::uint64_t seed, double half_width) {
  Vector x(n);
  RandomStream(seed, Purpose::test).fill_uniform(x, -half_width, half_width);
  return x;
}

}  // namespace

TEST_CASE("on a quadratic one step of Newton-MR comes to the critical point whatever the signs of the eigenvalues") {
  const Index n = 20;
  for (const Index negative : {0, 7, 20}) {
    Vector spectrum = Vector::LinSpaced(n, 1, 5);
    spectrum.head(negative) *= -1;
    const Vector centre = random_start(n, 1, 1);
    Quadratic f(spectrum, centre, 4, 2);
    Vector x = random_start(n, 2, 3);
    const Vector start = x;
    const SearchResult result = find_stationary(f, x);
    CAPTURE(negative, result.message);
    CHECK(result.status == SearchStatus::arrived);
    CHECK(result.gradient_norm <= 1e-10);
    // |x - centre| <= |g| / min |lambda|.
    CHECK((x - centre).norm() <= 1e-9);
    CHECK(result.distance == Approx((x - start).norm()));
  }
  // A singular matrix leaves the component in its null space where it was.
  Vector spectrum = Vector::LinSpaced(n, 0, 5);
  Quadratic f(spectrum, Vector::Zero(n));
  Vector x = Vector::Ones(n);
  CHECK(find_stationary(f, x).status == SearchStatus::arrived);
  CHECK(f.value(x) <= 1e-18);
}

TEST_CASE("from anywhere Newton-MR lowers the gradient and comes to critical points of every kind") {
  FunctorObjective<Himmelblau> f({}, 2);
  int minima = 0;
  int saddles = 0;
  int maxima = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Vector x = random_start(2, seed, 4);
    Vector g;
    f.value_and_gradient(x, g);
    const SearchResult result = find_stationary(f, x);
    CAPTURE(seed, result.message);
    CHECK(result.gradient_norm <= g.norm());
    if (result.status != SearchStatus::arrived) continue;
    // Of its nine critical points, all regular, one is near.
    const CriticalPoint point = classify(f, x);
    minima += point.kind == CriticalKind::minimum;
    saddles += point.kind == CriticalKind::saddle;
    maxima += point.kind == CriticalKind::maximum;
  }
  CHECK(minima > 0);
  CHECK(saddles > 0);
  CHECK(maxima > 0);
  CHECK(minima + saddles + maxima >= 40);
}

TEST_CASE("a search takes no more steps than it may") {
  FunctorObjective<Himmelblau> f({}, 2);
  for (const SearchMethod method : {SearchMethod::gradient_norm, SearchMethod::follow}) {
    for (const Index steps : {0, 1, 2}) {
      SearchOptions options;
      options.method = method;
      options.max_steps = steps;
      Vector x = Eigen::Vector2d(3.5, -3);
      const SearchResult result = find_stationary(f, x, options);
      CHECK(result.status == SearchStatus::step_limit);
      CHECK(result.steps == steps);
      CHECK((result.distance == 0) == (steps == 0));
    }
  }
}

TEST_CASE("a least gradient that is not zero is said to be none") {
  FunctorObjective<Rising> f({}, 1);
  Vector x = Vector::Constant(1, 0.7);
  const SearchResult result = find_stationary(f, x);
  CHECK(result.status != SearchStatus::arrived);
  CHECK(result.gradient_norm >= 1);
  CHECK(classify(f, x).kind == CriticalKind::not_stationary);
}

TEST_CASE("following eigenvectors arrives at saddles of the index that was asked for") {
  const Index n = 4;
  FunctorObjective<StyblinskiTang> f(StyblinskiTang{n}, n);
  const Vector roots = styblinski_tang_stationary_points();  // two minima with the maximum between them
  for (Index k = 0; k <= n; ++k) {
    int arrived = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      SearchOptions options;
      options.method = SearchMethod::follow;
      options.index = k;
      options.seed = seed;
      Vector x = random_start(n, 50 + seed, 3);
      const SearchResult result = find_stationary(f, x, options);
      CAPTURE(k, seed, result.message);
      if (result.status != SearchStatus::arrived) continue;
      ++arrived;
      const CriticalPoint point = classify(f, x);
      CHECK(point.index == k);
      CHECK(point.certified);
      // Each coordinate is a root of the derivative in closed form.
      for (Index i = 0; i < n; ++i) CHECK((roots.array() - x[i]).abs().minCoeff() <= 1e-9);
    }
    CAPTURE(k);
    CHECK(arrived >= 5);
  }
}

TEST_CASE("from a minimum the eigenvectors lead out to a saddle") {
  FunctorObjective<DoubleWell> f({}, 1);
  Vector x = Vector::Constant(1, double_well_stationary_points()[0]);
  SearchOptions options;
  options.method = SearchMethod::follow;
  options.index = 1;
  options.gradient_tolerance = 1e-9;
  const SearchResult result = find_stationary(f, x, options);
  CAPTURE(result.message);
  REQUIRE(result.status == SearchStatus::arrived);
  CHECK(x[0] == Approx(double_well_stationary_points()[1]).margin(1e-9));
}

TEST_CASE("a search that needs eigenvectors which do not converge stalls or goes on") {
  const Index n = 300;
  Quadratic f(logarithmic_spectrum(n, 1e16), Vector::Ones(n), 4, 3);
  for (const Index index : {0, 1, 3}) {
    Vector x = Vector::Zero(n);
    SearchOptions options;
    options.method = SearchMethod::follow;
    options.index = index;
    options.max_steps = 3;
    const SearchResult result = find_stationary(f, x, options);
    CAPTURE(index, result.message);
    CHECK(result.status != SearchStatus::non_finite);
    CHECK(std::isfinite(result.value));
  }
}

TEST_CASE("what is not finite ends a search and impossible options are refused") {
  FunctorObjective<Himmelblau> f({}, 2);
  Vector x = Vector::Constant(2, std::nan(""));
  CHECK(find_stationary(f, x).status == SearchStatus::non_finite);
  x = Vector::Constant(2, 1e200);
  CHECK(find_stationary(f, x).status == SearchStatus::non_finite);
  x = Vector::Zero(3);
  CHECK_THROWS_AS(find_stationary(f, x), Error);
  x = Vector::Zero(2);
  SearchOptions options;
  options.gradient_tolerance = -1;
  CHECK_THROWS_AS(find_stationary(f, x, options), Error);
  options = {};
  options.method = SearchMethod::follow;
  options.index = 3;
  CHECK_THROWS_AS(find_stationary(f, x, options), Error);
}
