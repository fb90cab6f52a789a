#include "hesse/validation/agreement.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/analytic.h"
#include "hesse/problems/problem.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace hesse;

namespace {

/// The best of all permutations.
double least_cost_by_enumeration(const Matrix& cost) {
  std::vector<Index> order(static_cast<std::size_t>(cost.rows()));
  std::iota(order.begin(), order.end(), Index{0});
  double least = std::numeric_limits<double>::infinity();
  do {
    double sum = 0;
    for (std::size_t i = 0; i < order.size(); ++i) sum += cost(static_cast<Index>(i), order[i]);
    least = std::min(least, sum);
  } while (std::next_permutation(order.begin(), order.end()));
  return least;
}

Answer arrived(double value) { return {true, value, "minimum"}; }
Answer failed() { return {false, 1, "not stationary"}; }

}  // namespace

TEST_CASE("the log relative error counts correct digits, absolute at 0, and is cut at both ends") {
  CHECK(log_relative_error(1.001, 1.0) == Approx(3));
  CHECK(log_relative_error(-2.0002, -2.0) == Approx(4));
  CHECK(log_relative_error(1e-7, 0) == Approx(7));
  CHECK(log_relative_error(1.5, 1.5) == kMostDigits);
  CHECK(log_relative_error(1 + 1e-16, 1, 11) == 11);
  CHECK(log_relative_error(100, 1) == 0);
  CHECK(log_relative_error(std::nan(""), 1) == 0);
  CHECK(log_relative_error(1, std::numeric_limits<double>::infinity()) == 0);
  CHECK(log_relative_error(Eigen::Vector2d(1.001, 5.00005), Eigen::Vector2d(1, 5)) == Approx(3));
  CHECK(log_relative_error(Vector(), Vector()) == kMostDigits);
  CHECK_THROWS_AS(log_relative_error(Vector::Ones(2), Vector::Ones(3)), Error);
}

TEST_CASE("points beside two minimisers of one list are as far apart as they are from their own") {
  const auto minimisers = himmelblau_minimisers();
  const Eigen::Vector2d d(1e-4, -2e-4);
  const Vector x = minimisers[0] + d;
  CHECK(distance_up_to_minimisers(x, minimisers[2], minimisers) == Approx(d.norm()).epsilon(1e-8));
  CHECK(distance_up_to_minimisers(x, minimisers[2], {}) > 1);
  // Both beside the same one: the plain distance.
  CHECK(distance_up_to_minimisers(x, minimisers[0] - d, minimisers) == Approx(2 * d.norm()).epsilon(1e-8));
  CHECK(std::isnan(distance_up_to_minimisers(Vector::Constant(2, std::nan("")), x, minimisers)));
}

TEST_CASE("the assignment is the best of all permutations") {
  for (const Index n : {1, 2, 3, 5, 7}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Matrix cost(n, n);
      RandomStream(seed, Purpose::test, static_cast<std::uint64_t>(n))
          .fill_uniform(Eigen::Map<Vector>(cost.data(), cost.size()), -1, 1);
      if (seed % 4 == 0) cost = (4 * cost).array().round();  // ties
      const auto columns = least_cost_assignment(cost);
      auto sorted = columns;
      std::sort(sorted.begin(), sorted.end());
      double sum = 0;
      for (Index i = 0; i < n; ++i) {
        CHECK(sorted[static_cast<std::size_t>(i)] == i);
        sum += cost(i, columns[static_cast<std::size_t>(i)]);
      }
      CHECK(sum == Approx(least_cost_by_enumeration(cost)).margin(1e-14));
    }
  }
  CHECK(least_cost_assignment(Matrix(0, 0)).empty());
  CHECK_THROWS_AS(least_cost_assignment(Matrix::Zero(2, 3)), Error);
  CHECK_THROWS_AS(least_cost_assignment(Matrix::Constant(2, 2, std::nan(""))), Error);
}

TEST_CASE(
    "a tanh network and its image under permuted and turned hidden units are at distance 0, and compute the same") {
  Problem problem = problems().make(parse_spec("mlp:data=gaussian-blobs,hidden=6"), {Precision::float64});
  Objective& f = *problem.objective;
  const HiddenLayer net = hidden_layer_of(f);
  REQUIRE(net.hidden == 6);
  REQUIRE(net.odd);
  const Vector x = problem.start(3) + 0.1 * Vector::Ones(f.size());
  std::vector<Index> order;
  RandomStream(5, Purpose::test).permutation(net.hidden, order);
  Vector y = x;
  const Index b1 = net.hidden * net.inputs;
  const Index W2 = b1 + net.hidden;
  for (Index j = 0; j < net.hidden; ++j) {
    const Index to = order[static_cast<std::size_t>(j)];
    const double sign = j % 2 == 0 ? -1 : 1;
    y.segment(to * net.inputs, net.inputs) = sign * x.segment(j * net.inputs, net.inputs);
    y[b1 + to] = sign * x[b1 + j];
    for (Index k = 0; k < net.outputs; ++k) y[W2 + k * net.hidden + to] = sign * x[W2 + k * net.hidden + j];
  }
  CHECK((x - y).norm() > 1);
  CHECK(f.value(y) == Approx(f.value(x)).epsilon(1e-14));
  CHECK(distance_up_to_units(x, y, net) == 0);
  // What differs besides is all that counts.
  y.tail(1)[0] += 0.25;
  y[b1] += 1e-3;
  CHECK(distance_up_to_units(x, y, net) == Approx(std::hypot(0.25, 1e-3)).epsilon(1e-10));
  HiddenLayer not_odd = net;
  not_odd.odd = false;
  CHECK(distance_up_to_units(x, y, not_odd) > 0.5);
  CHECK_THROWS_AS(distance_up_to_units(x, Vector::Ones(3), net), Error);
  CHECK(std::isnan(distance_up_to_units(x, Vector::Constant(x.size(), std::nan("")), net)));
}

TEST_CASE("only networks with one hidden layer have units that may be exchanged") {
  const auto hidden = [](const char* spec) {
    Problem problem = problems().make(parse_spec(spec), {Precision::float64});
    return hidden_layer_of(*problem.objective);
  };
  CHECK(hidden("rosenbrock").hidden == 0);
  CHECK(hidden("mlp:data=gaussian-blobs,hidden=4-3").hidden == 0);
  CHECK(hidden("softmax-regression:data=gaussian-blobs").hidden == 0);
  const HiddenLayer sigmoid = hidden("mlp:data=gaussian-blobs,hidden=4,activation=sigmoid");
  CHECK(sigmoid.hidden == 4);
  CHECK_FALSE(sigmoid.odd);
}

TEST_CASE("the verdict follows from who arrived, then from the values, then from the points") {
  AgreementOptions options;
  options.documented = {0.0, 5.0};
  CHECK(judge(failed(), failed(), 0).agreement == Agreement::both_failed);
  CHECK(judge(arrived(1), failed(), 0).agreement == Agreement::hesse_better);
  CHECK(judge(failed(), arrived(1), 0).agreement == Agreement::ceres_better);
  CHECK(judge(arrived(1), arrived(2), 0).agreement == Agreement::hesse_better);
  CHECK(judge(arrived(2), arrived(1), 0).agreement == Agreement::ceres_better);
  CHECK(judge(arrived(1), arrived(1 + 1e-10), 1e-7).agreement == Agreement::agree);
  CHECK(judge(arrived(1), arrived(1 + 1e-10), 1).agreement == Agreement::agree_in_value);
  CHECK(judge(arrived(1), arrived(1 + 1e-10), std::nan("")).agreement == Agreement::agree_in_value);
  CHECK(judge(arrived(1), arrived(1 + 1e-10), 1e-7).digits == Approx(10).epsilon(1e-5));
  // Two roundings of a minimum of 0 share no digit; that the minimum is 0 is what makes them one.
  CHECK(judge(arrived(1e-28), arrived(1e-17), 1e-9).agreement == Agreement::hesse_better);
  CHECK(judge(arrived(1e-28), arrived(1e-17), 1e-9, options).agreement == Agreement::agree);
  // Two documented minima are not one.
  CHECK(judge(arrived(1e-28), arrived(5), 3, options).agreement == Agreement::hesse_better);
  const AgreementVerdict nan = judge({true, std::nan(""), ""}, arrived(1), 0);
  CHECK(nan.digits == 0);
  CHECK(nan.agreement != Agreement::agree);
  for (const auto& verdict :
       {judge(failed(), arrived(1), 0), judge(arrived(1), arrived(2), 0), judge(arrived(1), arrived(1), 0)}) {
    CHECK_FALSE(verdict.message.empty());
  }
}
