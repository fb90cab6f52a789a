#include "hesse/core/error.h"
#include "hesse/nn/sequence_layers.h"

#include <algorithm>

namespace hesse {
namespace {

/// Parameters are E, then P, both row-major, a row of `features` entries a token and a position.
template <class T>
class EmbeddingMaps final : public LayerMaps<T> {
 public:
  EmbeddingMaps(Index vocabulary, Index features, Index positions)
      : vocabulary_(vocabulary), features_(features), positions_(positions) {}

  void forward(const T* p, ConstColumns<T> x, Columns<T> y) const override {
    const T* const of_positions = p + vocabulary_ * features_;
    for (Index j = 0; j < x.cols(); ++j) {
      for (Index t = 0; t < positions_; ++t) {
        const T* const token = p + static_cast<Index>(x(t, j)) * features_;
        const T* const position = of_positions + t * features_;
        T* const out = y.col(j).data() + t * features_;
        for (Index i = 0; i < features_; ++i) out[i] = token[i] + position[i];
      }
    }
  }
  /// Tokens have no adjoints; a network asks for none of its first layer.
  void backward(const T*, ConstColumns<T>, ConstColumns<T>, ConstColumns<T>, Columns<T> dx) const override {
    dx.setZero();
  }
  void forward_tangent(const T*, const T* v, ConstColumns<T> x, ConstColumns<T>, const T*,
                       Columns<T> ry) const override {
    forward(v, x, ry);
  }
  void backward_tangent(const T*, const T*, ConstColumns<T>, ConstColumns<T>, ConstColumns<T>, ConstColumns<T>,
                        ConstColumns<T>, Columns<T> rdx) const override {
    rdx.setZero();
  }

  /// The first tile is E, the second P.
  Index tiles() const override { return 2; }
  ParameterTile tile(Index index) const override {
    const Index first = vocabulary_ * features_;
    return index == 0 ? ParameterTile{0, first} : ParameterTile{first, positions_ * features_};
  }
  void gradient(Index tile, ConstColumns<T> x, ConstColumns<T> dy, T beta, T* g) const override {
    if (beta == T(0)) std::fill_n(g, this->tile(tile).length, T(0));
    for (Index j = 0; j < x.cols(); ++j) {
      for (Index t = 0; t < positions_; ++t) {
        T* const row = g + (tile == 0 ? static_cast<Index>(x(t, j)) : t) * features_;
        const T* const adjoint = dy.col(j).data() + t * features_;
        for (Index i = 0; i < features_; ++i) row[i] += adjoint[i];
      }
    }
  }
  void gradient_tangent(Index tile, ConstColumns<T> x, ConstColumns<T>, const T*, ConstColumns<T> rdy, T beta,
                        T* g) const override {
    gradient(tile, x, rdy, beta, g);
  }

 private:
  Index vocabulary_;
  Index features_;
  Index positions_;
};

class Embedding final : public Layer {
 public:
  Embedding(Index vocabulary, Index features, Index positions)
      : vocabulary_(vocabulary),
        features_(features),
        positions_(positions),
        in_float_(vocabulary, features, positions),
        in_double_(vocabulary, features, positions) {}

  std::string name() const override { return "embedding"; }
  Index input_size() const override { return positions_; }
  Index output_size() const override { return features_ * positions_; }
  std::vector<LayerParameter> parameters() const override {
    return {{"token_embedding", {vocabulary_, features_}, 1, features_, ParameterRole::embedding},
            {"position_embedding", {positions_, features_}, 1, features_, ParameterRole::embedding}};
  }
  double multiplications() const override { return static_cast<double>(features_ * positions_); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  Index vocabulary_;
  Index features_;
  Index positions_;
  EmbeddingMaps<float> in_float_;
  EmbeddingMaps<double> in_double_;
};

}  // namespace

std::unique_ptr<Layer> embedding_layer(Index vocabulary, Index features, Index positions) {
  if (vocabulary < 1 || features < 1 || positions < 1) {
    fail("embedding: {} tokens, {} features and {} positions; all must be >= 1", vocabulary, features, positions);
  }
  return std::make_unique<Embedding>(vocabulary, features, positions);
}

}  // namespace hesse
