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

namespace hesse::theory {
namespace {

/// Mean of |g_B - g|^2 over random batches, over what theory says; bounds at five standard errors.
Measurement variance_of_batches(Index batch, bool replacement) {
  constexpr Index kDraws = 3000;
  Problem problem = problems().make(parse_spec("softmax-regression:data=digits"), {Precision::float64});
  Objective& f = *problem.objective;
  auto* const sum = find<FiniteSum>(f);
  const Index n = sum->sample_count();
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
  const double expected = one / b * (replacement ? 1.0 : (static_cast<double>(n) - b) / (static_cast<double>(n) - 1));
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

}  // namespace

std::vector<Claim> stochastic_claims() {
  return {
      {"batch-variance",
       "The variance of a batch's gradient is s^2 / b with replacement and s^2 / b (N - b) / (N - 1) without: measured "
       "/ "
       "theory",
       "Cochran (1977), theorem 2.2", batch_variance},
      {"saddle-escape",
       "Gradient descent that starts on the stable manifold stalls at a saddle; the noise of batches leaves it",
       "Ge et al. (2015); Jin et al. (2017)", saddle_escape},
  };
}

}  // namespace hesse::theory
