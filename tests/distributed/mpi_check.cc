/// \file
/// Run by mpirun on any number of ranks: what they share over MPI has the bits of one rank, and an error on one of them
/// is thrown on all. Exits with 0 where that is so.
#include "nn/network_cases.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/distributed/distributed_objective.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <cstdio>
#include <string>
#include <vector>

using namespace hesse;

namespace {

/// Values, gradients, a block of products, factors, and the points that two methods come to.
std::vector<double> everything(const std::shared_ptr<Ranks>& ranks, Precision precision) {
  const Case c{{12, 40, 30, 4}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(12, 4, 333, c.loss);
  const auto f = distributed_network(
      [&](double budget) {
        NetworkOptions options;
        options.precision = precision;
        options.memory_budget = budget;
        return make_objective(c, data, options);
      },
      ranks, {.chunks = 16, .least_samples = 8, .memory_budget = 1e9, .split_above = 0});
  std::vector<double> all;
  const auto add = [&](const Matrix& m) { all.insert(all.end(), m.data(), m.data() + m.size()); };
  Vector x = test_point(f->size());
  Vector g;
  all.push_back(f->value_and_gradient(x, g));
  add(g);
  Matrix V(f->size(), 5);
  RandomStream(5, Purpose::test).fill_normal(Eigen::Map<Vector>(V.data(), V.size()));
  Matrix Y(f->size(), 5);
  for (const Curvature kind : {Curvature::hessian, Curvature::gauss_newton, Curvature::fisher_sampled}) {
    f->curvature(x, kind)->apply(V, Y);
    add(Y);
  }
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, {.share = 0.5, .neighbours = true}, factors);
  for (KroneckerFactors& k : factors) {
    complete(k);
    add(k.A);
    add(k.G);
    add(k.A_next);
  }
  add(f->outputs(x, 2));
  for (const std::string method : {"kfac", "ekfac:inverse_period=3", "shampoo:period=3", "lbfgs"}) {
    const auto optimizer = make_optimizer(parse_optimizer(method), {*f, 1});
    Vector at = test_point(f->size());
    minimize(*optimizer, *f, at, {.max_steps = 8}, {method == "lbfgs" ? 0 : 100, 1});
    add(at);
  }
  return all;
}

int check() {
  const auto ranks = std::make_shared<Ranks>(join_mpi({}));
  set_threads(1);
  int failures = 0;
  const auto expect = [&](bool good, const std::string& what) {
    if (good) return;
    ++failures;
    fmt::print(stderr, "rank {} of {}: {}\n", ranks->rank(), ranks->size(), what);
  };
  for (const Precision precision : {Precision::float64, Precision::float32}) {
    const std::vector<double> shared = everything(ranks, precision);
    const std::vector<double> alone = everything(one_rank(), precision);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) differ += shared[i] == alone[i] ? 0U : 1U;
    expect(shared.size() == alone.size() && differ == 0,
           fmt::format("{} of {} numbers differ from one rank's", differ, alone.size()));
  }
  std::string said;
  try {
    ranks->together("work", 0, [&] {
      if (ranks->rank() == ranks->size() - 1) fail("bad data");
    });
  } catch (const Error& e) {
    said = e.what();
  }
  expect(said == (ranks->size() == 1 ? "bad data" : fmt::format("rank {}: bad data", ranks->size() - 1)),
         "an error on one rank was not thrown: " + said);
  expect(ranks->leave({0, {}}).code == 0, "not all ranks came to the end");
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return check();
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
