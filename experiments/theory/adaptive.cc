// What bias correction and the place of weight decay do in Adam.

#include "claims.h"

#include "hesse/core/error.h"
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
       "Kingma and Ba (2015), section 3", bias_correction},
      {"adam-warmup", "Warmup helps Adam at high rates", "Ma and Yarats (2021); Liu et al. (2020)", warmup},
      {"adamw",
       "Decoupled decay shrinks all weights alike; L2 in Adam's gradient shrinks those with large gradients less",
       "Loshchilov and Hutter (2019), proposition 2", decay_in_adam},
  };
}

}  // namespace hesse::theory
