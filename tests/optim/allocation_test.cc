#include "core/allocations.h"

#include "hesse/core/parallel.h"
#include "hesse/objective/block_residual_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "nn/network_cases.h"
#include "optim/methods.h"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#ifdef HESSE_COUNTS_ALLOCATIONS

using namespace hesse;

TEST_CASE("No optimizer allocates after its first steps") {
  const std::string name = GENERATE(from_range(every_method(false)));
  if (has_growing_subspace(name)) return;
  const Index n = needs_entries(name) ? 80 : 3000;
  Quadratic f(logarithmic_spectrum(n, 1e4), Vector::Ones(n));
  auto optimizer = make_optimizer(name, {f, 0});
  Vector x = Vector::Zero(n);
  // Three, since L-BFGS and truncated Newton reach all their branches only then.
  for (int i = 0; i < 3; ++i) optimizer->step(f, x);
  const long before = allocations;
  for (int i = 0; i < 15; ++i) optimizer->step(f, x);
  const long after = allocations;
  CAPTURE(name);
  CHECK(after - before == 0);
}

namespace {

/// 40 residuals of 12 variables, smooth and far from linear.
struct Waves {
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    using std::sin;
    for (int i = 0; i < 40; ++i) r[i] = exp(0.3 * x[i % 12]) * sin(x[(i + 5) % 12]) + 0.1 * x[(i + 1) % 12] - 1.0;
  }
};

/// r_k = exp(a / 2) b - y_k in blocks of one a with one b of 3.
struct Products {
  static constexpr int kResiduals = 2;
  static constexpr std::array<int, 2> kVariables = {2, 3};
  template <class T>
  void operator()(Index k, const T* const* x, T* r) const {
    using std::exp;
    const T scale = exp(0.5 * x[0][0]);
    r[0] = scale * x[1][0] + x[0][1] * x[1][2] - 1.0 - 0.1 * static_cast<double>(k % 7);
    r[1] = scale * x[1][1] - x[1][2] * x[1][0] + 0.3 * static_cast<double>(k % 5);
  }
};

}  // namespace

TEST_CASE("No method for least squares allocates after its first steps") {
  const std::string name = GENERATE("gauss-newton", "gauss-newton+levenberg-marquardt:update=nielsen,geodesic=true",
                                    "gauss-newton+levenberg-marquardt:solver=cg",
                                    "gauss-newton+levenberg-marquardt:scaled=false,factor=0.01");
  CAPTURE(name);
  ResidualObjective<Waves> dense({}, 12, 40);
  std::vector<Index> variables = {0, 2, 4, 6};
  std::vector<BlockResidualObjective<Products>::Uses> uses;
  for (Index b = 0; b < 30; ++b) {
    variables.push_back(variables.back() + 3);
    uses.push_back({b % 3, 3 + b});
    uses.push_back({(b + 1) % 3, 3 + b});
  }
  BlockResidualObjective<Products> blocks({}, variables, uses, 3);
  for (Objective* const f : {static_cast<Objective*>(&dense), static_cast<Objective*>(&blocks)}) {
    if (f == &blocks && name.find("factor") != std::string::npos) continue;
    auto optimizer = make_optimizer(name, {*f, 0});
    Vector x = Vector::LinSpaced(f->size(), 0.3, 0.9);
    for (int i = 0; i < 3; ++i) optimizer->step(*f, x);
    const long before = allocations;
    for (int i = 0; i < 6; ++i) optimizer->step(*f, x);
    CHECK(allocations - before == 0);
  }
}

namespace {

/// A quadratic whose parameters are matrices and a kernel.
class Blocks final : public Objective {
 public:
  explicit Blocks(Precision precision) : precision_(precision) {
    layout_.add("a.weight", {70, 40});
    layout_.add("a.bias", {70});
    layout_.add("b.kernel", {6, 4, 3, 3});
    layout_.add("c.weight", {150, 130});
  }
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * x.squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = x;
    return value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { return nullptr; }
  Precision precision() const override { return precision_; }

 private:
  ParameterLayout layout_;
  Precision precision_;
};

}  // namespace

TEST_CASE("No matrix method allocates after its first steps, renewals included") {
  const std::string name = GENERATE("shampoo:period=2,block=64", "shampoo:period=2,staleness=0.01,merge=1",
                                    "shampoo:period=3,root=newton,block=32,graft=none,momentum=0.9", "soap:period=2",
                                    "soap:period=1,staleness=0.01,merge=20", "muon", "psgd", "adafactor");
  Blocks f(GENERATE(Precision::float64, Precision::float32));
  auto optimizer = make_optimizer(name, {f, 0});
  Vector x = Vector::LinSpaced(f.layout().size(), -1, 2).array().sin();
  // Each thread brings the workspace of its products along when it first takes part, which may be late.
  const int machine = threads();
  set_threads(1);
  for (int i = 0; i < 6; ++i) optimizer->step(f, x);
  const long before = allocations;
  for (int i = 0; i < 12; ++i) optimizer->step(f, x);
  const long after = allocations;
  set_threads(machine);
  CAPTURE(name);
  CHECK(after - before == 0);
}

TEST_CASE("No method for networks allocates after its first steps, renewals included") {
  const std::string name =
      GENERATE("kfac:stats_period=2,inverse_period=3,gamma_period=4", "kfac:form=tridiagonal,gamma_period=4",
               "kfac-fixed:inverse_period=3", "kfac-fixed:form=eigenvalues,inverse_period=3",
               "kfac-fixed:targets=empirical", "ekfac:inverse_period=3", "natural-gradient",
               "natural-gradient:form=diagonal", "sophia-g:period=2", "sophia-h:period=2", "adahessian",
               "hessian-free:max_iterations=8", "hessian-free:max_iterations=8,curvature_share=0.5");
  const Case c{{6, 9, 4}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(6, 4, 300, c.loss));
  // Each thread brings the room for its products along when it first takes part, which may be late.
  const int machine = threads();
  set_threads(1);
  auto optimizer = make_optimizer(name, {*f, 0});
  Vector x = 0.3 * test_point(f->size());
  for (int i = 0; i < 13; ++i) optimizer->step(*f, x);
  const long before = allocations;
  for (int i = 0; i < 12; ++i) optimizer->step(*f, x);
  const long after = allocations;
  set_threads(machine);
  CAPTURE(name);
  CHECK(after - before == 0);
}

TEST_CASE("The loop allocates the same for 20 steps as for 60") {
  const std::string name = GENERATE(from_range(every_method(false)));
  if (has_growing_subspace(name)) return;
  const auto count = [&](std::int64_t steps) {
    const Index n = needs_entries(name) ? 60 : 2000;
    Quadratic f(logarithmic_spectrum(n, 1e8), Vector::Ones(n));
    auto optimizer = make_optimizer(
        name == "newton-cg" ? "newton-cg+trust-region:trust_radius=1e-3,max_trust_radius=1e-3" : name, {f, 0});
    Vector x = Vector::Zero(n);
    Stopping stopping;
    stopping.max_steps = steps;
    const long before = allocations;
    const Summary s = minimize(*optimizer, f, x, stopping);
    const long after = allocations;
    // Newton's method arrives at once; the others do not here.
    if (!needs_entries(name)) CHECK(s.progress.step == steps);
    return s.progress.step == steps ? after - before : -1;
  };
  count(20);
  CAPTURE(name);
  const long longer = count(60);
  if (longer >= 0) CHECK(count(20) == longer);
}

#endif
