/// \file
/// The statistics behind Kronecker factors: sums over samples and places of outer products of a layer's inputs and
/// adjoints, and of squares of its gradients in a basis.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/nn/layer.h"
#include "hesse/objective/kronecker_structure.h"

#include <vector>

namespace hesse {

/// Throws Error on a request for another matrix than the sampled or the empirical Fisher matrix, or with a share or a
/// decay out of range.
void check_request(const FactorRequest& request);

/// Adds what a pass of samples gives to the factors of one layer. Products run in T, sums over passes in double; each
/// task owns some columns of a factor, so the bits do not depend on the number of threads. Keeps its workspace.
template <class T>
class KroneckerSums {
 public:
  KroneckerSums(const LayerMaps<T>& maps, const LinearMap& map) : maps_(&maps), map_(map) {}

  const LinearMap& map() const { return map_; }

  /// How a pass enters: value = keep value + weight sum. `adjoint_scale` turns dy into adjoints of single samples'
  /// losses.
  struct Weights {
    double keep = 1;
    double weight = 1;
    double adjoint_scale = 1;
  };

  /// x: the layer's inputs, dy: its outputs' adjoints, a column a sample.
  void add_factors(ConstColumns<T> x, ConstColumns<T> dy, WeightSharing sharing, const Weights& weights,
                   KroneckerFactors& factors);

  /// The products of this layer's inputs and adjoints with those of the next layer, both with one place.
  void add_neighbours(ConstColumns<T> x, ConstColumns<T> dy, ConstColumns<T> x_next, ConstColumns<T> dy_next,
                      const LinearMap& next, const Weights& weights, KroneckerFactors& factors);

  /// See KroneckerStructure::kronecker_moments.
  void add_moments(ConstColumns<T> x, ConstColumns<T> dy, const KroneckerBasis& basis, const Weights& weights,
                   Matrix& moments);

 private:
  using Plain = Eigen::Matrix<T, Eigen::Dynamic, 1>;

  Index samples_together() const;
  ConstColumns<T> inputs_of(ConstColumns<T> x, Plain& buffer) const;
  ConstColumns<T> adjoints_of(ConstColumns<T> dy, Plain& buffer) const;
  void rotate(const T* U_A, const T* U_G, const T* a, const T* g, Index places, T* ra, T* rg) const;
  void reduce(ConstColumns<T> at_places, Index samples, T scale, Plain& buffer) const;

  const LayerMaps<T>* maps_;
  LinearMap map_;
  Plain inputs_;
  Plain adjoints_;
  Plain reduced_inputs_;
  Plain reduced_adjoints_;
  Plain basis_A_;
  Plain basis_G_;
  Plain rotated_inputs_;
  Plain rotated_adjoints_;
};

}  // namespace hesse
