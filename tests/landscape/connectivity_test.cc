#include "hesse/landscape/connectivity.h"

#include "hesse/core/error.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

/// (|x|^2 - 1)^2: 0 on the unit circle, 1 at its centre.
struct Ring {
  template <class T>
  T operator()(const T* x) const {
    const T u = x[0] * x[0] + x[1] * x[1] - 1.0;
    return u * u;
  }
};

Vector at(double x, double y) { return Vector{{x, y}}; }

double ring(double x, double y) { return std::pow(x * x + y * y - 1, 2); }

/// Along the bezier curve from (-1, 0) to (1, 0) by (u, v), written out.
double on_bezier(double u, double v, double t) {
  return ring(-(1 - t) * (1 - t) + 2 * t * (1 - t) * u + t * t, 2 * t * (1 - t) * v);
}
double mean_on_bezier(double u, double v, int nodes) {
  double sum = 0;
  for (int i = 0; i < nodes; ++i) sum += on_bezier(u, v, (i + 0.5) / nodes);
  return sum / nodes;
}
double highest_on_bezier(double u, double v) {
  double highest = 0;
  for (int i = 0; i <= 2000; ++i) highest = std::max(highest, on_bezier(u, v, i / 2000.0));
  return highest;
}

}  // namespace

TEST_CASE("gradient and Hessian of the mean loss along a curve are its differences") {
  auto f = make_objective({{3, 4, 2}, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(3, 2, 20, Loss::softmax_cross_entropy));
  const Index n = f->size();
  const PathKind kind = GENERATE(PathKind::bezier, PathKind::polygon);
  const bool on_batch = GENERATE(false, true);
  const auto F = make_curve_objective(*f, {kind, test_point(n, 1), test_point(n, 2), Vector()}, 4, 1);
  if (on_batch) find<FiniteSum>(*F)->select(std::vector<Index>{3, 7, 11});
  const Vector theta = test_point(n, 3);
  const Vector v = test_point(n, 4).normalized();
  Vector g;
  Vector before;
  Vector after;
  F->value_and_gradient(theta, g);
  CHECK(F->value_and_gradient(theta, g) == F->value(theta));
  // Central differences err by h^2 f''' / 6 and by eps / h.
  const double h = 1e-5;
  const double up = F->value_and_gradient(theta + h * v, after);
  const double down = F->value_and_gradient(theta - h * v, before);
  CHECK(std::abs((up - down) / (2 * h) - g.dot(v)) <= 1e-9);
  Vector product(n);
  F->curvature(theta, Curvature::hessian)->apply(v, product);
  CHECK((((after - before) / (2 * h)) - product).norm() <= 1e-8);
}

TEST_CASE("on batches the nodes are a function of the batch and the gradient is unbiased") {
  auto f = make_objective({{2, 3, 2}, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(2, 2, 12, Loss::softmax_cross_entropy));
  const Index n = f->size();
  const Path path{PathKind::bezier, test_point(n, 1), test_point(n, 2), Vector()};
  const Vector theta = test_point(n, 3);
  const auto F = make_curve_objective(*f, path, 2, 1);
  auto& sum = *find<FiniteSum>(*F);
  Vector g;
  const std::vector<Index> batch = {1, 5, 8};
  sum.select(batch);
  const double there = F->value(theta);
  sum.select(std::vector<Index>{0});
  CHECK(F->value(theta) != there);
  sum.select(batch);
  CHECK(F->value(theta) == there);
  sum.select_all();
  const double all = F->value(theta);
  // Every seed has other nodes; a batch of all samples leaves their mean alone.
  std::vector<Index> everything(12);
  for (Index i = 0; i < 12; ++i) everything[static_cast<std::size_t>(i)] = (i + 5) % 12;
  Vector mean = Vector::Zero(n);
  Vector squares = Vector::Zero(n);
  constexpr int kSeeds = 400;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto sampled = make_curve_objective(*f, path, 2, static_cast<std::uint64_t>(seed));
    find<FiniteSum>(*sampled)->select(everything);
    sampled->value_and_gradient(theta, g);
    mean += g / kSeeds;
    squares += g.cwiseAbs2() / kSeeds;
  }
  f->select_all();
  const auto fine = make_curve_objective(*f, path, 200, 1);
  fine->value_and_gradient(theta, g);
  const Vector standard_error = ((squares - mean.cwiseAbs2()) / kSeeds).cwiseMax(0).cwiseSqrt();
  CHECK(((mean - g).cwiseAbs() - 5 * standard_error).maxCoeff() <= 0);
  CHECK(std::abs(all - fine->value(theta)) <= 0.2 * all);
}

TEST_CASE("around a ring the trained curve is the best one of brute force and stays far below the segment") {
  FunctorObjective<Ring> f({}, 2);
  ConnectOptions options;
  options.stopping = {.gradient_tolerance = 1e-10, .max_steps = 200};
  options.nodes = 16;
  const Connection c = connect(f, at(-1, 0), at(1, 0), options);
  CHECK(c.segment.highest.value == Approx(1).epsilon(1e-12));
  CHECK(c.training.termination == Termination::gradient);
  // The best bend by search: by symmetry (0, v), and the sampled plane has none below it.
  double best = 1e9;
  double best_v = 0;
  for (double v = 0; v <= 3; v += 1e-4) {
    const double mean = mean_on_bezier(0, v, 16);
    if (mean < best) {
      best = mean;
      best_v = v;
    }
  }
  double least_highest = 1e9;
  for (double u = -1; u <= 1; u += 0.05) {
    for (double v = -3; v <= 3; v += 0.05) {
      CHECK(mean_on_bezier(u, v, 16) >= best - 1e-9);
      least_highest = std::min(least_highest, highest_on_bezier(u, v));
    }
  }
  // A search with steps of 1e-4 is within F'' (5e-5)^2 / 2 of the minimum.
  CHECK(std::abs(c.training.value - best) <= 1e-7);
  CHECK(std::abs(std::abs(c.path.theta[1]) - best_v) <= 1.01e-4);
  CHECK(std::abs(c.path.theta[0]) <= 1e-8);
  CHECK(c.curve.highest.value == Approx(highest_on_bezier(0, c.path.theta[1])).epsilon(1e-4));
  CHECK(c.curve.highest.value < 0.05);
  // No curve of this kind has a lower top than the best for it, which the mean's minimum need not be.
  CHECK(c.curve.highest.value >= least_highest - 1e-3);
  CHECK(c.curve.highest.value <= 3 * least_highest);
  CHECK(c.distance == Approx(2));
  // Between the segment's length and that of a walk around the square.
  CHECK(c.length > 2.5);
  CHECK(c.length < 4);
}

TEST_CASE("a polygon with one bend goes around the ring too but not as low") {
  FunctorObjective<Ring> f({}, 2);
  ConnectOptions options;
  options.kind = PathKind::polygon;
  options.stopping = {.gradient_tolerance = 1e-9, .max_steps = 200};
  const Connection c = connect(f, at(-1, 0), at(1, 0), options);
  // With the bend at (0, v) each half passes the centre at a distance of v / sqrt(1 + v^2) < 1, and the bend at v: the
  // two are balanced.
  CHECK(c.curve.highest.value < 0.5);
  CHECK(c.curve.highest.value > 0.01);
  CHECK(std::abs(c.path.theta[0]) <= 1e-7);
  CHECK(c.length == Approx(2 * std::hypot(1, c.path.theta[1])).epsilon(1e-10));
}

TEST_CASE("a curve between two networks is trained by a stochastic method on batches to the same bits for one seed") {
  auto f = make_objective({{4, 6, 3}, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(4, 3, 60, Loss::softmax_cross_entropy));
  const Index n = f->size();
  ConnectOptions options;
  options.optimizer = "adam:lr=1e-2";
  options.stopping = {.max_steps = 120};
  options.batches = {10, 1};
  options.nodes = 4;
  options.profile.points = 11;
  const Connection one = connect(*f, 2 * test_point(n, 1), 2 * test_point(n, 2), options);
  const Connection other = connect(*f, 2 * test_point(n, 1), 2 * test_point(n, 2), options);
  CHECK(one.path.theta == other.path.theta);
  CHECK(one.curve.values == other.curve.values);
  CHECK(one.curve.values.mean() < one.segment.values.mean());
  CHECK(f->samples() == f->total_samples());
}

TEST_CASE("curves that cannot be trained are refused and losses that are not finite end in a field") {
  FunctorObjective<Ring> f({}, 2);
  const Path path{PathKind::bezier, at(-1, 0), at(1, 0), Vector()};
  CHECK_THROWS_WITH(make_curve_objective(f, {PathKind::segment, path.A, path.B, Vector()}, 4, 0), Contains("no bend"));
  CHECK_THROWS_AS(make_curve_objective(f, path, 3, 0), Error);
  CHECK_THROWS_AS(make_curve_objective(f, path, 0, 0), Error);
  CHECK_THROWS_AS(make_curve_objective(f, {PathKind::bezier, Vector::Zero(3), path.B, Vector()}, 4, 0), Error);
  CHECK_THROWS_AS(connect(f, path.A, path.B, {.optimizer = "no-such"}), Error);
  CHECK_THROWS_AS(connect(f, path.A, path.B, {.perturbation = -1}), Error);
  const Connection c = connect(f, at(1e200, 0), at(1, 0), {});
  CHECK(c.training.termination == Termination::non_finite);
  CHECK(std::isnan(c.curve.barrier.value));
  CHECK(c.curve.non_finite > 0);
}
