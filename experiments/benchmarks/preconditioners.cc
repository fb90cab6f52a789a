// Steps of structured second-order methods on the deep autoencoder at batch 1000, in float, relative to a step of plain
// SGD in the same run, beside what their matrix products and factorisations would cost at the product speed measured
// just before them. Prints one line a method; see docs/structured.md for the counts.

#include "timing.h"

#include "hesse/core/blas.h"
#include "hesse/core/blas_kernels.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/inverse_root.h"
#include "hesse/nn/network_objective.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace hesse;
using namespace hesse::benchmark;

namespace {

constexpr Index kBatch = 1000;
const std::vector<Index> kSizes = {784, 1000, 500, 250, 30, 250, 500, 1000, 784};

/// Seconds of body(0), ..., body(n - 1) at once, one on each of n threads: the least of so many times.
template <class Body>
double seconds_at_once(int n, int times, const Body& body) {
  double best = 1e300;
  for (int i = 0; i < times; ++i) {
    best =
        std::min(best, seconds_of([&] { parallel_for(n, [&](Index task) { body(static_cast<std::size_t>(task)); }); }));
  }
  return best;
}

/// A positive definite matrix that is drawn.
Matrix drawn_matrix(Index side, std::uint64_t seed) {
  Matrix G(side, 2 * side);
  RandomStream(seed, Purpose::synthetic_data).fill_normal(G.reshaped());
  return G * G.transpose();
}

/// Flops per second of 1024^3 products, one on each thread at once, kept up for as long as steps are timed: the best of
/// three times forty. A processor that is also another's, or that slows down when it is hot, is faster for an instant.
template <class T>
double product_speed(int n) {
  constexpr Index size = 1024;
  using M = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  std::vector<M> a(static_cast<std::size_t>(n), M::Constant(size, size, T(0.5)));
  std::vector<M> b = a;
  std::vector<M> c = a;
  constexpr int times = 40;
  const double best = seconds_at_once(n, 3, [&](std::size_t k) {
    for (int i = 0; i < times; ++i) {
      gemm(Transpose::no, Transpose::no, size, size, size, T(1), a[k].data(), size, b[k].data(), size, T(0),
           c[k].data(), size);
    }
  });
  return n * times * 2.0 * static_cast<double>(size * size * size) / best;
}

/// Sum over the layers of a figure of (columns with the bias, outputs).
double over_layers(const std::function<double(double, double)>& figure) {
  double sum = 0;
  for (std::size_t l = 1; l < kSizes.size(); ++l) {
    sum += figure(static_cast<double>(kSizes[l - 1] + 1), static_cast<double>(kSizes[l]));
  }
  return sum;
}

struct Subject {
  std::string method;
  double single = 0;          ///< flops beyond the gradient, a step, in float
  double full = 0;            ///< likewise in double
  double factorisations = 0;  ///< seconds of roots or eigenvectors beyond the gradient, a step, by their own speed
  double inner = 0;           ///< flops of an inner iteration, in float
  int period = 20;            ///< steps that are timed together
};

/// Seconds of the eigenvectors of a matrix of side 500 where every thread makes one: the best of three.
double eigen_seconds(int n) {
  const Matrix A = drawn_matrix(500, 3);
  const auto tasks = static_cast<std::size_t>(n);
  std::vector<Vector> values(tasks);
  std::vector<Matrix> vectors(tasks);
  std::vector<SymmetricEigenWorkspace> workspaces(tasks);
  return seconds_at_once(n, 3, [&](std::size_t k) { symmetric_eigen(A, values[k], vectors[k], workspaces[k]); }) / n;
}

/// Seconds of an inverse fourth root of side 250 where every thread makes one: the best of five.
double root_seconds(int n) {
  const Matrix A = drawn_matrix(250, 2);
  const auto tasks = static_cast<std::size_t>(n);
  std::vector<InverseRootWorkspace> workspaces(tasks);
  std::vector<Matrix> roots(tasks, Matrix::Zero(A.rows(), A.cols()));
  return seconds_at_once(n, 5, [&](std::size_t k) { inverse_root(A, 4, {}, roots[k], workspaces[k]); }) / n;
}

/// The equal cuts of a side that Shampoo makes: how many, and how long.
std::pair<double, double> cuts(double side) {
  const double count = std::ceil(side / 256);
  return {count, side / count};
}

}  // namespace

/// Usage: hesse_benchmark_preconditioners [threads [method...]]; on 2 threads when left out, and the methods of the
/// manual with what their products cost. Methods that are named are timed alone, beside SGD.
int main(int argc, char** argv) {
  restart_with_better_blas_kernels(argv);
  const int n = argc > 1 ? std::atoi(argv[1]) : 2;
  set_threads(n);
  auto data = std::make_shared<Dataset>();
  data->name = "random";
  data->inputs.resize(kSizes.front(), kBatch);
  RandomStream(1, Purpose::synthetic_data)
      .fill_uniform(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()), 0, 1);
  const auto network = std::make_shared<const Network>(multilayer_perceptron(kSizes, Activation::tanh, 30));
  NetworkOptions options;
  options.precision = Precision::float32;
  options.targets_are_inputs = true;
  const auto f = make_network_objective(network, Loss::binary_cross_entropy, data, options);

  const double batch = static_cast<double>(kBatch);
  const double weights = over_layers([](double a, double g) { return a * g; });
  const double first = static_cast<double>((kSizes[0] + 1) * kSizes[1]);
  const double apply = over_layers([](double a, double g) { return 2 * a * g * (a + g); });
  // Upper triangles alone.
  const double outer = over_layers([](double a, double g) { return a * a + g * g; });
  const double back = 2 * (weights - first);
  const double inverses = over_layers([](double a, double g) { return a * a * a + g * g * g; });
  // Of the weights alone, without biases: three products in turn with both sides.
  const auto sides = [](double a, double g) { return (a - 1) * g * (a - 1 + g); };
  const double in_pieces =
      over_layers([](double a, double g) { return (a - 1) * g * (cuts(a - 1).second + cuts(g).second); });
  const double roots = over_layers([](double a, double g) {
    const auto [rows, row] = cuts(g);
    const auto [columns, column] = cuts(a - 1);
    return rows * columns * (std::pow(row / 250, 3) + std::pow(column / 250, 3));
  });
  // A Q, Q'(A Q), Q_new'Q and the reflections, and m, every ten steps.
  const double bases = over_layers(
      [&](double a, double g) { return (6 + 8.0 / 3) * (std::pow(a - 1, 3) + std::pow(g, 3)) + 2 * sides(a, g); });
  const double polar = over_layers([](double a, double g) {
    const double least = std::min(a - 1, g);
    return 5 * (3 * least * (a - 1) * g + least * least * least);
  });
  const double root = root_seconds(n);
  const double gradient = batch * (6 * weights - 2 * first);
  const double product = f->cost_weights().hessian_product * gradient;
  const double gauss_newton = f->cost_weights().gauss_newton_product * gradient;
  // In the eigenbases there and back; moments of the share take a sweep and three products more.
  const double eigen = over_layers([](double a, double g) { return std::pow(a / 500, 3) + std::pow(g / 500, 3); });
  const double moments = back + over_layers([](double a, double g) { return 2 * (a * a + g * g + a * g); });
  std::vector<Subject> subjects = {
      {"sgd:lr=1e-5", 0, 0},
      {"adam:lr=1e-5", 0, 0},
      {"kfac-fixed:lr=1e-5,targets=empirical,stats_share=1", apply + batch * outer, inverses / 20},
      {"kfac-fixed:lr=1e-5", apply + batch / 8 * (outer + back), inverses / 20},
      {"kfac:adapt_damping=false", apply + batch / 8 * (outer + back) + batch / 4 * 2 * 4 * weights, inverses / 20},
      {"ekfac:lr=1e-5", 2 * apply + batch / 8 * (outer + back + moments), 0, eigen * eigen_seconds(n) / 20},
      {"shampoo", 3 * in_pieces, 0, roots * root / 10},
      {"soap", 5 * over_layers(sides) + bases / 10, 0},
      {"muon", polar, 0},
      {"psgd", 0, 9 * over_layers(sides) + over_layers([](double a, double g) {
                    return 2 * (std::pow(a - 1, 3) + std::pow(g, 3));
                  })},
      {"sophia-g", gradient / 10, 0},
      {"sophia-h", product / 10, 0},
      {"adahessian", product, 0},
      {"hessian-free:max_iterations=20", 0, 0, 0, gauss_newton, 1},
      {"lbfgs", 0, 0},
  };
  if (argc > 2) subjects.resize(1);
  for (int i = 2; i < argc; ++i) subjects.push_back({argv[i], 0, 0});

  double in_float = product_speed<float>(n);
  double in_double = product_speed<double>(n);
  fmt::print("{}\n{} thread{}: products at {:.0f} GFLOP/s in float, {:.0f} in double\n", blas_description(), n,
             n == 1 ? "" : "s", in_float * 1e-9, in_double * 1e-9);
  fmt::print("the gradient's products would take {:.1f} ms; of each method below the speed is measured anew\n",
             1e3 * gradient / in_float);
  double sgd = 0;
  for (const Subject& subject : subjects) {
    // Each method beside the speed of its own minute.
    if (subject.single > 0 || subject.inner > 0) in_float = product_speed<float>(n);
    if (subject.full > 0) in_double = product_speed<double>(n);
    const auto optimizer = make_optimizer(subject.method, {*f, 1});
    Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
    // Some steps in which everything is allocated and inverted, then three periods.
    for (int k = 0; k < std::min(4, subject.period); ++k) optimizer->step(*f, x);
    double best = 1e300;
    double inner = 0;  // iterations of the best period, a step
    for (int period = 0; period < 3; ++period) {
      Index iterations = 0;
      const double seconds = seconds_of([&] {
        for (int k = 0; k < subject.period; ++k) iterations += optimizer->step(*f, x).inner_iterations;
      });
      if (seconds / subject.period >= best) continue;
      best = seconds / subject.period;
      inner = static_cast<double>(iterations) / subject.period;
    }
    if (sgd == 0) sgd = best;
    const double single = subject.single + inner * subject.inner;
    const double least = single / in_float + subject.full / in_double + subject.factorisations;
    fmt::print("{:<55} {:7.1f} ms a step  {:5.2f} of SGD's  beyond it {:6.1f} ms", subject.method, best * 1e3,
               best / sgd, (best - sgd) * 1e3);
    if (inner > 0) fmt::print(", {:.1f} inner iterations", inner);
    if (least > 0)
      fmt::print(", {:.2f} times the {:.1f} ms of its products ({:.2f} of SGD's predicted)", (best - sgd) / least,
                 least * 1e3, 1 + least * in_float / gradient);
    fmt::print("\n");
    std::fflush(stdout);
  }
}
