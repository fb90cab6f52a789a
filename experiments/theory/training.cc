// Learning rates and batch sizes on a network.

#include "claims.h"

#include "hesse/experiment/find_lr.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace hesse::theory {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr const char* kProblem = "mlp:data=digits,hidden=64";

/// The mean over three seeds of the loss on all samples after so many epochs; infinite when one diverges.
double loss_after(const std::string& method, Index batch, double epochs) {
  double total = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Problem problem = problems().make(parse_spec(kProblem), {Precision::float64});
    Vector x = problem.start(seed);
    const auto optimizer = make_optimizer(method, {*problem.objective, seed});
    Stopping stopping;
    stopping.max_epochs = epochs;
    const Summary summary = minimize(*optimizer, *problem.objective, x, stopping, {batch, seed});
    total += summary.termination == Termination::non_finite ? kInfinity : summary.value / 3;
  }
  return total;
}

std::vector<Measurement> linear_scaling() {
  // from batch 8 at lr = 0.05 upwards, both doubled together; epochs are kept.
  const double base = loss_after("sgd:lr=0.05", 8, 10);
  std::vector<Measurement> all;
  for (const Index batch : {16, 32, 64, 128, 256, 512, 1024}) {
    const double ratio =
        loss_after(fmt::format("sgd:lr={:g}", 0.05 * static_cast<double>(batch) / 8), batch, 10) / base;
    // Small batches are within the noise of each other; at the largest the rate passes what the curvature bears.
    const bool small = batch <= 64;
    const bool large = batch >= 1024;
    all.push_back(
        {fmt::format("batch {}, lr {:g}: loss / that of batch 8", batch, 0.05 * static_cast<double>(batch) / 8), ratio,
         large ? 1.5 : 0, small ? 1.2 : kInfinity});
  }
  return all;
}

std::vector<Measurement> range_test() {
  Problem problem = problems().make(parse_spec(kProblem), {Precision::float64});
  const auto sgd = make_optimizer("sgd", {*problem.objective, 1});
  FindLrOptions options;
  options.batch_size = 32;
  options.seed = 1;
  options.low = 1e-5;
  options.high = 100;
  options.steps = 200;
  const LrSweep sweep = find_lr(*sgd, *problem.objective, problem.start(1), options);
  const auto loss = [](double rate) { return loss_after(fmt::format("sgd:lr={:.17g}", rate), 32, 5); };
  const double right = loss(sweep.slows);
  return {{fmt::format("lr = {:.2g}, a tenth of where training begins: loss / that at {:.2g}", 0.1 * sweep.begins,
                       sweep.slows),
           loss(0.1 * sweep.begins) / right, 1.5, kInfinity},
          {fmt::format("lr = {:.2g}, ten times where the loss is least: loss / that at {:.2g}", 10 * sweep.least,
                       sweep.slows),
           loss(10 * sweep.least) / right, 1.5, kInfinity}};
}

}  // namespace

std::vector<Claim> training_claims() {
  return {
      {"range-test", "The rate at which the range test slows trains better than rates far below and far above",
       "Smith (2017), section 3.3", range_test},
      {"linear-scaling",
       "A batch k times as large with a rate k times as high trains alike, up to a size at which it breaks",
       "Goyal et al. (2017), section 2.1", linear_scaling},
  };
}

}  // namespace hesse::theory
