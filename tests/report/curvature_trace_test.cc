#include "hesse/report/curvature_trace.h"

#include "hesse/core/error.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/registry.h"
#include "report/scratch.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace hesse;
using namespace hesse::test;

namespace {

/// x1^4 + x2^4 / 10 + x3^2: the Hessian is diag(12 x1^2, 1.2 x2^2, 2) wherever one is.
struct Quartics {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * x[0] * (x[0] * x[0]) + 0.1 * (x[1] * x[1] * (x[1] * x[1])) + x[2] * x[2];
  }
};

Trace traced(const std::filesystem::path& folder, const std::string& method, std::int64_t steps, Index top) {
  FunctorObjective<Quartics> f({}, 3);
  CurvatureTraceOptions options;
  options.every_steps = 4;
  options.top = top;
  options.tolerance = 1e-9;
  CurvatureTrace curvature(folder, std::make_shared<FunctorObjective<Quartics>>(Quartics{}, 3), options);
  Vector x = Eigen::Vector3d(1, -2, 0.5);
  Stopping stopping;
  stopping.max_steps = steps;
  std::vector<Observer*> observers = {&curvature};
  const auto optimizer = make_optimizer(method, {f, 1});
  minimize(*optimizer, f, x, stopping, {}, observers);
  return read_trace(folder / kCurvatureFile);
}

}  // namespace

TEST_CASE("along training the largest eigenvalues are those of the Hessian at the point") {
  const ScratchFolder folder;
  const Trace trace = traced(folder.path(), "gd:lr=0.01", 10, 2);
  CHECK(trace.column("step") == std::vector<double>{0, 4, 8, 10});
  // The path in closed form: gradients 4 x1^3, 0.4 x2^3, 2 x3.
  Eigen::Vector3d x(1, -2, 0.5);
  std::size_t row = 0;
  for (int step = 0; step <= 10; ++step) {
    if (trace.rows[row][0] == step) {
      Vector values = Eigen::Vector3d(12 * x[0] * x[0], 1.2 * x[1] * x[1], 2);
      std::sort(values.begin(), values.end(), std::greater<>());
      CHECK(trace.column("sharpness")[row] == Approx(values[0]).epsilon(1e-8));
      CHECK(trace.column("eigenvalue_2")[row] == Approx(values[1]).epsilon(1e-8));
      CHECK(trace.column("residual")[row] <= 1e-9 * values[0]);
      CHECK(trace.column("converged")[row] == 1);
      CHECK(std::isnan(trace.column("preconditioned")[row]));
      ++row;
    }
    x -= 0.01 * Eigen::Vector3d(4 * x[0] * x[0] * x[0], 0.4 * x[1] * x[1] * x[1], 2 * x[2]);
  }
  CHECK(row == trace.rows.size());
}

TEST_CASE("for a method with a diagonal preconditioner the eigenvalue is that in its coordinates") {
  const ScratchFolder folder;
  const double beta2 = 0.9;
  const double lr = 1e-3;
  const Trace trace = traced(folder.path(), "rmsprop:lr=1e-3,rho=0.9,eps=1e-6", 4, 1);
  CHECK(std::isnan(trace.column("preconditioned")[0]));  // before the first step there is no P
  Eigen::Array3d x(1, -2, 0.5);
  Eigen::Array3d v = Eigen::Array3d::Zero();
  for (int step = 0; step < 4; ++step) {
    const Eigen::Array3d g(4 * x[0] * x[0] * x[0], 0.4 * x[1] * x[1] * x[1], 2 * x[2]);
    v = beta2 * v + (1 - beta2) * g * g;
    x -= lr * g / (v.sqrt() + 1e-6);
  }
  const Eigen::Array3d H(12 * x[0] * x[0], 1.2 * x[1] * x[1], 2);
  CHECK(trace.column("preconditioned").back() == Approx((H / (v.sqrt() + 1e-6)).maxCoeff()).epsilon(1e-8));
}

TEST_CASE("impossible wishes of a curvature trace are refused") {
  const ScratchFolder folder;
  const auto f = std::make_shared<FunctorObjective<Quartics>>(Quartics{}, 3);
  CurvatureTraceOptions options;
  options.top = 4;
  CHECK_THROWS_AS(CurvatureTrace(folder.path(), f, options), Error);
  options = {};
  options.every_steps = 0;
  CHECK_THROWS_AS(CurvatureTrace(folder.path(), f, options), Error);
}

namespace {

RunRecord record_of(const std::string& method, std::vector<std::pair<std::string, std::string>> used) {
  RunRecord record;
  record.optimizer = {method, std::move(used)};
  return record;
}

/// The largest magnitude of the eigenvalues of the recurrence that a method makes of (x, m) on the quadratic lambda x^2
/// / 2: x -> x - rate d, m -> the momentum, from its definition.
double growth(const Eigen::Matrix2d& recurrence) { return recurrence.eigenvalues().cwiseAbs().maxCoeff(); }

}  // namespace

TEST_CASE("the edge of stability is where the recurrence of a method on a quadratic begins to grow") {
  const double lr = 0.03;
  const double beta = 0.8;
  const auto heavy_ball = [&](double lambda) {
    // v <- beta v - lr lambda x, x <- x + v.
    return Eigen::Matrix2d{{1 - lr * lambda, beta}, {-lr * lambda, beta}};
  };
  const auto nesterov = [&](double lambda) {
    // v <- beta v - lr lambda x, x <- x - lr lambda x + beta v.
    return Eigen::Matrix2d{{1 - lr * lambda - beta * lr * lambda, beta * beta}, {-lr * lambda, beta}};
  };
  const auto averaged = [&](double lambda) {
    // m <- beta m + (1 - beta) lambda x, x <- x - lr m: also Adam's in the coordinates of its preconditioner.
    return Eigen::Matrix2d{{1 - lr * (1 - beta) * lambda, -lr * beta}, {(1 - beta) * lambda, beta}};
  };
  const auto check = [&](const RunRecord& record, const char* column, const auto& recurrence) {
    const std::optional<StabilityEdge> edge = stability_edge(record);
    CAPTURE(record.optimizer.text);
    REQUIRE(edge);
    CHECK(edge->column == column);
    CHECK(growth(recurrence(0.999 * edge->value)) < 1);
    CHECK(growth(recurrence(1.001 * edge->value)) > 1);
  };
  check(record_of("momentum:lr=0.03,momentum=0.8", {{"lr", "0.03"}, {"momentum", "0.8"}, {"form", "classical"}}),
        "sharpness", heavy_ball);
  check(record_of("momentum:nesterov=true", {{"lr", "0.03"}, {"momentum", "0.8"}, {"nesterov", "true"}}), "sharpness",
        nesterov);
  check(record_of("sgd:form=averaged", {{"lr", "0.03"}, {"momentum", "0.8"}, {"form", "averaged"}}), "sharpness",
        averaged);
  check(record_of("adam:beta1=0.8", {{"lr", "0.03"}, {"beta1", "0.8"}, {"beta2", "0.999"}}), "preconditioned",
        averaged);
  check(record_of("rmsprop", {{"lr", "0.03"}, {"momentum", "0.8"}}), "preconditioned", heavy_ball);
  CHECK(stability_edge(record_of("gd", {{"lr", "0.5"}, {"momentum", "0"}}))->value == 4);
  CHECK(stability_edge(record_of("adam", {{"lr", "1"}, {"beta1", "0.9"}}))->value == Approx(38).epsilon(1e-12));
  CHECK_FALSE(stability_edge(record_of("sgd:lr=0.1+cosine", {{"lr", "0.1"}})));
  CHECK_FALSE(stability_edge(record_of("sgd", {{"lr", "0.1"}, {"weight_decay", "0.01"}})));
  CHECK_FALSE(stability_edge(record_of("lion", {{"lr", "0.1"}})));
}

TEST_CASE("the density over steps integrates to one at each of them and lies where the eigenvalues do") {
  const ScratchFolder folder;
  FunctorObjective<Quartics> f({}, 3);
  CurvatureTraceOptions options;
  options.every_steps = 5;
  options.measures = {"density"};
  CurvatureTrace curvature(folder.path(), std::make_shared<FunctorObjective<Quartics>>(Quartics{}, 3), options);
  Vector x = Eigen::Vector3d(1, -2, 0.5);
  Stopping stopping;
  stopping.max_steps = 20;
  std::vector<Observer*> observers = {&curvature};
  minimize(*make_optimizer("gd:lr=0.01", {f, 1}), f, x, stopping, {}, observers);
  RecordedRun run;
  run.folder = folder.path();
  const std::optional<ContourPlot> map = density_map(run);
  REQUIRE(map);
  REQUIRE(map->x.size() == 5);
  CHECK(map->x[4] == 20);
  const double step = map->y[1] - map->y[0];
  for (Index i = 0; i < map->x.size(); ++i) {
    // The rectangle rule on a Gaussian whose deviation is 1.5 steps is exact to exp(-2 (1.5 pi)^2); its tails beyond
    // three deviations hold 0.27 %.
    CHECK(map->values.row(i).sum() * step == Approx(1).epsilon(3e-3));
  }
  // At the start the eigenvalues are 12, 4.8 and 2.
  const Vector mean = map->values * map->y * step;
  CHECK(mean[0] == Approx((12 + 4.8 + 2) / 3).epsilon(5e-3));
}
