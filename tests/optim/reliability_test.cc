#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/block_residual_objective.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"
#include "optim/methods.h"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

using namespace hesse;

namespace {

enum class Fault { value, gradient, product };

/// Spoils the k-th result of one kind, and those after it if it lasts.
class Faulty final : public Objective {
 public:
  Faulty(Objective& inner, Fault fault, std::int64_t call, double poison, bool lasting)
      : inner_(inner), fault_(fault), call_(call), poison_(poison), lasting_(lasting) {}

  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override {
    const double value = inner_.value(x);
    return spoils(Fault::value) ? poison_ : value;
  }
  double value_and_gradient(const Vector& x, Vector& g) override {
    const double value = inner_.value_and_gradient(x, g);
    if (spoils(Fault::gradient)) g[g.size() / 2] = poison_;
    return spoils(Fault::value) ? poison_ : value;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return std::make_shared<Product>(*this, inner_.curvature(x, kind));
  }

 private:
  class Product final : public LinearOperator {
   public:
    Product(Faulty& owner, std::shared_ptr<const LinearOperator> inner) : owner_(owner), inner_(std::move(inner)) {}
    Index size() const override { return inner_->size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      inner_->apply(X, Y);
      if (owner_.spoils(Fault::product)) Y(Y.rows() / 2, 0) = owner_.poison_;
    }

   private:
    Faulty& owner_;
    std::shared_ptr<const LinearOperator> inner_;
  };

  bool spoils(Fault fault) {
    if (fault != fault_) return false;
    ++calls_;
    return lasting_ ? calls_ >= call_ : calls_ == call_;
  }

  Objective& inner_;
  Fault fault_;
  std::int64_t call_;
  double poison_;
  bool lasting_;
  std::int64_t calls_ = 0;
};

/// Every optimizer with a rate at which it makes progress on the problems here.
std::string tuned(const std::string& name) {
  if (name == "gd" || name == "sgd") return name + ":lr=1e-3";
  if (name == "nesterov") return name + ":lr=2e-4";
  if (name.starts_with("momentum")) return "momentum:lr=2e-4" + name.substr(8);
  if (name == "adam" || name == "adamw") return name + ":lr=1e-2";
  return name;
}

std::unique_ptr<Optimizer> make(const std::string& name, Objective& f) { return make_optimizer(tuned(name), {f, 0}); }

std::unique_ptr<NetworkObjective> small_network(Index features = 4, Index hidden = 5, Index samples = 40) {
  auto data = std::make_shared<Dataset>();
  data->name = "test";
  data->inputs.resize(features, samples);
  const RandomStream stream(3, Purpose::test);
  stream.fill_normal(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()));
  data->class_count = 3;
  for (Index i = 0; i < samples; ++i) {
    data->labels.push_back(static_cast<std::int32_t>(stream.below(3, static_cast<std::uint64_t>(i))));
  }
  const Index sizes[] = {features, hidden, 3};
  auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh));
  return make_network_objective(network, Loss::softmax_cross_entropy, data);
}

bool same_bits(const Vector& a, const Vector& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(double)) == 0;
}

/// Keeps the progress that a checkpoint after each step would hold.
class Recorder final : public Observer {
 public:
  bool after_step(const Iterate& iterate) override {
    last = iterate.progress;
    return false;
  }
  Progress last;
};

/// Stops the run after a step, its budget unspent.
class StopAfter final : public Observer {
 public:
  explicit StopAfter(std::int64_t step) : step_(step) {}
  bool after_step(const Iterate& iterate) override { return iterate.progress.step == step_; }

 private:
  std::int64_t step_;
};

/// Copies state as a checkpoint does: by name, resizing.
void copy_state(Optimizer& from, Optimizer& to) {
  const StateView source = from.state();
  const StateView target = to.state();
  REQUIRE(source.size() == target.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    REQUIRE(source[i].name == target[i].name);
    std::visit([&](auto* data) { *std::get<decltype(data)>(target[i].data) = *data; }, source[i].data);
  }
}

}  // namespace

TEST_CASE("No optimizer claims success or returns a point that is not finite when f, g or Hv is spoiled at call k") {
  FunctorObjective<ChainedRosenbrock> clean({4}, 4);
  const Vector start = Eigen::Vector4d(-1.2, 1, -0.5, 0.8);
  const double infinity = std::numeric_limits<double>::infinity();
  Stopping stopping;
  stopping.gradient_tolerance = 1e-6;
  stopping.target_value = 1e-12;
  stopping.max_steps = 60;
  Index runs = 0;
  Index false_successes = 0;
  Index bad_points = 0;
  Index untold = 0;
  for (const std::string& name : every_method(false)) {
    for (const Fault fault : {Fault::value, Fault::gradient, Fault::product}) {
      for (const double poison : {std::nan(""), infinity, -infinity}) {
        for (const bool lasting : {false, true}) {
          for (std::int64_t call = 1; call <= 50; ++call) {
            Faulty f(clean, fault, call, poison, lasting);
            auto optimizer = make(name, f);
            Vector x = start;
            const Summary s = minimize(*optimizer, f, x, stopping);
            ++runs;
            Vector g;
            const double value = clean.value_and_gradient(x, g);
            if (!x.allFinite() || !std::isfinite(value)) ++bad_points;
            if (s.message.empty()) ++untold;
            if (!converged(s.termination)) continue;
            const bool holds = std::isfinite(s.value) && std::isfinite(s.gradient_norm) &&
                               (s.termination != Termination::gradient || g.norm() <= 1e-6) &&
                               (s.termination != Termination::target || value <= 1e-12);
            if (!holds) {
              ++false_successes;
              UNSCOPED_INFO(name << " fault " << static_cast<int>(fault) << " call " << call << ": " << s.message);
            }
          }
        }
      }
    }
  }
  CHECK(runs >= 1000);
  CHECK(false_successes == 0);
  CHECK(bad_points == 0);
  CHECK(untold == 0);
}

TEST_CASE("Every optimizer takes the same steps to the bit with 1, 2, 3 and 4 threads") {
  const std::string name = GENERATE(from_range(every_method(false)));
  const Index n = needs_entries(name) ? 201 : 50001;
  Quadratic f(logarithmic_spectrum(n, 100), Vector::Zero(n));
  Vector start(n);
  RandomStream(1, Purpose::test).fill_normal(start);
  const int machine = threads();
  Vector reference;
  for (const int count : {1, 2, 3, 4}) {
    set_threads(count);
    auto optimizer = make(name, f);
    Vector x = start;
    for (int i = 0; i < 6; ++i) optimizer->step(f, x);
    if (count == 1) reference = x;
    CAPTURE(name, count);
    CHECK(same_bits(x, reference));
  }
  set_threads(machine);
  CHECK(!same_bits(reference, start));
}

TEST_CASE("A run resumed from its state ends with the bits and the counts of one that was never interrupted") {
  const std::string name = GENERATE(from_range(every_method(true)));
  const Index batch = GENERATE(0, 7);
  const std::int64_t cut = GENERATE(1, 6, 8);
  auto f = small_network();
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const Batches batches{.size = batch, .seed = 5};
  Stopping all;
  all.max_steps = 14;
  Vector x = start;
  auto whole = make(name, *f);
  const Summary uninterrupted = minimize(*whole, *f, x, all, batches);

  auto first_objective = small_network();
  Vector y = start;
  auto first = make(name, *first_objective);
  StopAfter stop(cut);
  Observer* const observers[] = {&stop};
  const Summary interrupted = minimize(*first, *first_objective, y, all, batches, observers);
  auto second_objective = small_network();
  auto second = make(name, *second_objective);
  copy_state(*first, *second);
  const Summary resumed = minimize(*second, *second_objective, y, all, batches, {}, interrupted.progress);
  CAPTURE(name, batch, cut);
  CHECK(same_bits(x, y));
  CHECK(resumed.value == uninterrupted.value);
  CHECK(resumed.progress.step == uninterrupted.progress.step);
  CHECK(resumed.progress.epochs == uninterrupted.progress.epochs);
  CHECK(resumed.progress.best_value == uninterrupted.progress.best_value);
  CHECK(resumed.progress.cost.gradients == uninterrupted.progress.cost.gradients);
  CHECK(resumed.progress.cost.products == uninterrupted.progress.cost.products);
  CHECK(resumed.progress.cost.gradient_equivalents ==
        Approx(uninterrupted.progress.cost.gradient_equivalents).epsilon(1e-12));
}

namespace {

/// r = (exp(a / 2) b1 + c b3 - y, exp(a / 2) b2 - b3 b1 - z) in blocks of one (a, c) with one b.
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

std::unique_ptr<Objective> least_squares_problem(bool blocks) {
  if (!blocks) return std::move(problems().make(parse_spec("mgh:number=19"), {}).objective);
  std::vector<Index> variables = {0, 2, 4, 6};
  std::vector<BlockResidualObjective<Products>::Uses> uses;
  for (Index b = 0; b < 9; ++b) {
    variables.push_back(variables.back() + 3);
    uses.push_back({b % 3, 3 + b});
    uses.push_back({(b + 1) % 3, 3 + b});
  }
  return std::make_unique<BlockResidualObjective<Products>>(Products{}, variables, uses, 3);
}

}  // namespace

TEST_CASE("A least-squares run resumed from its state ends with the bits of one that was never interrupted") {
  const bool blocks = GENERATE(false, true);
  const std::string name =
      GENERATE("gauss-newton", "gauss-newton+levenberg-marquardt:solver=cg", "gauss-newton+trust-region",
               "gauss-newton+levenberg-marquardt:update=nielsen,geodesic=true", "gauss-newton+more-thuente");
  const std::int64_t cut = GENERATE(1, 4);
  const auto f = least_squares_problem(blocks);
  const Vector start = blocks ? Vector(Vector::LinSpaced(f->size(), 0.3, 0.9))
                              : problems().make(parse_spec("mgh:number=19"), {}).start(1);
  Stopping all;
  all.max_steps = 9;
  Vector x = start;
  const auto whole = make_optimizer(name, {*f, 1});
  const Summary uninterrupted = minimize(*whole, *f, x, all);

  const auto first_objective = least_squares_problem(blocks);
  Vector y = start;
  const auto first = make_optimizer(name, {*first_objective, 1});
  StopAfter stop(cut);
  Observer* const observers[] = {&stop};
  const Summary interrupted = minimize(*first, *first_objective, y, all, {}, observers);
  const auto second_objective = least_squares_problem(blocks);
  const auto second = make_optimizer(name, {*second_objective, 1});
  copy_state(*first, *second);
  const Summary resumed = minimize(*second, *second_objective, y, all, {}, {}, interrupted.progress);
  CAPTURE(name, blocks, cut);
  CHECK(same_bits(x, y));
  CHECK(resumed.value == uninterrupted.value);
  CHECK(resumed.progress.cost.gradients == uninterrupted.progress.cost.gradients);
  CHECK(resumed.progress.cost.values == uninterrupted.progress.cost.values);
}

TEST_CASE("A run on batches whose claims were refused stops where it would have stopped without an interruption") {
  // The target lies between the losses of single batches and that of all samples, so that claims are
  // made and refused for a while.
  const Batches batches{.size = 5, .seed = 5};
  Stopping stopping;
  stopping.max_steps = 400;
  stopping.target_value = 1.02;
  auto f = small_network();
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  Vector x = start;
  auto whole = make("adam", *f);
  const Summary uninterrupted = minimize(*whole, *f, x, stopping, batches);
  CAPTURE(uninterrupted.message, uninterrupted.value);
  REQUIRE(uninterrupted.termination == Termination::target);
  REQUIRE(uninterrupted.progress.step > 8);
  for (std::int64_t cut = 1; cut < uninterrupted.progress.step; ++cut) {
    auto objective = small_network();
    Vector y = start;
    auto first = make("adam", *objective);
    Stopping part = stopping;
    part.max_steps = cut;
    Recorder recorder;
    Observer* const observers[] = {&recorder};
    minimize(*first, *objective, y, part, batches, observers);
    auto second = make("adam", *objective);
    copy_state(*first, *second);
    const Summary resumed = minimize(*second, *objective, y, stopping, batches, {}, recorder.last);
    CAPTURE(cut, resumed.message, uninterrupted.message);
    CHECK(resumed.progress.step == uninterrupted.progress.step);
    CHECK(same_bits(x, y));
  }
}

TEST_CASE("Every optimizer lowers the loss of a network on all samples and on mini-batches") {
  const std::string name = GENERATE(from_range(every_method(true)));
  const Index batch = GENERATE(0, 8);
  auto f = small_network();
  Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const double start = f->value(x);
  auto optimizer = make_optimizer(name, {*f, 0});
  // The least of eight samples' loss is no one's least: methods that go there in a step want all samples.
  const bool goes_all_the_way = optimizer->prefers_full_batch() && name != "lbfgs" && name != "newton-cg";
  if (batch != 0 && goes_all_the_way) return;
  // Its pairs would be of an overlap of two samples.
  if (batch != 0 && name == "multi-batch-lbfgs") return;
  Stopping stopping;
  stopping.max_epochs = 30;
  const Summary s = minimize(*optimizer, *f, x, stopping, {.size = batch, .seed = 2});
  CAPTURE(name, batch, s.message);
  CHECK(s.termination == Termination::budget);
  CHECK(s.value < start);
}
