// What an analysis costs over the Hessian products that it contains, on the multilayer perceptron 784-128-64-10 with
// 109,386 parameters: a block of eight products against eight, the five largest eigenvalues, the trace and a density
// against the time of their products, each product as it is used (one vector, or a block). Ratios near 1 are what there
// is to reach. The argument is the number of samples (1000; the whole of Fashion-MNIST has 60000).

#include "timing.h"

#include "hesse/core/blas_kernels.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/eigen.h"
#include "hesse/nn/network_objective.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <vector>

using namespace hesse;
using namespace hesse::benchmark;

namespace {

std::shared_ptr<const Dataset> random_images(Index samples) {
  auto data = std::make_shared<Dataset>();
  data->inputs.resize(784, samples);
  for (Index i = 0; i < samples; ++i) {
    RandomStream(1, Purpose::synthetic_data, static_cast<std::uint64_t>(i)).fill_uniform(data->inputs.col(i), 0, 1);
  }
  data->class_count = 10;
  data->labels.resize(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < data->labels.size(); ++i) data->labels[i] = static_cast<std::int32_t>(i % 10);
  return data;
}

void measure(Precision precision, const std::shared_ptr<const Dataset>& data) {
  auto network =
      std::make_shared<const Network>(multilayer_perceptron(std::vector<Index>{784, 128, 64, 10}, Activation::tanh));
  NetworkOptions options;
  options.precision = precision;
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data, options);
  const Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  const auto H = f->curvature(x, Curvature::hessian);
  constexpr Index kBlock = 8;
  Matrix V(x.size(), kBlock);
  for (Index j = 0; j < kBlock; ++j) {
    RandomStream(2, Purpose::probe, static_cast<std::uint64_t>(j)).fill_normal(V.col(j));
  }
  Matrix HV(x.size(), kBlock);
  const double one = median_seconds([&] { H->apply(V.col(0), HV.col(0)); });
  const double block = median_seconds([&] { H->apply(V, HV); }) / kBlock;
  fmt::print("{}: product {:.3g} ms; of a block of {} {:.3g} ms, {:.2f} times\n", to_string(precision), 1e3 * one,
             kBlock, 1e3 * block, block / one);
  const auto report = [&](const char* what, Index products, double seconds, double product) {
    fmt::print("  {:<44} {:>4} products {:>8.3g} s, {:.2f} times their time\n", what, products, seconds,
               seconds / (static_cast<double>(products) * product));
  };

  EigenOptions eigen;
  eigen.largest = 5;
  eigen.tolerance = 1e-4;
  eigen.asymmetry_tolerance = 1e-5;
  Index products = 0;
  double seconds = seconds_of([&] { products = extreme_eigenpairs(*H, eigen).products; });
  report("5 largest eigenvalues, restarted Lanczos", products, seconds, one);
  BlockLanczosOptions lanczos;
  lanczos.pairs = 5;
  lanczos.tolerance = 1e-4;
  seconds = seconds_of([&] { products = block_lanczos(*H, Matrix(), lanczos).products; });
  report("5 largest eigenvalues, block Lanczos", products, seconds, block);
  TraceOptions trace;
  trace.tolerance = 0;
  seconds = seconds_of([&] { products = estimate_trace(*H, trace).products; });
  report("trace, Hutch++", products, seconds, block);
  seconds = seconds_of([&] { products = spectral_density(*H, {2, 50, 1}).products; });
  report("density, 2 probes of 50 steps", products, seconds, one);
}

}  // namespace

int main(int argc, char** argv) {
  restart_with_better_blas_kernels(argv);
  const Index samples = argc > 1 ? std::atoll(argv[1]) : 1000;
  const auto data = random_images(samples);
  fmt::print("784-128-64-10 tanh, {} samples, {} threads\n", samples, threads());
  measure(Precision::float32, data);
  measure(Precision::float64, data);
}
