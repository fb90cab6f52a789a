#include "hesse/core/error.h"
#include "hesse/data/synthetic.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/first_order/adam.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"
#include "hesse/optim/second_order/gauss_newton.h"
#include "hesse/optim/second_order/globalized.h"
#include "hesse/optim/second_order/newton.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace hesse;

namespace {

/// Where a method is after a few steps.
Vector after_steps(Optimizer& method, Objective& f, Vector x) {
  minimize(method, f, x, {.max_steps = 12}, {.size = 8, .seed = 3});
  return x;
}

struct ValleyResiduals {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = 10.0 * (x[1] - x[0] * x[0]);
    r[1] = 1.0 - x[0];
  }
};

}  // namespace

TEST_CASE("a globalization that is made directly is the one of its name step for step") {
  const Vector start = Eigen::Vector2d(-1.2, 1);
  FunctorObjective<Rosenbrock> f({}, 2);
  // Each with an option that is not its default, so that options are seen to arrive.
  const auto made = [] {
    std::vector<std::pair<std::string, std::unique_ptr<Globalization>>> all;
    all.emplace_back("undamped:step=0.5", make_undamped({.step = 0.5}));
    all.emplace_back("backtracking:ftol=0.3,memory=3", make_backtracking({.ftol = 0.3, .memory = 3}));
    all.emplace_back("more-thuente:gtol=0.1", make_more_thuente({.gtol = 0.1}));
    all.emplace_back("hager-zhang:sigma=0.2", make_hager_zhang({.sigma = 0.2}));
    all.emplace_back("trust-region:subproblem=dogleg,trust_radius=0.3",
                     make_trust_region({.subproblem = Subproblem::dogleg, .trust_radius = 0.3}));
    all.emplace_back("cubic:sigma=5", make_cubic({.sigma = 5}));
    return all;
  };
  std::vector<Vector> ends;
  for (auto& [name, globalization] : made()) {
    INFO(name);
    Globalized direct(std::make_unique<Newton>(NewtonOptions{}), std::move(globalization));
    const auto named = make_optimizer("newton+" + name, {f, 1});
    ends.push_back(after_steps(direct, f, start));
    CHECK(ends.back() == after_steps(*named, f, start));
  }
  // They differ from each other, or this would hold of anything.
  for (std::size_t i = 1; i < ends.size(); ++i) CHECK(ends[i] != ends[0]);

  ResidualObjective<ValleyResiduals> r({}, 2, 2);
  Globalized direct(std::make_unique<GaussNewton>(r),
                    make_levenberg_marquardt({.update = DampingUpdate::nielsen, .tau = 10}));
  const auto named = make_optimizer("gauss-newton+levenberg-marquardt:update=nielsen,tau=10", {r, 1});
  CHECK(after_steps(direct, r, start) == after_steps(*named, r, start));
}

TEST_CASE("a modifier that is made directly is the one of its name step for step") {
  const Index sizes[] = {2, 4, 2};
  const auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh));
  const DataSplit data = two_moons({.samples = 40, .test = 0, .seed = 1});
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data.train);
  const Vector start = network->initial_parameters(Initialisation::glorot_uniform, 1);
  const auto inner = [] { return std::make_unique<Adam>(AdamOptions{.lr = 0.05}); };
  std::vector<std::pair<std::string, std::unique_ptr<Optimizer>>> all;
  all.emplace_back("clip-norm:max=0.1", make_clip_norm({.max = 0.1}, inner()));
  all.emplace_back("clip-value:max=0.01", make_clip_value({.max = 0.01}, inner()));
  all.emplace_back("l2:lambda=0.1", make_gradient_l2({.lambda = 0.1}, inner()));
  all.emplace_back("noise:eta=0.5", make_gradient_noise({.eta = 0.5}, 7, inner()));
  all.emplace_back("accumulate:parts=3", make_accumulate({.parts = 3}, *f, inner()));
  all.emplace_back("sam:rho=0.3", make_sam({.rho = 0.3}, inner()));
  all.emplace_back("asam:rho=0.3", make_asam({.rho = 0.3}, inner()));
  all.emplace_back("weight-decay:lambda=0.2", make_weight_decay({.lambda = 0.2}, inner()));
  all.emplace_back("ema:decay=0.5", make_ema({.decay = 0.5}, inner()));
  all.emplace_back("polyak:eta=2", make_polyak({.eta = 2}, inner()));
  CHECK(all.size() + schedules().entries().size() == modifiers().entries().size());
  for (auto& [name, direct] : all) {
    INFO(name);
    const auto named = make_optimizer("adam:lr=0.05+" + name, {*f, 7});
    CHECK(after_steps(*direct, *f, start) == after_steps(*named, *f, start));
  }
  CHECK_THROWS_AS(make_sam({}, make_optimizer("lbfgs", {*f, 1})), Error);
}
