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
  plot.key = "gradients that cancel";
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
  plot.key = "beta1 = 0.9, beta2 = 0.999";
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

/// The loss on all samples after each epoch.
class Losses final : public Observer {
 public:
  explicit Losses(const Problem& problem) : problem_(problem) {}
  bool after_step(const Iterate& iterate) override {
    if (iterate.progress.epochs >= static_cast<double>(course.x.size() + 1) * 0.25) {
      course.x.push_back(iterate.progress.epochs);
      course.y.push_back(problem_.value(iterate.x));
    }
    return false;
  }
  Curve course;

 private:
  const Problem& problem_;
};

Plot draw_warmup() {
  Plot plot;
  plot.title = "Adam at lr = 0.02 on mlp:data=digits,hidden=64-64-64";
  plot.x_label = "epochs";
  plot.y_label = "loss on all samples";
  plot.log_y = true;
  for (const auto& [name, method] : {std::pair{"without warmup", "adam:lr=0.02"},
                                     std::pair{"warmup over a fifth of the run", "adam:lr=0.02+warmup:over=0.2"}}) {
    Series series{name, {}};
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Problem problem = problems().make(parse_spec("mlp:data=digits,hidden=64-64-64"), {Precision::float64});
      Vector x = problem.start(seed);
      const auto optimizer = make_optimizer(method, {*problem.objective, seed});
      Stopping stopping;
      stopping.max_epochs = 5;
      Losses losses(problem);
      Observer* const observers[] = {&losses};
      minimize(*optimizer, *problem.objective, x, stopping, {32, seed}, observers);
      series.runs.push_back(losses.course);
    }
    plot.series.push_back(series);
  }
  return plot;
}

std::vector<Measurement> warmup() {
  // At a rate near the greatest that trains, the loss after a short run with and without a warmup, over five seeds.
  const auto loss = [](const std::string& method) {
    double total = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Problem problem = problems().make(parse_spec("mlp:data=digits,hidden=64-64-64"), {Precision::float64});
      Vector x = problem.start(seed);
      const auto optimizer = make_optimizer(method, {*problem.objective, seed});
      Stopping stopping;
      stopping.max_epochs = 5;
      total += minimize(*optimizer, *problem.objective, x, stopping, {32, seed}).value / 5;
    }
    return total;
  };
  return {{"mean loss without / with, lr = 0.02", loss("adam:lr=0.02") / loss("adam:lr=0.02+warmup:over=0.2"), 1,
           kInfinity}};
}

}  // namespace

std::vector<Claim> adaptive_claims() {
  return {
      {"adam-bias-correction",
       "Adam's first step has the size of lr; uncorrected it is (1 - beta1) / sqrt(1 - beta2) = 3.16 times as long",
       "Kingma and Ba (2015), section 3", bias_correction, draw_first_steps},
      {"adam-warmup", "Warmup helps Adam at high rates", "Ma and Yarats (2021); Liu et al. (2020)", warmup,
       draw_warmup},
      {"adamw",
       "Decoupled decay shrinks all weights alike; L2 in Adam's gradient shrinks those with large gradients less",
       "Loshchilov and Hutter (2019), proposition 2", decay_in_adam, draw_decay},
  };
}

}  // namespace hesse::theory
