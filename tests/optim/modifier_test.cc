#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"

#include "optim/methods.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

/// x after some steps, each iterate shown to `watch`.
template <class Watch>
Vector walk(const std::string& method, Objective& f, Vector x, int steps, const Watch& watch) {
  auto optimizer = make_optimizer(method, {f, 3});
  for (int i = 0; i < steps; ++i) {
    optimizer->set_budget_share(static_cast<double>(i) / steps);
    const StepReport report = optimizer->step(f, x);
    REQUIRE(report.status == StepStatus::ok);
    watch(x, report);
  }
  return x;
}
Vector walk(const std::string& method, Objective& f, const Vector& x, int steps) {
  return walk(method, f, x, steps, [](const Vector&, const StepReport&) {});
}

Quadratic bowl(Index n = 12) { return {logarithmic_spectrum(n, 20), Vector::LinSpaced(n, -1, 1)}; }

/// (x - i)^2 / 2 in each entry.
struct Distance {
  template <class T>
  T operator()(const T* x, Index i) const {
    const T a = x[0] - static_cast<double>(i);
    const T b = x[1] + 2.0 * static_cast<double>(i);
    return 0.5 * (a * a + b * b);
  }
};

std::string error_of(const std::string& method, Objective& f) {
  try {
    make_optimizer(method, {f, 0});
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("A chain is read link by link, and what does not fit is named") {
  const OptimizerSpec spec = parse_optimizer("adam:lr=1e+3,beta1=0.5+warmup:over=10+cosine");
  CHECK(spec.method.text() == "adam:lr=1e+3,beta1=0.5");
  REQUIRE(spec.modifiers.size() == 2);
  CHECK(spec.modifiers[0].text() == "warmup:over=10");
  CHECK(spec.text() == "adam:lr=1e+3,beta1=0.5+warmup:over=10+cosine");
  CHECK_THROWS_AS(parse_optimizer("adam+"), Error);
  CHECK_THROWS_AS(parse_optimizer("+cosine"), Error);
  Quadratic f = bowl();
  CHECK_THAT(error_of("adam+cosin", f), Catch::Contains("cosine"));
  CHECK_THAT(error_of("adam+cosine+cosine", f), Catch::Contains("twice"));
  CHECK_THAT(error_of("lbfgs+cosine", f), Catch::Contains("no learning rate"));
  CHECK_THAT(error_of("newton-cg+clip-norm", f), Catch::Contains("no learning rate"));
  CHECK_THAT(error_of("adam+accumulate", f), Catch::Contains("no mean over samples"));
  CHECK_THAT(error_of("adam+clip-norm:mx=1", f), Catch::Contains("max"));
  CHECK_NOTHROW(make_optimizer("lbfgs+ema", {f, 0}));
  CHECK_THAT(error_of("adagrad+nag-momentum", f), Catch::Contains("no momentum"));
}

TEST_CASE("Clipping shortens a long gradient to its bound and leaves a short one, and reports the true norm") {
  Quadratic f = bowl();
  const Vector x0 = Vector::Constant(f.size(), 5);
  Vector g;
  f.value_and_gradient(x0, g);
  walk("sgd:lr=0.5+clip-norm:max=0.25", f, x0, 1, [&](const Vector& x, const StepReport& report) {
    CHECK((x - x0).norm() == Approx(0.125).epsilon(1e-13));
    CHECK((x - x0).dot(g) == Approx(-0.125 * g.norm()).epsilon(1e-13));
    CHECK(report.gradient_norm == Approx(g.norm()).epsilon(1e-14));
    CHECK(report.telemetry[0].value == Approx(0.25 / g.norm()).epsilon(1e-13));
  });
  CHECK(walk("sgd:lr=0.5+clip-norm:max=1e6", f, x0, 4) == walk("sgd:lr=0.5", f, x0, 4));
  const Vector clipped = walk("sgd:lr=0.5+clip-value:max=0.3", f, x0, 1);
  CHECK(((clipped - x0) + 0.5 * g.cwiseMin(0.3).cwiseMax(-0.3)).cwiseAbs().maxCoeff() <= 4 * kEps);
}

TEST_CASE("Sharpness-aware gradients are those at the worst point nearby, and cost two") {
  Quadratic f = bowl();
  const Vector x0 = Vector::LinSpaced(f.size(), 2, -3);
  Vector g;
  Vector worst;
  f.value_and_gradient(x0, g);
  f.value_and_gradient(x0 + 0.2 / g.norm() * g, worst);
  CHECK((walk("sgd:lr=0.5+sam:rho=0.2", f, x0, 1) - (x0 - 0.5 * worst)).norm() <= 1e-11);
  const Vector T = x0.cwiseAbs().array() + 0.05;
  const Vector Tg = T.cwiseProduct(g);
  f.value_and_gradient(x0 + 0.2 / Tg.norm() * T.cwiseProduct(Tg), worst);
  CHECK((walk("sgd:lr=0.5+asam:rho=0.2,eta=0.05", f, x0, 1) - (x0 - 0.5 * worst)).norm() <= 1e-11);
  CountingObjective counted(f);
  walk("adam+sam", counted, x0, 5);
  CHECK(counted.cost().gradients == 10);
  // Adaptive sharpness does not see a rescaling of the parameters (Kwon et al. 2021, section 3): with eta = 0 the
  // perturbed points of f(x) and of f(D y) at x = D y are the same ones.
  const Vector d = Vector::LinSpaced(f.size(), 0.2, 4);
  Quadratic h(logarithmic_spectrum(f.size(), 20).cwiseProduct(d.cwiseAbs2()),
              Vector::LinSpaced(f.size(), -1, 1).cwiseQuotient(d));
  const Vector y0 = x0.cwiseQuotient(d);
  const Vector dx = walk("sgd:lr=1+asam:eta=0", f, x0, 1) - x0;
  const Vector dy = walk("sgd:lr=1+asam:eta=0", h, y0, 1) - y0;
  CHECK((dx.cwiseProduct(d) - dy).norm() <= 1e-10 * dy.norm());
}

TEST_CASE("Gradients accumulated over parts are those of the batch up to the order of summation, at the same price") {
  FunctorSum<Distance> sum({}, 2, 50);
  const Vector x0 = Eigen::Vector2d(3, -4);
  std::vector<Index> batch(23);
  std::iota(batch.begin(), batch.end(), Index{11});
  for (const bool all : {true, false}) {
    if (all) {
      sum.select_all();
    } else {
      sum.select(batch);
    }
    const Vector whole = walk("sgd:lr=1", sum, x0, 1);
    const std::uint64_t samples = static_cast<std::uint64_t>(sum.samples());
    for (const char* parts : {"1", "2", "4", "7", "1000"}) {
      CountingObjective counted(sum);
      const Vector x = walk(std::string("sgd:lr=1+accumulate:parts=") + parts, counted, x0, 1);
      CAPTURE(all, parts);
      // The mean of up to 50 numbers of up to 100, in another order.
      CHECK((x - whole).cwiseAbs().maxCoeff() <= 50 * 100 * kEps);
      CHECK(counted.cost().gradient_samples == static_cast<double>(samples));
      CHECK(sum.samples() == static_cast<Index>(samples));
      CHECK(sum.selection().front() == (all ? 0 : 11));
    }
  }
}

TEST_CASE("What changes gradients changes that of the whole batch, wherever the accumulation is written") {
  FunctorSum<Distance> sum({}, 2, 50);
  const Vector x0 = Eigen::Vector2d(3, -4);
  sum.select_all();
  for (const char* change : {"clip-norm:max=0.5", "clip-value:max=0.3", "sam:rho=2", "noise:eta=1", "l2:lambda=0.1"}) {
    const std::string sgd = "sgd:lr=1";
    const Vector whole = walk(sgd + "+" + change, sum, x0, 3);
    CAPTURE(change);
    // Gradients of up to 100 are summed in another order, three times.
    CHECK((walk(sgd + "+" + change + "+accumulate:parts=7", sum, x0, 3) - whole).norm() <= 3 * 50 * 100 * kEps);
    CHECK((walk(sgd + "+accumulate:parts=7+" + change, sum, x0, 3) - whole).norm() <= 3 * 50 * 100 * kEps);
  }
}

TEST_CASE("Adam on a network in batches takes the same steps when each batch is evaluated in parts") {
  const auto data = std::make_shared<Dataset>();
  data->name = "test";
  data->inputs.resize(5, 60);
  const RandomStream stream(3, Purpose::test);
  stream.fill_normal(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()));
  data->class_count = 3;
  for (std::uint64_t i = 0; i < 60; ++i) data->labels.push_back(static_cast<std::int32_t>(stream.below(3, i)));
  const auto network =
      std::make_shared<const Network>(multilayer_perceptron(std::vector<Index>{5, 8, 3}, Activation::tanh));
  const auto trained = [&](const std::string& method) {
    const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data);
    auto optimizer = make_optimizer(method, {*f, 0});
    Stopping stopping;
    stopping.max_steps = 40;
    Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
    const Summary summary = minimize(*optimizer, *f, x, stopping, {20, 4});
    CHECK(summary.progress.epochs == Approx(40.0 / 3).epsilon(1e-12));
    return x;
  };
  const Vector whole = trained("adam:lr=0.01");
  for (const char* parts : {"2", "3", "20", "99"}) {
    // Steps of 0.01 depend on gradients to a relative rounding of some 20 eps over the root of v, which stays above
    // 1e-3 of the largest: 40 steps, each worth 0.01 20 eps 1e3, grow by less than tenfold on the way.
    CHECK((trained(std::string("adam:lr=0.01+accumulate:parts=") + parts) - whole).cwiseAbs().maxCoeff() <=
          10 * 40 * 0.01 * 20 * 1e3 * kEps);
  }
}

TEST_CASE("Gradient noise has the variance that its schedule says, and is that of the seed") {
  const Index n = 40000;
  Quadratic flat(Vector::Zero(n), Vector::Zero(n));
  Vector before = Vector::Zero(n);
  int t = 0;
  walk("sgd:lr=1+noise:eta=0.5,gamma=0.55", flat, before, 4, [&](const Vector& x, const StepReport&) {
    const double variance = (x - before).squaredNorm() / static_cast<double>(n);
    // Five standard errors of a variance over n normal draws.
    CHECK(std::abs(variance / (0.5 * std::pow(1 + t, -0.55)) - 1) <= 5 * std::sqrt(2.0 / static_cast<double>(n)));
    before = x;
    ++t;
  });
  const Vector x0 = Vector::Zero(n);
  CHECK(walk("sgd+noise", flat, x0, 3) == walk("sgd+noise", flat, x0, 3));
}

TEST_CASE("Averages are the weighted means of the iterates, which go their own way") {
  Quadratic f = bowl();
  const Vector x0 = Vector::Constant(f.size(), 4);
  std::vector<Vector> iterates;
  walk("adam:lr=0.1", f, x0, 30, [&](const Vector& x, const StepReport&) { iterates.push_back(x); });
  int t = 0;
  walk("adam:lr=0.1+ema:decay=0.9", f, x0, 30, [&](const Vector& x, const StepReport&) {
    ++t;
    Vector mean = Vector::Zero(f.size());
    double weights = 0;
    for (int i = 1; i <= t; ++i) {
      mean += std::pow(0.9, t - i) * iterates[static_cast<std::size_t>(i - 1)];
      weights += std::pow(0.9, t - i);
    }
    CHECK((x - mean / weights).norm() <= 1e-13 * mean.norm() / weights);
  });
  Vector mean = Vector::Zero(f.size());
  for (const Vector& each : iterates) mean += each / 30;
  CHECK((walk("adam:lr=0.1+polyak", f, x0, 30) - mean).norm() <= 1e-13 * mean.norm());
  // Steps 15 to 29 have spent half of the budget before them.
  mean.setZero();
  for (std::size_t i = 15; i < 30; ++i) mean += iterates[i] / 15;
  CHECK((walk("adam:lr=0.1+polyak:from=0.5", f, x0, 30) - mean).norm() <= 1e-13 * mean.norm());
  // Weights of polynomial decay with eta = 1: sum of i x_i / sum of i.
  mean.setZero();
  for (std::size_t i = 0; i < 30; ++i) mean += static_cast<double>(i + 1) * iterates[i] / (30 * 31 / 2.0);
  CHECK((walk("adam:lr=0.1+polyak:eta=1", f, x0, 30) - mean).norm() <= 1e-13 * mean.norm());
}

TEST_CASE("The mean of noisy iterates comes nearer to the minimiser than the last of them") {
  const Index n = 200;
  Quadratic f(Vector::Ones(n), Vector::Zero(n));
  const Vector x0 = Vector::Zero(n);
  const std::string noisy = "sgd:lr=0.5+noise:eta=1,gamma=0";
  // Stationary variance of an entry: lr / (2 - lr) = 1/3; of the mean of T iterates: about 1 / T.
  const double last = walk(noisy, f, x0, 400).squaredNorm() / static_cast<double>(n);
  const double mean = walk(noisy + "+polyak", f, x0, 400).squaredNorm() / static_cast<double>(n);
  const double spread = 5 * std::sqrt(2.0 / static_cast<double>(n));
  CHECK(std::abs(last * 3 - 1) <= spread);
  CHECK(std::abs(mean * 400 - 1) <= spread + 0.05);
}

TEST_CASE("Schedules multiply the rate, give it back, and reach every part of the chain whatever the order") {
  Quadratic f = bowl();
  const Vector x0 = Vector::Constant(f.size(), 4);
  std::vector<double> rates;
  walk("sgd:lr=0.8+constant:factor=0.5+step:every=2,gamma=0.1", f, x0, 5,
       [&](const Vector&, const StepReport& report) { rates.push_back(report.step_size); });
  const std::vector<double> expected = {0.4, 0.4, 0.04, 0.04, 0.004};
  for (std::size_t i = 0; i < 5; ++i) CHECK(rates[i] == Approx(expected[i]).epsilon(1e-14));
  auto optimizer = make_optimizer("sgd:lr=0.8+constant:factor=0.5", {f, 0});
  Vector x = x0;
  optimizer->step(f, x);
  CHECK(*optimizer->learning_rate() == 0.8);
  CHECK(walk("momentum+cosine+weight-decay+ema", f, x0, 20) == walk("momentum+ema+weight-decay+cosine", f, x0, 20));
  // Decay that goes by the schedule alone does not see the rate.
  const Vector lr = walk("sgd:lr=0.1+constant:factor=0.5+weight-decay:lambda=0.3", f, x0, 1);
  const Vector own = walk("sgd:lr=0.1+constant:factor=0.5+weight-decay:lambda=0.3,rate=schedule", f, x0, 1);
  const Vector none = walk("sgd:lr=0.1+constant:factor=0.5", f, x0, 1);
  CHECK((none - lr - 0.3 * 0.05 * x0).norm() <= 1e-14);
  CHECK((none - own - 0.3 * 0.5 * x0).norm() <= 1e-14);
  // A momentum schedule in force is the momentum.
  CHECK(walk("momentum+nag-momentum:max=0.5", f, x0, 7) == walk("momentum:momentum=0.5", f, x0, 7));
}

TEST_CASE("Every schedule runs around every optimizer that has what it sets") {
  Quadratic f = bowl();
  const Vector x0 = Vector::Constant(f.size(), 4);
  for (const auto& method : optimizers().entries()) {
    if (method.name == "gauss-newton" || needs_network(method.name) || needs_samples(method.name))
      continue;  // need residuals, or a network
    const auto bare = make_optimizer(method.name, {f, 0});
    for (const auto& schedule : schedules().entries()) {
      CAPTURE(method.name, schedule.name);
      const std::string chain = method.name + "+" + schedule.name;
      if (bare->learning_rate() == nullptr) {
        CHECK_THAT(error_of(chain, f), Catch::Contains("no learning rate"));
      } else if (schedule.name == "nag-momentum" && bare->momentum() == nullptr) {
        CHECK_THAT(error_of(chain, f), Catch::Contains("no momentum"));
      } else {
        const double rate = *bare->learning_rate();
        walk(chain, f, x0, 5, [&](const Vector& x, const StepReport& report) {
          CHECK(x.allFinite());
          // Schedule-free and Adafactor lower the rate further by themselves.
          CHECK(report.step_size <= rate * (1 + 1e-12));
        });
      }
    }
  }
}

TEST_CASE("Gradients pass the modifiers from left to right") {
  Quadratic f = bowl();
  const Vector x0 = Vector::Constant(f.size(), 4);
  Vector g;
  f.value_and_gradient(x0, g);
  const Vector clipped_last = walk("sgd:lr=1+l2:lambda=2+clip-norm:max=1", f, x0, 1) - x0;
  CHECK(clipped_last.norm() == Approx(1).epsilon(1e-13));
  const Vector clipped_first = walk("sgd:lr=1+clip-norm:max=1+l2:lambda=2", f, x0, 1) - x0;
  CHECK((clipped_first + g / g.norm() + 2 * x0).norm() <= 1e-13);
}

TEST_CASE("A schedule that goes by the budget ends with it, whatever the budget is counted in") {
  Quadratic f = bowl();
  for (const bool steps : {true, false}) {
    auto optimizer = make_optimizer("sgd:lr=0.1+polynomial", {f, 0});
    Stopping stopping;
    (steps ? static_cast<void>(stopping.max_steps = 50) : static_cast<void>(stopping.max_gradient_equivalents = 50));
    class Rates final : public Observer {
     public:
      bool after_step(const Iterate& iterate) override {
        all.push_back(iterate.report.step_size);
        return false;
      }
      std::vector<double> all;
    } rates;
    Observer* const observers[] = {&rates};
    Vector x = Vector::Constant(f.size(), 4);
    minimize(*optimizer, f, x, stopping, {}, observers);
    REQUIRE(rates.all.size() == 50);
    for (std::size_t i = 0; i < 50; ++i) {
      CHECK(rates.all[i] == Approx(0.1 * (1 - static_cast<double>(i) / 50)).epsilon(1e-12));
    }
  }
}
