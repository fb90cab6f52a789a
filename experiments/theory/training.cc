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

constexpr Index kBatches[] = {16, 32, 64, 128, 256, 512, 1024};

/// From batch 8 at lr = 0.05 upwards, both doubled together or the rate kept; epochs are the same.
double loss_at(Index batch, bool scaled) {
  return loss_after(fmt::format("sgd:lr={:g}", scaled ? 0.05 * static_cast<double>(batch) / 8 : 0.05), batch, 10);
}

std::vector<Measurement> linear_scaling() {
  const double base = loss_at(8, true);
  std::vector<Measurement> all;
  Index alike = 8;
  for (const Index batch : kBatches) {
    const double ratio = loss_at(batch, true) / base;
    if (ratio <= 1.2 && alike == batch / 2) alike = batch;
    Measurement m{
        fmt::format("batch {}, lr {:g}: loss / that of batch 8", batch, 0.05 * static_cast<double>(batch) / 8), ratio};
    // Small batches are within the noise of each other; at the largest the rate passes what the curvature bears. Where
    // between them it breaks is measured and not claimed.
    if (batch <= 64) m.high = 1.2;
    if (batch >= 1024) m.low = 1.5;
    all.push_back(m);
  }
  all.push_back({"largest batch up to which the loss stays within 1.2", static_cast<double>(alike), 64, 512});
  return all;
}

Plot draw_linear_scaling() {
  Plot plot;
  plot.title = fmt::format("SGD on {}, 10 epochs", kProblem);
  plot.x_label = "batch size";
  plot.y_label = "loss / that of batch 8";
  plot.log_x = plot.log_y = true;
  plot.legend = "lr = 0.05 at batch 8";
  const double base = loss_at(8, true);
  for (const bool scaled : {true, false}) {
    std::vector<double> batches = {8};
    std::vector<double> ratios = {1};
    for (const Index batch : kBatches) {
      batches.push_back(static_cast<double>(batch));
      ratios.push_back(loss_at(batch, scaled) / base);
    }
    plot.series.push_back(line(scaled ? "lr proportional to the batch" : "lr kept", batches, ratios));
  }
  return plot;
}

LrSweep sweep_of_sgd() {
  Problem problem = problems().make(parse_spec(kProblem), {Precision::float64});
  const auto sgd = make_optimizer("sgd", {*problem.objective, 1});
  FindLrOptions options;
  options.batch_size = 32;
  options.seed = 1;
  options.low = 1e-5;
  options.high = 100;
  options.steps = 200;
  return find_lr(*sgd, *problem.objective, problem.start(1), options);
}

Plot draw_range_test() {
  const LrSweep sweep = sweep_of_sgd();
  Plot plot;
  plot.title =
      fmt::format("Range test of SGD on {}: slows at {:.2g}, least at {:.2g}", kProblem, sweep.slows, sweep.least);
  plot.x_label = "learning rate";
  plot.y_label = "loss";
  plot.log_x = true;
  plot.legend = "batches of 32";
  plot.series = {line("after the step", sweep.rate, sweep.loss), line("smoothed", sweep.rate, sweep.smoothed)};
  return plot;
}

std::vector<Measurement> range_test() {
  const LrSweep sweep = sweep_of_sgd();
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
       "Smith (2017), section 3.3", range_test, draw_range_test},
      {"linear-scaling",
       "A batch k times as large with a rate k times as high trains alike, up to a size at which it breaks",
       "Goyal et al. (2017), section 2.1", linear_scaling, draw_linear_scaling},
  };
}

}  // namespace hesse::theory
