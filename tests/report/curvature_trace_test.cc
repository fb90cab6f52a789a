#include "hesse/report/curvature_trace.h"

#include "hesse/core/error.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/registry.h"
#include "report/scratch.h"

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

Trace traced(const std::filesystem::path& file, const std::string& method, std::int64_t steps, Index top) {
  FunctorObjective<Quartics> f({}, 3);
  CurvatureTraceOptions options;
  options.every_steps = 4;
  options.top = top;
  options.tolerance = 1e-9;
  CurvatureTrace curvature(file, std::make_shared<FunctorObjective<Quartics>>(Quartics{}, 3), options);
  Vector x = Eigen::Vector3d(1, -2, 0.5);
  Stopping stopping;
  stopping.max_steps = steps;
  std::vector<Observer*> observers = {&curvature};
  const auto optimizer = make_optimizer(method, {f, 1});
  minimize(*optimizer, f, x, stopping, {}, observers);
  return read_trace(file);
}

}  // namespace

TEST_CASE("along training the largest eigenvalues are those of the Hessian at the point") {
  const ScratchFolder folder;
  const Trace trace = traced(folder / "curvature.csv", "gd:lr=0.01", 10, 2);
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
  const Trace trace = traced(folder / "curvature.csv", "rmsprop:lr=1e-3,rho=0.9,eps=1e-6", 4, 1);
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
  CHECK_THROWS_AS(CurvatureTrace(folder / "a.csv", f, options), Error);
  options = {};
  options.every_steps = 0;
  CHECK_THROWS_AS(CurvatureTrace(folder / "a.csv", f, options), Error);
}
