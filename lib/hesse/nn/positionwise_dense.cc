#include "hesse/core/error.h"
#include "hesse/nn/sequence_layers.h"

namespace hesse {
namespace {

/// A dense layer on positions * samples columns.
template <class T>
class PositionwiseMaps final : public LayerMaps<T> {
 public:
  PositionwiseMaps(const LayerMaps<T>& dense, Index inputs, Index outputs, Index positions)
      : dense_(dense), inputs_(inputs), outputs_(outputs), positions_(positions) {}

  void forward(const T* p, ConstColumns<T> x, Columns<T> y) const override { dense_.forward(p, in(x), out(y)); }
  void backward(const T* p, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy, Columns<T> dx) const override {
    dense_.backward(p, in(x), out(y), out(dy), in(dx));
  }
  void forward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T> y, const T* rx,
                       Columns<T> ry) const override {
    dense_.forward_tangent(p, v, in(x), out(y), rx, out(ry));
  }
  void backward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy,
                        ConstColumns<T> rx, ConstColumns<T> rdy, Columns<T> rdx) const override {
    dense_.backward_tangent(p, v, in(x), out(y), out(dy), in(rx), out(rdy), in(rdx));
  }
  Index tiles() const override { return dense_.tiles(); }
  ParameterTile tile(Index index) const override { return dense_.tile(index); }
  void gradient(Index tile, ConstColumns<T> x, ConstColumns<T> dy, T beta, T* g) const override {
    dense_.gradient(tile, in(x), out(dy), beta, g);
  }
  void gradient_tangent(Index tile, ConstColumns<T> x, ConstColumns<T> dy, const T* rx, ConstColumns<T> rdy, T beta,
                        T* g) const override {
    dense_.gradient_tangent(tile, in(x), out(dy), rx, out(rdy), beta, g);
  }
  void inputs_at_places(ConstColumns<T> x, Columns<T> a) const override { a = in(x); }
  void adjoints_at_places(ConstColumns<T> dy, Columns<T> g) const override { g = out(dy); }

 private:
  template <class C>
  C in(C x) const {
    return C(x.data(), inputs_, positions_ * x.cols());
  }
  template <class C>
  C out(C y) const {
    return C(y.data(), outputs_, positions_ * y.cols());
  }

  const LayerMaps<T>& dense_;
  Index inputs_;
  Index outputs_;
  Index positions_;
};

class PositionwiseDense final : public Layer {
 public:
  PositionwiseDense(Index inputs, Index outputs, Index positions)
      : dense_(dense_layer(inputs, outputs)),
        inputs_(inputs),
        outputs_(outputs),
        positions_(positions),
        in_float_(dense_->in_float(), inputs, outputs, positions),
        in_double_(dense_->in_double(), inputs, outputs, positions) {}

  std::string name() const override { return "positionwise-dense"; }
  Index input_size() const override { return inputs_ * positions_; }
  Index output_size() const override { return outputs_ * positions_; }
  std::vector<LayerParameter> parameters() const override { return dense_->parameters(); }
  std::optional<LinearMap> linear_map() const override { return LinearMap{inputs_, outputs_, positions_}; }
  double multiplications() const override { return dense_->multiplications() * static_cast<double>(positions_); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  std::unique_ptr<Layer> dense_;
  Index inputs_;
  Index outputs_;
  Index positions_;
  PositionwiseMaps<float> in_float_;
  PositionwiseMaps<double> in_double_;
};

}  // namespace

std::unique_ptr<Layer> positionwise_dense_layer(Index inputs, Index outputs, Index positions) {
  if (positions < 1) fail("position-wise dense layer: {} positions; at least 1 is needed", positions);
  return std::make_unique<PositionwiseDense>(inputs, outputs, positions);
}

}  // namespace hesse
