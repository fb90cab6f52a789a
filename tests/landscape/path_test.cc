#include "hesse/landscape/path.h"

#include "hesse/core/error.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

struct TwoWells {
  template <class T>
  T operator()(const T* x) const {
    const T u = x[0] * x[0] - 1.0;
    return u * u;
  }
};

/// |x| tilted, with a logarithm that ends at 0.5.
struct Wall {
  template <class T>
  T operator()(const T* x) const {
    using std::log;
    return x[0] - log(0.5 - x[0]);
  }
};

Path segment(double a, double b) {
  return {PathKind::segment, Vector::Constant(1, a), Vector::Constant(1, b), Vector()};
}

/// The sum of many chords.
double chords(const Path& path) {
  constexpr int kChords = 20000;
  Vector before;
  Vector now;
  path.point(0, before);
  double sum = 0;
  for (int i = 1; i <= kChords; ++i) {
    path.point(static_cast<double>(i) / kChords, now);
    sum += (now - before).norm();
    before = now;
  }
  return sum;
}

}  // namespace

TEST_CASE("the barrier of the double well between its minima is 1 whether or not the grid has its top") {
  FunctorObjective<TwoWells> f({}, 1);
  for (const Index points : {3, 4, 10, 41}) {
    ProfileOptions options;
    options.points = points;
    const PathProfile p = profile(f, segment(-1, 1), options);
    CAPTURE(points);
    // At the top f = 1 - 8 (t - 1/2)^2 + ..., and t is found to 1e-6.
    CHECK(std::abs(p.barrier.value - 1) <= 8e-12);
    CHECK(std::abs(p.highest.value - 1) <= 8e-12);
    CHECK(std::abs(p.barrier.t - 0.5) <= 1e-6);
    CHECK(p.barrier.value <= 1);
    CHECK(p.message.empty());
  }
  const PathProfile p = profile(f, segment(-1, 1));
  CHECK(p.barrier.value == 1);
  CHECK(p.barrier.value > p.noise);
}

TEST_CASE("the barrier between ends of different loss is the height above the line between them") {
  FunctorObjective<TwoWells> f({}, 1);
  // From -1 to 1/2: x = -1 + 3t/2, f(1) = 9/16, and the excess (x^2-1)^2 - 9t/16 has one maximum, found here by a
  // search over a million points.
  double exact = 0;
  for (int i = 0; i <= 1000000; ++i) {
    const double t = i * 1e-6;
    const double x = -1 + 1.5 * t;
    exact = std::max(exact, (x * x - 1) * (x * x - 1) - 0.5625 * t);
  }
  CHECK(profile(f, segment(-1, 0.5)).barrier.value == Approx(exact).epsilon(1e-10));
}

TEST_CASE("the barrier of a convex function is 0 to rounding") {
  Quadratic f(logarithmic_spectrum(12, 1e3), test_point(12), 3, 1);
  const PathProfile p = profile(f, {PathKind::segment, test_point(12, 1), test_point(12, 2), Vector()});
  CHECK(p.barrier.value >= 0);
  CHECK(p.barrier.value <= 10 * kEps * p.highest.value);
  CHECK(p.highest.value == p.values.maxCoeff());
}

TEST_CASE("values that are not finite on a path are NaN and counted and named and an end that is not leaves no peaks") {
  FunctorObjective<Wall> f({}, 1);
  const PathProfile inside = profile(f, segment(0, 0.4));
  CHECK(inside.non_finite == 0);
  const PathProfile outside = profile(f, segment(0, 1));
  CHECK(outside.non_finite == 21);  // t >= 0.5, all on the grid
  CHECK(std::isnan(outside.values[20]));
  CHECK(std::isfinite(outside.values[19]));
  CHECK_THAT(outside.message, Contains("21 of 41") && Contains("t = 0.5"));
  CHECK(std::isnan(outside.barrier.value));
  CHECK(std::isnan(outside.highest.value));
}

TEST_CASE("a bezier curve and a polygon begin and end at their ends and pass where their formulas say") {
  const Vector A = test_point(5, 1);
  const Vector B = test_point(5, 2);
  const Vector theta = test_point(5, 3);
  Vector p;
  for (const PathKind kind : {PathKind::bezier, PathKind::polygon}) {
    const Path path{kind, A, B, theta};
    path.point(0, p);
    CHECK(p == A);
    path.point(1, p);
    CHECK(p == B);
  }
  Path{PathKind::bezier, A, B, theta}.point(0.5, p);
  CHECK((p - (0.25 * A + 0.5 * theta + 0.25 * B)).norm() <= 4 * kEps * p.norm());
  const Path polygon{PathKind::polygon, A, B, theta};
  polygon.point(0.5, p);
  CHECK(p == theta);
  polygon.point(0.75, p);
  CHECK((p - 0.5 * (theta + B)).norm() <= 4 * kEps * p.norm());
}

TEST_CASE("lengths are those of fine chords for curves of every kind") {
  const Vector A = test_point(4, 1);
  const Vector B = test_point(4, 2);
  const double distance = (B - A).norm();
  for (const PathKind kind : {PathKind::segment, PathKind::bezier, PathKind::polygon}) {
    const Path path{kind, A, B, test_point(4, 3)};
    // Chords fall short by h^2 / 24 of the curvature's square, here about 1e-8.
    CHECK(path.length() == Approx(chords(path)).epsilon(1e-7));
  }
  SECTION("a bend in the middle of the segment gives its length") {
    CHECK(Path{PathKind::bezier, A, B, 0.5 * (A + B)}.length() == Approx(distance).epsilon(1e-14));
  }
  SECTION("a nearly straight curve is continuous where the formula changes") {
    Vector across = test_point(4, 5);
    across -= across.dot(B - A) / (distance * distance) * (B - A);
    across *= distance / across.norm();
    for (const double bend : {1e-9, 1e-5, 2e-4, 4.9e-4, 5.1e-4, 1e-3, 1e-2}) {
      // With u = 2 bend: the integral of sqrt(1 + u^2 (2t - 1)^2 4 / 4) to fourth order is 1 + (2 bend)^2 / 6.
      const double length = Path{PathKind::bezier, A, B, 0.5 * (A + B) + bend * across}.length() / distance;
      CAPTURE(bend);
      CHECK(std::abs(length - (1 + 4 * bend * bend / 6)) <= 1e-9 + 2 * std::pow(bend, 4));
    }
  }
  SECTION("there and back on a line counts both ways") {
    const Path path{PathKind::bezier, Vector::Zero(1), Vector::Zero(1), Vector::Ones(1)};
    // phi = 2 t (1 - t), up to 1/2 and down again.
    CHECK(path.length() == Approx(1).epsilon(1e-14));
  }
}

TEST_CASE("paths of the wrong size and impossible grids are refused") {
  FunctorObjective<TwoWells> f({}, 1);
  CHECK_THROWS_AS(profile(f, {PathKind::segment, Vector::Zero(2), Vector::Zero(1), Vector()}), Error);
  CHECK_THROWS_AS(profile(f, {PathKind::bezier, Vector::Zero(1), Vector::Zero(1), Vector()}), Error);
  ProfileOptions options;
  options.points = 2;
  CHECK_THROWS_AS(profile(f, segment(0, 1), options), Error);
  options.points = 3;
  options.tolerance = 0;
  CHECK_THROWS_AS(profile(f, segment(0, 1), options), Error);
}
