// What bias correction and the place of weight decay do in Adam.

#include "claims.h"

#include "hesse/core/error.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

namespace hesse::theory {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Gradients of sizes 1 and 100 whose signs alternate, whatever x is.
class Alternating final : public Objective {
 public:
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector&) override { return 0; }
  double value_and_gradient(const Vector&, Vector& g) override {
    sign_ = -sign_;
    g = sign_ * Eigen::Vector2d(1, 100);
    return 0;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("no curvature here"); }

 private:
  ParameterLayout layout_{2};
  double sign_ = -1;
};

std::vector<Measurement> decay_in_adam() {
  const auto left = [](const std::string& method) {
    Alternating f;
    Vector x = Eigen::Vector2d(1, 1);
    const auto optimizer = make_optimizer(method, {f, 0});
    for (int i = 0; i < 2000; ++i) optimizer->step(f, x);
    return x;
  };
  const Vector decoupled = left("adamw:lr=1e-3,weight_decay=0.1,beta1=0");
  const Vector coupled = left("adam:lr=1e-3,weight_decay=0.1,beta1=0");
  const Vector shrunk = 1 - decoupled.array();
  const Vector within = 1 - coupled.array();
  // (1 - lr lambda)^2000 for both entries, against a decay divided by the size of the gradient.
  const double theory = 1 - std::pow(1 - 1e-4, 2000);
  return {{"AdamW, gradients of size 1: shrinkage / theory", shrunk[0] / theory, 0.95, 1.05},
          {"AdamW, gradients of size 100: shrinkage / theory", shrunk[1] / theory, 0.95, 1.05},
          {"Adam + L2: shrinkage under 1 / under 100", within[0] / within[1], 10, kInfinity}};
}

Plot draw_decay() {
  Plot plot;
  plot.title = "A weight of 1 under decay alone: lr = 1e-3, lambda = 0.1";
  plot.x_label = "steps";
  plot.y_label = "weight";
  plot.legend = "gradients that cancel";
  for (const auto& [name, method] : {std::pair{"AdamW", "adamw:lr=1e-3,weight_decay=0.1,beta1=0"},
                                     std::pair{"Adam + L2", "adam:lr=1e-3,weight_decay=0.1,beta1=0"}}) {
    Alternating f;
    Vector x = Eigen::Vector2d(1, 1);
    const auto optimizer = make_optimizer(method, {f, 0});
    std::vector<double> steps;
    std::vector<double> small;
    std::vector<double> large;
    // Every second step, where the gradients have cancelled.
    for (int i = 0; i <= 2000; ++i) {
      if (i % 20 == 0) {
        steps.push_back(i);
        small.push_back(x[0]);
        large.push_back(x[1]);
      }
      optimizer->step(f, x);
    }
    plot.series.push_back(line(fmt::format("{}, gradients of size 1", name), steps, small));
    plot.series.push_back(line(fmt::format("{}, of size 100", name), steps, large));
  }
  return plot;
}

/// The largest entry of the first step, in units of lr.
double first_step(const std::string& method) {
  Problem problem = problems().make(parse_spec("mlp:data=digits,hidden=32"), {Precision::float64});
  const Vector start = problem.start(1);
  Vector x = start;
  make_optimizer(method, {*problem.objective, 0})->step(*problem.objective, x);
  return (x - start).cwiseAbs().maxCoeff() / 1e-3;
}

std::vector<Measurement> bias_correction() {
  // Without correction m / sqrt(v) = (1 - beta1) / sqrt(1 - beta2) = 3.16.
  return {{"Adam: first step / lr", first_step("adam"), 0.999, 1.001},
          {"uncorrected (AMSGrad): first step / lr", first_step("amsgrad"), 3.15, 3.17},
          {"Adam after a warmup from 0.001 lr: first step / lr", first_step("adam+warmup:over=100"), 0.00099, 0.00101}};
}

Plot draw_first_steps() {
  Plot plot;
  plot.title = "The first steps on mlp:data=digits,hidden=32, batches of 32";
  plot.x_label = "step";
  plot.y_label = "largest entry of the step / lr";
  plot.log_x = true;
  plot.legend = "beta1 = 0.9, beta2 = 0.999";
  for (const auto& [name, method] : {std::pair{"Adam", "adam"}, std::pair{"uncorrected (AMSGrad)", "amsgrad"},
                                     std::pair{"Adam + warmup over 100 steps", "adam+warmup:over=100"}}) {
    Problem problem = problems().make(parse_spec("mlp:data=digits,hidden=32"), {Precision::float64});
    Objective& f = *problem.objective;
    auto* const sum = find<FiniteSum>(f);
    BatchSequence batches(sum->sample_count(), 32, 1);
    const auto optimizer = make_optimizer(method, {f, 1});
    Vector x = problem.start(1);
    std::vector<double> steps;
    std::vector<double> sizes;
    for (Index step = 0; step < 1000; ++step) {
      sum->select(batches.batch(step));
      const Vector before = x;
      optimizer->step(f, x);
      steps.push_back(static_cast<double>(step + 1));
      sizes.push_back((x - before).cwiseAbs().maxCoeff() / 1e-3);
    }
    plot.series.push_back(line(name, steps, sizes));
  }
  return plot;
}

constexpr const char* kDeep = "mlp:data=digits,hidden=64-64-64-64-64-64,activation=relu";
constexpr std::uint64_t kWarmupSeeds = 20;
constexpr std::int64_t kWarmupSteps = 450;  // ten epochs

/// The loss on all samples after each of the first 30 steps, and after every 30 steps from there on.
class Losses final : public Observer {
 public:
  explicit Losses(const Problem& problem) : problem_(problem) {}
  bool after_step(const Iterate& iterate) override {
    const std::int64_t step = iterate.progress.step;
    if (step > 30 && step % 30 != 0) return false;
    course.x.push_back(static_cast<double>(step));
    course.y.push_back(problem_.value(iterate.x));
    return false;
  }
  Curve course;

 private:
  const Problem& problem_;
};

/// In batches of 32; begins with the loss at the start.
Curve train_deep(const std::string& method, std::uint64_t seed, std::int64_t steps) {
  Problem problem = problems().make(parse_spec(kDeep), {Precision::float64});
  Vector x = problem.start(seed);
  const auto optimizer = make_optimizer(method, {*problem.objective, seed});
  Stopping stopping;
  stopping.max_steps = steps;
  Losses losses(problem);
  losses.course = {{0}, {problem.value(x)}};
  Observer* const observers[] = {&losses};
  minimize(*optimizer, *problem.objective, x, stopping, {32, seed}, observers);
  return losses.course;
}

/// Without a warmup and with one, at this rate, from the same starts and on the same batches.
std::pair<Series, Series> with_and_without(const std::string& rate, std::int64_t steps) {
  std::pair<Series, Series> both = {{"without warmup", {}}, {"warmup over 90 steps", {}}};
  for (std::uint64_t seed = 1; seed <= kWarmupSeeds; ++seed) {
    both.first.runs.push_back(train_deep("adam:lr=" + rate, seed, steps));
    both.second.runs.push_back(train_deep("adam:lr=" + rate + "+warmup:over=90", seed, steps));
  }
  return both;
}

Plot draw_warmup() {
  Plot plot;
  plot.title = fmt::format("Adam at lr = 0.05 on {}", kDeep);
  plot.x_label = "steps (0 left out)";
  plot.y_label = "loss on all samples";
  plot.log_x = plot.log_y = true;
  const auto [without, with] = with_and_without("0.05", kWarmupSteps);
  plot.series = {without, with};
  return plot;
}

/// A geometric mean, and three of its standard errors as a factor.
struct GeometricMean {
  double value;
  double error;
};
GeometricMean geometric_mean(const std::vector<double>& all) {
  const auto n = static_cast<double>(all.size());
  double mean = 0;
  for (const double each : all) mean += std::log(each) / n;
  double variance = 0;
  for (const double each : all) variance += std::pow(std::log(each) - mean, 2) / (n - 1);
  return {std::exp(mean), std::exp(3 * std::sqrt(variance / n))};
}

std::vector<Measurement> warmup() {
  std::vector<Measurement> all;
  std::vector<double> ends;
  for (const char* rate : {"0.02", "0.05"}) {
    const auto [without, with] = with_and_without(rate, 30);
    std::vector<double> peaks;
    for (std::size_t seed = 0; seed < kWarmupSeeds; ++seed) {
      peaks.push_back(*std::max_element(without.runs[seed].y.begin(), without.runs[seed].y.end()) /
                      *std::max_element(with.runs[seed].y.begin(), with.runs[seed].y.end()));
    }
    const GeometricMean early = geometric_mean(peaks);
    all.push_back({fmt::format("lr = {}: highest loss of the first 30 steps, without / with", rate), early.value,
                   early.error, kInfinity});
  }
  const auto [without, with] = with_and_without("0.02", kWarmupSteps);
  for (std::size_t seed = 0; seed < kWarmupSeeds; ++seed) {
    ends.push_back(without.runs[seed].y.back() / with.runs[seed].y.back());
  }
  const GeometricMean late = geometric_mean(ends);
  all.push_back(
      {fmt::format("lr = 0.02: loss after {} steps, without / with (three standard errors: a factor of {:.2f})",
                   kWarmupSteps, late.error),
       late.value});
  return all;
}

}  // namespace

std::vector<Claim> adaptive_claims() {
  return {
      {"adam-bias-correction",
       "Adam's first step has the size of lr; uncorrected it is (1 - beta1) / sqrt(1 - beta2) = 3.16 times as long",
       "Kingma and Ba (2015), section 3", bias_correction, draw_first_steps},
      {"adam-warmup",
       "Adam's first steps are as long as its rate allows whatever the gradient is worth, and raise the loss; a warmup "
       "prevents that, by more than three standard errors over 20 seeds. What is left of it at the end is shown, not "
       "claimed",
       "Ma and Yarats (2021); Liu et al. (2020)", warmup, draw_warmup},
      {"adamw",
       "Decoupled decay shrinks all weights alike; L2 in Adam's gradient shrinks those with large gradients less",
       "Loshchilov and Hutter (2019), proposition 2", decay_in_adam, draw_decay},
  };
}

}  // namespace hesse::theory
