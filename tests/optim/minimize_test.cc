#include "hesse/optim/minimize.h"

#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"

#include <catch2/catch.hpp>

using namespace hesse;

namespace {

std::unique_ptr<Optimizer> make(const std::string& text, Objective& f) {
  return optimizers().make(parse_spec(text), {f, 0});
}

}  // namespace

TEST_CASE("L-BFGS and truncated Newton find the known minimisers of the classical functions") {
  const std::string method = GENERATE("lbfgs", "newton-cg");
  CAPTURE(method);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-9;
  stopping.max_steps = 1000;
  const auto check = [&](Objective& f, Vector x, const std::vector<Vector>& minimisers, double minimum) {
    auto optimizer = make(method, f);
    const Summary summary = minimize(*optimizer, f, x, stopping);
    CAPTURE(summary.message, summary.progress.cost.gradients);
    CHECK(summary.termination == Termination::gradient);
    CHECK(summary.gradient_norm <= 1e-9);
    CHECK(std::abs(summary.value - minimum) <= 1e-12 * std::max(1.0, std::abs(minimum)));
    double nearest = 1e300;
    for (const Vector& m : minimisers) nearest = std::min(nearest, (x - m).norm());
    // |x - x*| <= |g| / lambda_min, and the least eigenvalue at these minima exceeds 0.1.
    CHECK(nearest <= 1e-8);
  };
  FunctorObjective<Rosenbrock> rosenbrock({}, 2);
  check(rosenbrock, Eigen::Vector2d(-1.2, 1), {Eigen::Vector2d(1, 1)}, 0);
  FunctorObjective<ChainedRosenbrock> chained({10}, 10);
  check(chained, Vector::Constant(10, 0.5), {Vector::Ones(10)}, 0);
  FunctorObjective<Beale> beale({}, 2);
  check(beale, Eigen::Vector2d(1, 1), {Eigen::Vector2d(3, 0.5)}, 0);
  FunctorObjective<Himmelblau> himmelblau({}, 2);
  check(himmelblau, Eigen::Vector2d(0, 0), himmelblau_minimisers(), 0);
  FunctorObjective<StyblinskiTang> tang({5}, 5);
  const double low = styblinski_tang_stationary_points()[0];
  check(tang, Vector::Constant(5, -1), {Vector::Constant(5, low)}, 5 * -39.16616570377142);
}
