#include "hesse/curvature/escape.h"

#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

/// Minima -1/4 at (0, +-1), a saddle at the origin.
struct Saddle {
  template <class T>
  T operator()(const T* x) const {
    const T square = x[1] * x[1];
    return x[0] * x[0] + 0.25 * square * square - 0.5 * square;
  }
};

/// -x^2: unbounded below.
struct Concave {
  template <class T>
  T operator()(const T* x) const {
    return -1.0 * (x[0] * x[0]);
  }
};

}  // namespace

TEST_CASE(
    "From a saddle the point moves along negative curvature to where f is less by the share that curvature promises") {
  FunctorObjective<Saddle> f({}, 2);
  Vector x = Vector::Zero(2);
  const CriticalPoint point = classify(f, x);
  REQUIRE(point.kind == CriticalKind::saddle);
  REQUIRE(escape(f, x, point));
  CHECK(x[0] == 0);
  // |t| = 1 promises 1/8 = 1/4 * 1/2 * 1 and gives 1/4.
  CHECK(f.value(x) <= -0.125);
}

TEST_CASE("From a maximum there is a way down, from a minimum there is none") {
  FunctorObjective<DoubleWell> f({}, 1);
  const Vector points = double_well_stationary_points();
  for (Index i = 0; i < 3; ++i) {
    Vector x = points.segment(i, 1);
    const double before = f.value(x);
    const CriticalPoint point = classify(f, x);
    const bool moved = escape(f, x, point);
    CHECK(moved == (point.kind == CriticalKind::maximum));
    if (moved) {
      CHECK(f.value(x) < before);
    } else {
      CHECK(x[0] == points[i]);
    }
  }
}

TEST_CASE("Where f falls for ever the way down ends after finitely many doublings") {
  FunctorObjective<Concave> f({}, 1);
  Vector x = Vector::Zero(1);
  REQUIRE(escape(f, x, classify(f, x)));
  CHECK(std::isfinite(x[0]));
  CHECK(f.value(x) < -1e30);
}
