/// \file
/// Small networks on drawn data, for tests.
#pragma once

#include "hesse/core/random.h"
#include "hesse/nn/network_objective.h"

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

}  // namespace hesse
