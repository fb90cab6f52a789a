#include "core/allocations.h"

#include "hesse/core/parallel.h"
#include "hesse/nn/network_objective.h"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstdlib>

#ifdef HESSE_COUNTS_ALLOCATIONS

using namespace hesse;

TEST_CASE("a step of gradient, value and curvature products allocates nothing once warm") {
  const auto precision = GENERATE(Precision::float32, Precision::float64);
  const Index n_threads = GENERATE(1, 2);
  const bool batches = GENERATE(false, true);
  const int before_test = threads();
  set_threads(static_cast<int>(n_threads));

  auto data = std::make_shared<Dataset>();
  data->name = "test";
  data->inputs = Matrix::Random(20, 300);
  data->class_count = 4;
  for (int i = 0; i < 300; ++i) data->labels.push_back(i % 4);
  const std::array<Index, 3> sizes = {20, 30, 4};
  auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh));
  NetworkOptions options;
  options.precision = precision;
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data, options);

  Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  Vector g(x.size());
  Matrix V = Matrix::Random(x.size(), 3);
  Matrix Y(x.size(), 3);
  std::array<Index, 100> batch{};
  double sum = 0;
  Index t = 0;
  const auto step = [&] {
    ++t;
    if (batches) {
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i] = (static_cast<Index>(i) * 3 + t) % 300;
      f->select(batch);
    }
    x[0] += 1e-3;
    sum += f->value_and_gradient(x, g);
    for (const Curvature kind : {Curvature::hessian, Curvature::gauss_newton, Curvature::fisher_sampled}) {
      const auto A = f->curvature(x, kind);
      A->apply(V, Y);
    }
    x[1] += 1e-3;
    sum += f->value(x);
  };
  // The objective and its released operators may hold one point each before they start to recycle.
  for (int i = 0; i < 6; ++i) step();
  // On a busy machine a thread may have its first turn, and make the buffers of its own, only later: five steps without
  // an allocation are waited for, which what allocates in a step never has.
  long fresh = -1;
  for (int attempt = 0; attempt < 20 && fresh != 0; ++attempt) {
    const long warm = allocations.load();
    for (int i = 0; i < 5; ++i) step();
    fresh = allocations.load() - warm;
  }
  CHECK(fresh == 0);
  CHECK(std::isfinite(sum));
  set_threads(before_test);
}

#endif
