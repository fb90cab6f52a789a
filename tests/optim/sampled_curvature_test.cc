#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace hesse;

namespace {

std::unique_ptr<NetworkObjective> linear_regression(Index samples) {
  const Case c{{3, 2}, Activation::identity, Loss::squared_error};
  return make_objective(c, make_data(3, 2, samples, c.loss));
}

/// The inverse Hessian of BFGS from gamma I and pairs, oldest first: Nocedal and Wright (2006), eq. (6.17).
Matrix bfgs_inverse(Index n, double gamma, const std::vector<std::pair<Vector, Vector>>& pairs) {
  Matrix H = gamma * Matrix::Identity(n, n);
  for (const auto& [s, y] : pairs) {
    const double rho = 1 / s.dot(y);
    const Matrix V = Matrix::Identity(n, n) - rho * y * s.transpose();
    H = (V.transpose() * H * V + rho * s * s.transpose()).eval();
  }
  return H;
}
double scale_of(const std::pair<Vector, Vector>& pair) {
  return pair.first.dot(pair.second) / pair.second.squaredNorm();
}

/// A first step along the gradient, of length lr at most.
Vector first_step(const Vector& g, double lr) { return -lr * g / std::max(1.0, g.norm()); }

}  // namespace

TEST_CASE("Subsets are drawn without replacement, ascending, and each sample as often as any other") {
  SubsetSampler sampler;
  std::vector<Index> hits(10, 0);
  const Index draws = 5000;
  for (Index k = 0; k < draws; ++k) {
    const auto subset = sampler.draw(10, 4, RandomStream(1, Purpose::test, static_cast<std::uint64_t>(k)));
    REQUIRE(subset.size() == 4);
    CHECK(std::is_sorted(subset.begin(), subset.end()));
    CHECK(std::adjacent_find(subset.begin(), subset.end()) == subset.end());
    for (const Index i : subset) ++hits[static_cast<std::size_t>(i)];
  }
  // Binomial with p = 0.4: four standard deviations of 35.
  for (const Index count : hits) CHECK(std::abs(static_cast<double>(count) - 0.4 * draws) <= 4 * 35);
  CHECK(sampler.draw(3, 3, RandomStream(1, Purpose::test)).size() == 3);
  CHECK_THROWS_AS(sampler.draw(3, 4, RandomStream(1, Purpose::test)), Error);
}

TEST_CASE("A method that selects samples leaves the selection that it found") {
  const auto f = linear_regression(20);
  const std::vector<Index> batch = {3, 1, 7, 12, 5, 2, 9, 11};
  for (const char* method : {"subsampled-newton", "multi-batch-lbfgs", "stochastic-lbfgs:interval=1", "online-lbfgs"}) {
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = test_point(f->size());
    f->select(batch);
    for (int k = 0; k < 4; ++k) optimizer->step(*f, x);
    const auto selected = f->selection();
    CHECK(std::vector<Index>(selected.begin(), selected.end()) == batch);
    f->select_all();
  }
}

TEST_CASE("The mean of subsampled Hessian products over draws is the Hessian product, within its standard error") {
  const Case c{{3, 4, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 12, c.loss));
  const Vector x = test_point(f->size());
  const Vector v = test_point(f->size(), 1);
  Vector whole(x.size()), part(x.size());
  f->curvature(x, Curvature::hessian)->apply(v, whole);
  SubsetSampler sampler;
  Vector sum = Vector::Zero(x.size()), squares = sum;
  const Index draws = 2000;
  for (Index k = 0; k < draws; ++k) {
    f->select(sampler.draw(12, 3, RandomStream(2, Purpose::curvature_samples, static_cast<std::uint64_t>(k))));
    f->curvature(x, Curvature::hessian)->apply(v, part);
    sum += part;
    squares += part.cwiseAbs2();
  }
  const Vector mean = sum / draws;
  const Vector error = ((squares / draws - mean.cwiseAbs2()) / draws).cwiseMax(0.0).cwiseSqrt();
  // Four standard errors are exceeded by one of 31 entries with a probability of 2e-3; the draws are fixed.
  for (Index i = 0; i < x.size(); ++i) CHECK(std::abs(mean[i] - whole[i]) <= 4 * error[i] + 1e-14);
}

TEST_CASE("Subsampled Newton over all samples is newton-cg, to the bit") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  const auto sampled = make_optimizer("subsampled-newton:fraction=1,max_cg=7+backtracking", {*f, 1});
  const auto whole = make_optimizer("newton-cg:max_cg=7+backtracking", {*f, 1});
  Vector x = test_point(f->size());
  Vector y = x;
  for (int k = 0; k < 5; ++k) {
    sampled->step(*f, x);
    whole->step(*f, y);
    CHECK(x == y);
  }
}

TEST_CASE("Multi-batch L-BFGS on all samples is L-BFGS of a fixed rate, and on batches its pairs are of the overlap") {
  const auto f = linear_regression(20);
  const Index n = f->size();
  const bool batches = GENERATE(false, true);
  const std::vector<std::vector<Index>> drawn = {{3, 1, 7, 12}, {5, 2, 9, 11}, {0, 4, 6, 8}, {10, 13, 14, 15}};
  const auto gradient = [&](const std::vector<Index>& samples, const Vector& at) {
    Vector g;
    if (batches) {
      f->select(samples);
    } else {
      f->select_all();
    }
    f->value_and_gradient(at, g);
    return g;
  };
  const auto optimizer = make_optimizer("multi-batch-lbfgs:lr=0.3,overlap=0.5", {*f, 1});
  Vector x = test_point(n);
  std::vector<std::pair<Vector, Vector>> pairs;
  std::vector<Index> shared;
  Vector before, expected = x;
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    // S_k = O_{k-1} + B_k.
    std::vector<Index> samples = shared;
    samples.insert(samples.end(), drawn[k].begin(), drawn[k].end());
    if (k > 0) {
      const Vector s = expected - before;
      pairs.emplace_back(s, gradient(shared, expected) - gradient(shared, before));
    }
    const Vector g = gradient(samples, expected);
    before = expected;
    expected +=
        pairs.empty() ? first_step(g, 0.3) : Vector(-0.3 * (bfgs_inverse(n, scale_of(pairs.back()), pairs) * g));
    shared.assign(drawn[k].end() - 2, drawn[k].end());
    gradient(drawn[k], x);  // selects
    optimizer->step(*f, x);
    // Five products of matrices with entries of the pairs' conditions.
    CHECK((x - expected).norm() <= 1e-11 * expected.norm());
  }
}

TEST_CASE("Online L-BFGS by hand: both gradients on one batch, lambda s added") {
  const auto f = linear_regression(20);
  const Index n = f->size();
  const auto optimizer = make_optimizer("online-lbfgs:lr=0.2,lambda=0.05,tau=10", {*f, 1});
  const std::vector<std::vector<Index>> drawn = {{3, 1, 7, 12}, {5, 2, 9, 11}, {0, 4, 6, 8}};
  Vector x = test_point(n);
  Vector expected = x;
  std::vector<std::pair<Vector, Vector>> pairs;
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    f->select(drawn[k]);
    const double rate = 0.2 * 10 / (10 + static_cast<double>(k));
    Vector g, next;
    f->value_and_gradient(expected, g);
    double gamma = 0;
    for (const auto& pair : pairs) gamma += scale_of(pair) / static_cast<double>(pairs.size());
    const Vector step = pairs.empty() ? first_step(g, rate) : Vector(-rate * (bfgs_inverse(n, gamma, pairs) * g));
    expected += step;
    f->value_and_gradient(expected, next);
    pairs.emplace_back(step, next - g + 0.05 * step);
    optimizer->step(*f, x);
    CHECK((x - expected).norm() <= 1e-11 * expected.norm());
  }
}

TEST_CASE("Stochastic L-BFGS by hand: pairs of mean iterates and Hessian products") {
  const auto f = linear_regression(20);
  const Index n = f->size();
  // Products over all 20 samples: the Hessian itself, which is the same everywhere.
  const Matrix H = dense(*f->curvature(Vector::Zero(n), Curvature::hessian));
  const auto optimizer = make_optimizer("stochastic-lbfgs:lr=0.1,interval=2,hessian_samples=100", {*f, 1});
  Vector x = test_point(n);
  Vector expected = x, sum = Vector::Zero(n), mean;
  std::vector<std::pair<Vector, Vector>> pairs;
  for (int k = 1; k <= 8; ++k) {
    Vector g;
    f->value_and_gradient(expected, g);
    sum += expected;
    expected -= 0.1 * (pairs.empty() ? g : Vector(bfgs_inverse(n, scale_of(pairs.back()), pairs) * g));
    optimizer->step(*f, x);
    CHECK((x - expected).norm() <= 1e-10 * expected.norm());
    if (k % 2 != 0) continue;
    const Vector now = sum / 2;
    sum.setZero();
    if (k > 2) pairs.emplace_back(now - mean, H * (now - mean));
    mean = now;
  }
}

TEST_CASE("Methods that sample refuse a function that is no mean over samples, in a line") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  for (const char* method : {"subsampled-newton", "multi-batch-lbfgs", "stochastic-lbfgs", "online-lbfgs"}) {
    CHECK_THROWS_WITH(make_optimizer(method, {f, 0}), Catch::Contains("no mean over samples"));
  }
}
