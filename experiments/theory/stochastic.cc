// What the noise of batches does.

#include "claims.h"

#include "hesse/core/random.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace hesse::theory {
namespace {

/// The variance of a batch's gradient over that of one sample: 1 / b, and without replacement of N samples, less.
double theoretical_share(double b, double n, bool replacement) { return replacement ? 1 / b : (n - b) / (n - 1) / b; }

/// Mean of |g_B - g|^2 over random batches, over what theory says; bounds at five standard errors.
Measurement variance_of_batches(Index batch, bool replacement, Index* samples = nullptr) {
  constexpr Index kDraws = 3000;
  Problem problem = problems().make(parse_spec("softmax-regression:data=digits"), {Precision::float64});
  Objective& f = *problem.objective;
  auto* const sum = find<FiniteSum>(f);
  const Index n = sum->sample_count();
  if (samples != nullptr) *samples = n;
  const Vector x = problem.start(1);
  Vector mean;
  sum->select_all();
  f.value_and_gradient(x, mean);
  Vector g;
  double one = 0;
  for (Index i = 0; i < n; ++i) {
    sum->select({&i, 1});
    f.value_and_gradient(x, g);
    one += (g - mean).squaredNorm() / static_cast<double>(n);
  }
  double total = 0;
  double squares = 0;
  std::vector<Index> order;
  for (Index draw = 0; draw < kDraws; ++draw) {
    const RandomStream stream(7, Purpose::noise, static_cast<std::uint64_t>(draw));
    if (replacement) {
      order.resize(static_cast<std::size_t>(batch));
      for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = static_cast<Index>(stream.below(static_cast<std::uint64_t>(n), i));
      }
    } else {
      stream.permutation(n, order);
      order.resize(static_cast<std::size_t>(batch));
    }
    sum->select(order);
    f.value_and_gradient(x, g);
    const double square = (g - mean).squaredNorm();
    total += square;
    squares += square * square;
  }
  const double b = static_cast<double>(batch);
  const double expected = one * theoretical_share(b, static_cast<double>(n), replacement);
  const double average = total / kDraws;
  const double error = 5 * std::sqrt((squares / kDraws - average * average) / kDraws) / expected;
  return {fmt::format("batch {}, {} replacement", batch, replacement ? "with" : "without"), average / expected,
          1 - error, 1 + error};
}

std::vector<Measurement> batch_variance() {
  std::vector<Measurement> all;
  for (const bool replacement : {true, false}) {
    for (const Index batch : {1, 8, 64, 512}) all.push_back(variance_of_batches(batch, replacement));
  }
  return all;
}

Plot draw_batch_variance() {
  Plot plot;
  plot.title = "The gradient of softmax regression on digits";
  plot.x_label = "batch size";
  plot.y_label = "variance / variance of one sample";
  plot.log_x = plot.log_y = true;
  plot.legend = "3000 batches each";
  for (const bool replacement : {true, false}) {
    std::vector<double> sizes;
    std::vector<double> measured;
    std::vector<double> theory;
    for (const Index batch : {1, 4, 16, 64, 256, 1024}) {
      Index samples = 0;
      const double ratio = variance_of_batches(batch, replacement, &samples).measured;
      const auto b = static_cast<double>(batch);
      sizes.push_back(b);
      theory.push_back(theoretical_share(b, static_cast<double>(samples), replacement));
      measured.push_back(ratio * theory.back());
    }
    const char* name = replacement ? "with replacement" : "without replacement";
    plot.series.push_back(line(name, sizes, measured));
    plot.series.push_back(line(fmt::format("theory, {}", name), sizes, theory));
  }
  return plot;
}

/// x^2 / 2 - y^2 / 2 + y^4 / 4 with a slope in y whose sign changes from sample to sample.
struct Saddle {
  double noise = 0.1;
  template <class T>
  T operator()(const T* x, Index sample) const {
    return 0.5 * x[0] * x[0] - 0.5 * x[1] * x[1] + 0.25 * x[1] * x[1] * x[1] * x[1] +
           (sample % 2 == 0 ? noise : -noise) * x[1];
  }
};

std::vector<Measurement> saddle_escape() {
  FunctorSum<Saddle> f({}, 2, 100);
  const auto end = [&](Index batch, std::uint64_t seed) {
    const auto sgd = make_optimizer("sgd:lr=0.05", {f, seed});
    Stopping stopping;
    stopping.max_steps = 2000;
    Vector x = Eigen::Vector2d(1, 0);
    return minimize(*sgd, f, x, stopping, {batch, seed}).value;
  };
  std::vector<Measurement> all;
  // The saddle has the value 0, the minima -1/4.
  all.push_back({"all samples: value", end(0, 1), -1e-9, 1e-9});
  double worst = -1;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) worst = std::max(worst, end(1, seed));
  all.push_back({"one sample a step: worst value of 20 seeds", worst, -0.25, -0.2});
  return all;
}

Plot draw_saddle_escape() {
  Plot plot;
  plot.title = "x^2 / 2 - y^2 / 2 + y^4 / 4 from (1, 0), lr = 0.05";
  plot.x_label = "steps";
  plot.y_label = "value of f";
  FunctorSum<Saddle> f({}, 2, 100);
  for (const auto& [name, batch, seeds] :
       {std::tuple{"all samples", Index{0}, 1}, std::tuple{"one sample a step", Index{1}, 20}}) {
    Series series{name, {}};
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto sgd = make_optimizer("sgd:lr=0.05", {f, 0});
      BatchSequence batches(100, batch == 0 ? 100 : batch, static_cast<std::uint64_t>(seed));
      Curve curve;
      Vector x = Eigen::Vector2d(1, 0);
      for (Index step = 0; step <= 400; ++step) {
        f.select_all();
        curve.x.push_back(static_cast<double>(step));
        curve.y.push_back(f.value(x));
        f.select(batches.batch(step));
        sgd->step(f, x);
      }
      series.runs.push_back(curve);
    }
    plot.series.push_back(series);
  }
  return plot;
}

}  // namespace

std::vector<Claim> stochastic_claims() {
  return {
      {"batch-variance",
       "The variance of a batch's gradient is s^2 / b with replacement and s^2 / b (N - b) / (N - 1) without: measured "
       "/ theory",
       "Cochran (1977), theorem 2.2", batch_variance, draw_batch_variance},
      {"saddle-escape",
       "Gradient descent that starts on the stable manifold stalls at a saddle; the noise of batches leaves it",
       "Ge et al. (2015); Jin et al. (2017)", saddle_escape, draw_saddle_escape},
  };
}

}  // namespace hesse::theory
