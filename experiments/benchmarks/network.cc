// Gradient, Hessian product and Gauss-Newton product of two networks at batch 1000, each as a share
// of its multiply bound: the flops that the mathematics needs, at the product speed measured beside
// it in the same run. Prints one line each; see docs/nn.md for the counts.

#include "timing.h"

#include "hesse/core/blas.h"
#include "hesse/core/blas_kernels.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/nn/network_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

using namespace hesse;
using namespace hesse::benchmark;

namespace {

/// Flops per second of one 1024^3 product on each thread at once.
template <class T>
double product_speed(int n) {
  constexpr Index size = 1024;
  using M = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  std::vector<M> a(static_cast<std::size_t>(n), M::Constant(size, size, T(0.5)));
  std::vector<M> b = a;
  std::vector<M> c = a;
  const double seconds = median_seconds([&] {
    parallel_for(n, [&](Index i) {
      const auto k = static_cast<std::size_t>(i);
      gemm(Transpose::no, Transpose::no, size, size, size, T(1), a[k].data(), size, b[k].data(), size, T(0),
           c[k].data(), size);
    });
  });
  return n * 2.0 * static_cast<double>(size * size * size) / seconds;
}

struct Subject {
  const char* name;
  std::vector<Index> sizes;
  Index linear;
  Loss loss;
  bool autoencoder;
};

template <class T>
void measure(const Subject& subject, const std::shared_ptr<const Dataset>& data, int n) {
  constexpr Precision precision = std::is_same_v<T, float> ? Precision::float32 : Precision::float64;
  auto network =
      std::make_shared<const Network>(multilayer_perceptron(subject.sizes, Activation::tanh, subject.linear));
  NetworkOptions options;
  options.precision = precision;
  options.targets_are_inputs = subject.autoencoder;
  auto f = make_network_objective(network, subject.loss, data, options);
  const Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  Vector y = x;
  Vector g(f->size());
  const double speed = product_speed<T>(n);
  const double p = static_cast<double>(f->size());
  const double p1 = static_cast<double>(subject.sizes[0] * subject.sizes[1]);
  const double samples = static_cast<double>(data->sample_count());
  const auto report = [&](const char* what, double flops, double seconds) {
    fmt::print("{:<4} {:<6} {} thread{}  {:<12} {:8.2f} ms  {:6.1f} GFLOP/s of {:6.1f}  {:5.1f} % of the bound\n",
               subject.name, to_string(precision), n, n == 1 ? " " : "s", what, seconds * 1e3, flops / seconds * 1e-9,
               speed * 1e-9, 100 * flops / seconds / speed);
  };
  report("gradient", samples * (4 * p + 2 * (p - p1)), median_seconds([&] {
           y[0] += 1e-9;  // another point each time, or the sweeps would be reused
           f->value_and_gradient(y, g);
         }));
  Matrix V(f->size(), 4);
  RandomStream(1, Purpose::probe).fill_normal(Eigen::Map<Vector>(V.data(), V.size()));
  Matrix Y(f->size(), 4);
  for (const auto& [kind, what, flops] : {std::tuple{Curvature::hessian, "HVP", 4 * p + 8 * (p - p1)},
                                          std::tuple{Curvature::gauss_newton, "GGN product", 4 * p + 4 * (p - p1)}}) {
    const auto A = f->curvature(x, kind);
    report(what, samples * flops, median_seconds([&, &op = A] { op->apply(V.col(0), Y.col(0)); }));
    report(fmt::format("{} x4", what).c_str(), 4 * samples * flops, median_seconds([&, &op = A] { op->apply(V, Y); }));
  }
}

std::shared_ptr<const Dataset> uniform_data(Index samples) {
  auto data = std::make_shared<Dataset>();
  data->name = "random";
  data->inputs.resize(784, samples);
  const RandomStream stream(1, Purpose::synthetic_data);
  stream.fill_uniform(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()), 0, 1);
  data->class_count = 10;
  for (Index i = 0; i < samples; ++i) {
    data->labels.push_back(static_cast<std::int32_t>(stream.below(10, static_cast<std::uint64_t>(i))));
  }
  return data;
}

/// Best of three epochs over 60000 samples at batch 128, in float.
void measure_epoch(const char* method, const std::shared_ptr<const Dataset>& data, int n) {
  const std::vector<Index> sizes = {784, 128, 64, 10};
  const auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh));
  NetworkOptions options;
  options.precision = Precision::float32;
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data, options);
  const auto optimizer = optimizers().make(parse_spec(method), {*f, 1});
  Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  Progress progress;
  double best = 1e300;
  for (int epoch = 1; epoch <= 4; ++epoch) {
    Stopping stopping;
    stopping.max_epochs = epoch;
    const Summary summary = minimize(*optimizer, *f, x, stopping, {128, 1}, {}, progress);
    // The first one allocates.
    if (epoch > 1) best = std::min(best, summary.progress.seconds - progress.seconds);
    progress = summary.progress;
  }
  fmt::print("MLP  float  {} thread{}  {:<14} {:8.2f} ms\n", n, n == 1 ? " " : "s",
             fmt::format("{} epoch", parse_spec(method).name), best * 1e3);
}

}  // namespace

/// Usage: hesse_benchmark_network [threads]; on 1 and on 2 threads when left out.
int main(int argc, char** argv) {
  restart_with_better_blas_kernels(argv);
  const auto data = uniform_data(1000);
  const auto large = uniform_data(60000);
  const std::vector<Subject> subjects = {
      {"MLP", {784, 128, 64, 10}, 0, Loss::softmax_cross_entropy, false},
      {"AE", {784, 1000, 500, 250, 30, 250, 500, 1000, 784}, 30, Loss::binary_cross_entropy, true}};
  const std::vector<int> counts = argc > 1 ? std::vector<int>{std::atoi(argv[1])} : std::vector<int>{1, 2};
  fmt::print("{}\n", blas_description());
  for (const int n : counts) {
    set_threads(n);
    for (const Subject& subject : subjects) {
      measure<float>(subject, data, n);
      measure<double>(subject, data, n);
    }
    measure_epoch("momentum:lr=0.1", large, n);
    measure_epoch("adam", large, n);
  }
}
