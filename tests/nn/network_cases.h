/// \file
/// Small networks on drawn data, for tests.
#pragma once

#include "hesse/core/random.h"
#include "hesse/nn/network_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace hesse {

inline constexpr double kEps = std::numeric_limits<double>::epsilon();

struct Case {
  std::vector<Index> sizes;
  Activation activation;
  Loss loss;
};

inline std::shared_ptr<const Dataset> make_data(Index features, Index outputs, Index samples, Loss loss) {
  auto data = std::make_shared<Dataset>();
  data->name = "test";
  data->inputs.resize(features, samples);
  const RandomStream stream(3, Purpose::test);
  stream.fill_normal(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()));
  if (loss == Loss::softmax_cross_entropy) {
    data->class_count = outputs;
    for (Index i = 0; i < samples; ++i)
      data->labels.push_back(
          static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(outputs), static_cast<std::uint64_t>(i))));
  } else {
    data->targets.resize(outputs, samples);
    stream.fill_uniform(Eigen::Map<Vector>(data->targets.data(), data->targets.size()), 0, 1);
  }
  return data;
}

inline std::unique_ptr<NetworkObjective> make_objective(const Case& c, std::shared_ptr<const Dataset> data,
                                                        NetworkOptions options = {}) {
  auto network = std::make_shared<const Network>(multilayer_perceptron(c.sizes, c.activation));
  return make_network_objective(network, c.loss, std::move(data), options);
}

inline Vector test_point(Index n, std::uint64_t step = 0) {
  Vector x(n);
  RandomStream(7, Purpose::test, step).fill_normal(x);
  return 0.7 * x;
}

inline Matrix dense(const LinearOperator& A) {
  Matrix Y(A.size(), A.size());
  A.apply(Matrix::Identity(A.size(), A.size()), Y);
  return Y;
}

/// Errors of central differences over steps of 1e-1 to 1e-12 along v: of the value's against g'v relative to |g|, and
/// of the gradient's against Hv relative to |Hv|.
struct DifferenceSweep {
  double gradient = 1;       ///< the least
  double product = 1;        ///< the least
  double first_product = 0;  ///< at the largest step, where truncation rules
  double last_product = 0;   ///< at the smallest, where cancellation does
};

inline DifferenceSweep sweep_differences(NetworkObjective& f, const Vector& x, const Vector& v) {
  Vector g, up, down, Hv(x.size());
  f.value_and_gradient(x, g);
  f.curvature(x, Curvature::hessian)->apply(v, Hv);
  DifferenceSweep sweep;
  for (double h = 1e-1; h > 1e-13; h /= 10) {
    const double slope = (f.value(x + h * v) - f.value(x - h * v)) / (2 * h);
    sweep.gradient = std::min(sweep.gradient, std::abs(slope - g.dot(v)) / g.norm());
    f.value_and_gradient(x + h * v, up);
    f.value_and_gradient(x - h * v, down);
    sweep.last_product = ((up - down) / (2 * h) - Hv).norm() / Hv.norm();
    sweep.product = std::min(sweep.product, sweep.last_product);
    if (h == 1e-1) sweep.first_product = sweep.last_product;
  }
  return sweep;
}

}  // namespace hesse
