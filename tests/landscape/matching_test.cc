#include "hesse/landscape/matching.h"

#include "hesse/core/error.h"
#include "hesse/landscape/path.h"
#include "hesse/nn/normalisation.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

UnitOrder random_order(const std::vector<Index>& sizes, std::uint64_t seed) {
  UnitOrder order;
  for (std::size_t l = 1; l + 1 < sizes.size(); ++l) {
    RandomStream(seed, Purpose::test, l).permutation(sizes[l], order.emplace_back());
  }
  return order;
}

/// after[i] = before[units[i]] undone.
UnitOrder inverse(const UnitOrder& order) {
  UnitOrder out = order;
  for (std::size_t l = 0; l < order.size(); ++l) {
    for (std::size_t i = 0; i < order[l].size(); ++i) {
      out[l][static_cast<std::size_t>(order[l][i])] = static_cast<Index>(i);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("reordered hidden units compute the same function to rounding") {
  const auto activation = GENERATE(Activation::tanh, Activation::relu, Activation::gelu, Activation::sigmoid);
  const std::vector<Index> sizes = {5, 8, 6, 7, 3};
  auto f = make_objective({sizes, activation, Loss::softmax_cross_entropy},
                          make_data(5, 3, 40, Loss::softmax_cross_entropy));
  const Vector x = test_point(f->size());
  const Vector y = reordered(f->network(), x, random_order(sizes, 2));
  CHECK(y != x);
  // Sums of at most 8 products in another order, through three layers.
  const Matrix outputs = f->outputs(x);
  CHECK((f->outputs(y) - outputs).norm() <= 100 * kEps * outputs.norm());
  CHECK(std::abs(f->value(y) - f->value(x)) <= 100 * kEps * f->value(x));
  CHECK(reordered(f->network(), y, inverse(random_order(sizes, 2))) == x);
}

TEST_CASE("a planted reordering is undone exactly and leaves no barrier") {
  // Deep and narrow: from the order as it is, descent ends in local optima.
  const std::vector<Index> sizes = {3, 8, 8, 8, 8, 8, 2};
  auto f = make_objective({sizes, Activation::tanh, Loss::softmax_cross_entropy},
                          make_data(3, 2, 50, Loss::softmax_cross_entropy));
  double highest_before = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    const Vector A = test_point(f->size(), seed);
    const UnitOrder planted = random_order(sizes, seed);
    const Vector B = reordered(f->network(), A, planted);
    const Matching matching = match(f->network(), A, B);
    CHECK(matching.matched == A);
    CHECK(matching.distance == 0);
    CHECK(matching.distance_before == Approx((A - B).norm()));
    CHECK(matching.order == inverse(planted));
    CHECK(matching.converged);
    const PathProfile before = profile(*f, {PathKind::segment, A, B, Vector()});
    const PathProfile after = profile(*f, {PathKind::segment, A, matching.matched, Vector()});
    highest_before = std::max(highest_before, before.barrier.value);
    CHECK(after.barrier.value <= 100 * kEps * f->value(A));
  }
  CHECK(highest_before > 0.01);
}

TEST_CASE("a planted reordering is found under noise that is small beside the differences of units") {
  const std::vector<Index> sizes = {10, 16, 16, 4};
  auto f = make_objective({sizes, Activation::relu, Loss::softmax_cross_entropy},
                          make_data(10, 4, 10, Loss::softmax_cross_entropy));
  const Vector A = test_point(f->size(), 1);
  const UnitOrder planted = random_order(sizes, 1);
  const Vector B = reordered(f->network(), A, planted) + 0.1 * test_point(f->size(), 2);
  const Matching matching = match(f->network(), A, B);
  CHECK(matching.order == inverse(planted));
  CHECK(matching.distance == Approx(0.1 * test_point(f->size(), 2).norm()).epsilon(1e-9));
}

TEST_CASE("with one hidden layer the matching is the nearest of all orders") {
  const std::vector<Index> sizes = {2, 5, 2};
  auto f = make_objective({sizes, Activation::tanh, Loss::squared_error}, make_data(2, 2, 5, Loss::squared_error));
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Vector A = test_point(f->size(), 2 * seed);
    const Vector B = test_point(f->size(), 2 * seed + 1);
    UnitOrder order = {{0, 1, 2, 3, 4}};
    double nearest = (A - B).norm();
    while (std::next_permutation(order[0].begin(), order[0].end())) {
      nearest = std::min(nearest, (A - reordered(f->network(), B, order)).norm());
    }
    const Matching matching = match(f->network(), A, B);
    CHECK(std::abs(matching.distance - nearest) <= 1e-12);
    CHECK(matching.matched == reordered(f->network(), B, matching.order));
  }
}

TEST_CASE("matching never moves a network away and ends where no layer gains") {
  const std::vector<Index> sizes = {4, 9, 7, 8, 2};
  auto f = make_objective({sizes, Activation::tanh, Loss::squared_error}, make_data(4, 2, 5, Loss::squared_error));
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Vector A = test_point(f->size(), 2 * seed);
    const Vector B = test_point(f->size(), 2 * seed + 1);
    const Matching matching = match(f->network(), A, B);
    CHECK(matching.distance <= matching.distance_before);
    CHECK(matching.converged);
    // Exchanging two units of any layer brings the networks no nearer.
    UnitOrder order = {{0, 1, 2, 3, 4, 5, 6, 7, 8}, {0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 3, 4, 5, 6, 7}};
    for (auto& units : order) {
      for (std::size_t i = 1; i < units.size(); ++i) {
        std::swap(units[i], units[i - 1]);
        CHECK((A - reordered(f->network(), matching.matched, order)).norm() >= matching.distance - 1e-9);
        std::swap(units[i], units[i - 1]);
      }
    }
  }
}

TEST_CASE("networks other than multilayer perceptrons and orders that do not fit are refused") {
  const std::vector<Index> sizes = {2, 5, 2};
  const Network plain = multilayer_perceptron(sizes, Activation::tanh);
  const Vector x = test_point(plain.layout().size());
  CHECK_THROWS_WITH(match(multilayer_perceptron(sizes, Activation::tanh, 0, 0.5), x, x), Contains("dropout"));
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(2, 5));
  layers.push_back(batch_normalisation_layer(5, 1));
  layers.push_back(dense_layer(5, 2));
  CHECK_THROWS_WITH(match(Network(std::move(layers)), x, x), Contains("batch-normalisation"));
  CHECK_THROWS_AS(match(plain, x, x.head(3)), Error);
  CHECK_THROWS_AS(reordered(plain, x, {}), Error);
  CHECK_THROWS_AS(reordered(plain, x, {{0, 1, 2, 3, 3}}), Error);
  CHECK_THROWS_AS(reordered(plain, x, {{0, 1, 2, 3}}), Error);
  Vector bad = x;
  bad[0] = std::nan("");
  CHECK_THROWS_AS(match(plain, x, bad), Error);
}
