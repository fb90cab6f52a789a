#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/nn/layer.h"

#include <algorithm>

namespace hesse {
namespace {

/// W (outputs x inputs, row-major) is the column-major matrix W' (inputs x outputs), which is how
/// the products below address it.
template <class T>
class DenseMaps final : public LayerMaps<T> {
 public:
  DenseMaps(Index inputs, Index outputs)
      : inputs_(inputs), outputs_(outputs), tile_outputs_(outputs_of_a_tile(inputs, outputs)) {}

  void forward(const T* p, ConstColumns<T> x, Columns<T> y) const override {
    const Eigen::Map<const Eigen::Vector<T, Eigen::Dynamic>> bias(p + inputs_ * outputs_, outputs_);
    y.colwise() = bias;
    gemm(Transpose::yes, Transpose::no, outputs_, x.cols(), inputs_, T(1), p, inputs_, x.data(), inputs_, T(1),
         y.data(), outputs_);
  }

  void backward(const T* p, ConstColumns<T>, ConstColumns<T>, ConstColumns<T> dy, Columns<T> dx) const override {
    gemm(Transpose::no, Transpose::no, inputs_, dy.cols(), outputs_, T(1), p, inputs_, dy.data(), outputs_, T(0),
         dx.data(), inputs_);
  }

  /// Ry = V x + v_b + W Rx.
  void forward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T>, const T* rx,
                       Columns<T> ry) const override {
    forward(v, x, ry);
    if (rx != nullptr) {
      gemm(Transpose::yes, Transpose::no, outputs_, x.cols(), inputs_, T(1), p, inputs_, rx, inputs_, T(1), ry.data(),
           outputs_);
    }
  }

  /// Rdx = W' Rdy + V' dy.
  void backward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy,
                        ConstColumns<T>, ConstColumns<T> rdy, Columns<T> rdx) const override {
    backward(p, x, y, rdy, rdx);
    gemm(Transpose::no, Transpose::no, inputs_, dy.cols(), outputs_, T(1), v, inputs_, dy.data(), outputs_, T(1),
         rdx.data(), inputs_);
  }

  /// Tiles are groups of rows of W (outputs); the last one is the bias.
  Index tiles() const override { return block_count(outputs_, tile_outputs_) + 1; }
  ParameterTile tile(Index index) const override {
    if (index + 1 == tiles()) return {inputs_ * outputs_, outputs_};
    const Range rows = block_range(outputs_, tile_outputs_, index);
    return {rows.begin * inputs_, rows.size() * inputs_};
  }

  void gradient(Index tile, ConstColumns<T> x, ConstColumns<T> dy, T beta, T* g) const override {
    if (tile + 1 == tiles()) {
      Eigen::Map<Eigen::Vector<T, Eigen::Dynamic>> sum(g, outputs_);
      if (beta == T(0)) sum.setZero();
      for (Index j = 0; j < dy.cols(); ++j) sum += dy.col(j);
      return;
    }
    outer(tile, x.data(), dy, beta, g);
  }

  /// Rdy x' + dy Rx'.
  void gradient_tangent(Index tile, ConstColumns<T> x, ConstColumns<T> dy, const T* rx, ConstColumns<T> rdy, T beta,
                        T* g) const override {
    gradient(tile, x, rdy, beta, g);
    if (rx != nullptr && tile + 1 != tiles()) outer(tile, rx, dy, T(1), g);
  }

 private:
  /// Equal tiles, large enough for a product at full speed, and enough of them to share among threads;
  /// contiguous, as the tasks are of whoever updates the parameters afterwards.
  static Index outputs_of_a_tile(Index inputs, Index outputs) {
    constexpr Index kTileEntries = 65536;
    const Index count = block_count(inputs * outputs, kTileEntries);
    return (block_count(outputs, count) + 15) / 16 * 16;
  }

  /// The tile's columns of x dy'.
  void outer(Index tile, const T* x, ConstColumns<T> dy, T beta, T* g) const {
    const Range rows = block_range(outputs_, tile_outputs_, tile);
    gemm(Transpose::no, Transpose::yes, inputs_, rows.size(), dy.cols(), T(1), x, inputs_, dy.data() + rows.begin,
         outputs_, beta, g, inputs_);
  }

  Index inputs_;
  Index outputs_;
  Index tile_outputs_;
};

class Dense final : public Layer {
 public:
  Dense(Index inputs, Index outputs)
      : inputs_(inputs), outputs_(outputs), in_float_(inputs, outputs), in_double_(inputs, outputs) {}

  std::string name() const override { return "dense"; }
  Index input_size() const override { return inputs_; }
  Index output_size() const override { return outputs_; }
  std::vector<LayerParameter> parameters() const override {
    return {{"weight", {outputs_, inputs_}, inputs_, outputs_, ParameterRole::weight},
            {"bias", {outputs_}, inputs_, outputs_, ParameterRole::bias}};
  }
  std::optional<LinearMap> linear_map() const override { return LinearMap{inputs_, outputs_}; }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  Index inputs_;
  Index outputs_;
  DenseMaps<float> in_float_;
  DenseMaps<double> in_double_;
};

}  // namespace

std::unique_ptr<Layer> dense_layer(Index inputs, Index outputs) {
  if (inputs < 1 || outputs < 1) fail("dense layer: {} inputs and {} outputs; both must be >= 1", inputs, outputs);
  return std::make_unique<Dense>(inputs, outputs);
}

}  // namespace hesse
