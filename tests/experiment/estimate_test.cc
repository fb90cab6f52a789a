#include "hesse/experiment/estimate.h"
#include "hesse/core/memory_use.h"

#include "hesse/core/error.h"
#include "hesse/objective/finite_sum.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

RunEstimate estimate(const std::string& text, const std::string& method, const std::string& budget, Index batch = 0,
                     double tolerance = 0) {
  RunSettings settings;
  settings.problem = text;
  settings.method = method;
  settings.budget = budget;
  settings.batch_size = batch;
  settings.gradient_tolerance = tolerance;
  Problem problem = problems().make(parse_spec(text), {settings.precision});
  return estimate_run(settings, problem);
}

}  // namespace

TEST_CASE("The steps that a budget holds are the budget over what one step spends of it") {
  CHECK(estimate("quadratic:n=5", "gd:lr=1e-3", "40steps").steps == 40);
  // A step costs one value and gradient.
  CHECK(estimate("quadratic:n=5", "gd:lr=1e-3", "40gradients").steps == 40);
  CHECK(estimate("quadratic:n=5", "gd:lr=1e-3", "40gradients,7steps").steps == 7);
  const std::string blobs = "mlp:data=gaussian-blobs,hidden=4";
  Problem problem = problems().make(parse_spec(blobs), {});
  const auto samples = static_cast<double>(find<FiniteSum>(*problem.objective)->sample_count());
  for (const double batch : {16.0, 50.0, 77.0}) {
    // The last batch of an epoch may be smaller than the others.
    const double steps = estimate(blobs, "sgd:lr=1e-2", "5epochs", static_cast<Index>(batch)).steps;
    CHECK(steps == 5 * std::ceil(samples / batch));
  }
}

TEST_CASE("Memory of the state and of the checkpoints is counted in doubles") {
  const RunEstimate gd = estimate("quadratic:n=1000", "gd:lr=1e-3", "40steps");
  CHECK(gd.parameters == 1000);
  CHECK(gd.state_bytes < 100);
  const RunEstimate adam = estimate("quadratic:n=1000", "adam", "40steps");
  // Two means of the gradient, and counters.
  CHECK(adam.state_bytes >= 16000);
  CHECK(adam.state_bytes < 16100);
  CHECK(adam.disk_bytes == 2 * (8000 + adam.state_bytes));
  CHECK(peak_memory() > 1e6);
}

TEST_CASE("A run that ends within the measured steps is told to end") {
  // Newton's method is exact on a quadratic after one step.
  const RunEstimate newton = estimate("quadratic:n=5", "newton", "100steps", 0, 1e-8);
  CHECK_FALSE(newton.ended.empty());
  CHECK(newton.steps <= 3);
  CHECK(estimate("quadratic:n=5", "gd:lr=1e-3", "100steps").ended.empty());
  CHECK(estimate("quadratic:n=5", "gd:lr=1e-3", "2steps").measured_steps == 2);
  CHECK_THROWS_AS(estimate("quadratic:n=5", "gd:lr=1e-3", "2parsecs"), Error);
}
