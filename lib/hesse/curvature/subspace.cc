#include "hesse/curvature/subspace.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"
#include "hesse/nn/network_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

double alignment(const Vector& g, const Matrix& V) {
  const double length = norm(g);
  if (!(length > 0)) return std::numeric_limits<double>::quiet_NaN();
  const double inside = norm(V.transpose() * g) / length;
  return inside * inside;
}

double overlap(const Matrix& U, const Matrix& V) {
  const Index k = std::min(U.cols(), V.cols());
  if (k == 0) return std::numeric_limits<double>::quiet_NaN();
  return (U.transpose() * V).squaredNorm() / static_cast<double>(k);
}

NetworkObjective& network_with_classes(Objective& f) {
  auto* network = find<NetworkObjective>(f);
  if (network == nullptr || network->data().class_count == 0 || network->data().places != 1 ||
      network->reconstructs()) {
    fail("class means: the objective is no network with one class label a sample");
  }
  for (const auto& layer : network->network().layers()) {
    if (layer->couples_samples()) {
      fail(
          "class means: a layer's output for a sample depends on the others (batch normalisation), so that no class "
          "has a "
          "gradient of its own");
    }
  }
  return *network;
}

ClassMeans class_mean_gradients(Objective& f, const Vector& x) {
  auto* const network = &network_with_classes(f);
  const Dataset& data = network->data();
  std::vector<std::vector<Index>> members(static_cast<std::size_t>(data.class_count));
  for (const Index i : network->selection()) {
    members[static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)])].push_back(i);
  }
  const auto samples = static_cast<double>(network->selection().size());
  ClassMeans means;
  means.gradients = Matrix::Zero(x.size(), data.class_count);
  means.shares = Vector::Zero(data.class_count);
  std::vector<Index> found;
  const SelectionGuard guard(*network, found);
  Vector g;
  for (Index c = 0; c < data.class_count; ++c) {
    const auto& samples_of_class = members[static_cast<std::size_t>(c)];
    if (samples_of_class.empty()) continue;
    network->select(samples_of_class);
    network->value_and_gradient(x, g);
    means.gradients.col(c) = g;
    means.shares[c] = static_cast<double>(samples_of_class.size()) / samples;
  }
  return means;
}

ClassStructure class_structure(const ClassMeans& means) {
  const Matrix scaled = means.gradients * means.shares.cwiseSqrt().asDiagonal();
  Vector values;
  Matrix vectors;
  ClassStructure structure;
  if (!symmetric_eigen(scaled.transpose() * scaled, values, vectors)) return structure;
  const Index classes = values.size();
  const double least = 1e-12 * (classes > 0 ? values[classes - 1] : 0.0);
  const Index kept = (values.array() > least).count();
  structure.values = values.tail(kept).reverse();
  structure.vectors = scaled * vectors.rightCols(kept).rowwise().reverse();
  for (Index j = 0; j < kept; ++j) structure.vectors.col(j) /= std::sqrt(structure.values[j]);
  return structure;
}

ClassFit class_fit(const ClassStructure& structure, const Matrix& V) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const Index columns = std::min(V.cols(), structure.vectors.cols());
  if (columns == 0) return {kNone, kNone};
  const Matrix cosines = V.leftCols(columns).transpose() * structure.vectors;
  const auto weighted = cosines * structure.values.cwiseSqrt().asDiagonal();
  return {cosines.squaredNorm() / static_cast<double>(columns), weighted.squaredNorm() / structure.values.sum()};
}

}  // namespace hesse
