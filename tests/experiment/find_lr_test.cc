#include "hesse/experiment/find_lr.h"

#include "hesse/core/error.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

FindLrOptions sharp() {
  FindLrOptions options;
  options.low = 1e-3;
  options.high = 100;
  options.steps = 400;
  options.smoothing = 0;
  return options;
}

/// (x - i)^2 / 2.
struct Distance {
  template <class T>
  T operator()(const T* x, Index i) const {
    return 0.5 * (x[0] - static_cast<double>(i)) * (x[0] - static_cast<double>(i));
  }
};

}  // namespace

TEST_CASE("On a parabola the loss is least at the last rate below 2 / L, beyond which it rises") {
  for (const double L : {0.1, 1.0, 7.0}) {
    Quadratic f(Vector::Constant(1, L), Vector::Zero(1));
    auto optimizer = make_optimizer("gd:lr=0.123", {f, 0});
    FindLrOptions options = sharp();
    options.high = 1000 / L;
    const LrSweep sweep = find_lr(*optimizer, f, Vector::Constant(1, 1e10), options);
    const double ratio = sweep.rate[1] / sweep.rate[0];
    CAPTURE(L, sweep.message);
    CHECK(sweep.least < 2 / L);
    CHECK(sweep.least * ratio >= 2 / L * (1 - 1e-12));
    CHECK(sweep.diverged);
    CHECK(sweep.begins < sweep.steepest * ratio);
    CHECK(sweep.steepest <= sweep.least);
    CHECK(sweep.begins < sweep.slows);
    CHECK(*optimizer->learning_rate() == 0.123);
    // Each loss is that after the step: x (1 - lr L) from step to step.
    double x = 1e10;
    for (std::size_t i = 0; i < 5; ++i) {
      x *= 1 - sweep.rate[i] * L;
      CHECK(sweep.loss[i] == Approx(0.5 * L * x * x).epsilon(1e-12));
    }
  }
}

TEST_CASE("The smoothed loss is the exponential mean without the bias of its start") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  auto optimizer = make_optimizer("gd", {f, 0});
  FindLrOptions options = sharp();
  options.smoothing = 0.8;
  const LrSweep sweep = find_lr(*optimizer, f, Vector::Ones(3), options);
  for (std::size_t t = 0; t < 20; ++t) {
    double mean = 0;
    double weights = 0;
    for (std::size_t i = 0; i <= t; ++i) {
      mean += std::pow(0.8, static_cast<double>(t - i)) * sweep.loss[i];
      weights += std::pow(0.8, static_cast<double>(t - i));
    }
    CHECK(sweep.smoothed[t] == Approx(mean / weights).epsilon(1e-12));
  }
}

TEST_CASE("A sweep without a fall, without a finite loss or without a rate says so") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  auto optimizer = make_optimizer("gd", {f, 0});
  LrSweep sweep = find_lr(*optimizer, f, Vector::Zero(2), sharp());
  CHECK(std::isnan(sweep.steepest));
  CHECK_THAT(sweep.message, Catch::Contains("did not fall"));
  sweep = find_lr(*optimizer, f, Vector::Constant(2, std::nan("")), sharp());
  CHECK(sweep.diverged);
  CHECK(sweep.rate.size() == 1);
  CHECK_THAT(sweep.message, Catch::Contains("not finite"));
  auto lbfgs = make_optimizer("lbfgs", {f, 0});
  CHECK_THROWS_WITH(find_lr(*lbfgs, f, Vector::Ones(2), sharp()), Catch::Contains("no learning rate"));
  FindLrOptions bad = sharp();
  bad.high = bad.low;
  CHECK_THROWS_AS(find_lr(*optimizer, f, Vector::Ones(2), bad), Error);
}

TEST_CASE("A sweep on batches is that of its seed, and leaves all samples selected") {
  FunctorSum<Distance> sum({}, 1, 60);
  FindLrOptions options = sharp();
  options.batch_size = 7;
  options.seed = 3;
  const auto sweep = [&] {
    auto optimizer = make_optimizer("momentum", {sum, 0});
    return find_lr(*optimizer, sum, Vector::Constant(1, 500), options).loss;
  };
  const std::vector<double> once = sweep();
  CHECK(sum.samples() == 60);
  CHECK(sweep() == once);
  options.seed = 4;
  CHECK(sweep() != once);
}
