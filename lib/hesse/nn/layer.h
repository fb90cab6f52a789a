/// \file
/// A layer of a network: its shape, its parameters, and the maps from which every derivative follows.
///
/// With y = L(p, x) for parameters p, a loss further on, dx and dy the adjoints of x and y, and R{.}
/// the derivative along a direction (v in the parameters, Rx in the inputs; Pearlmutter 1994), a layer
/// gives
///
///     forward            y   = L(p, x)
///     backward           dx  = (dL/dx)' dy
///     forward_tangent    Ry  = (dL/dx) Rx + (dL/dp) v
///     backward_tangent   Rdx = R{(dL/dx)' dy}
///     gradient           g   = (dL/dp)' dy
///     gradient_tangent   Rg  = R{(dL/dp)' dy}
///
/// The Hessian-vector product is a forward_tangent sweep and a backward_tangent sweep; the
/// Gauss-Newton product is a forward_tangent sweep, the loss's Hessian, and a plain backward sweep.
#pragma once

#include "hesse/core/types.h"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace hesse {

/// Samples as columns, contiguous.
template <class T>
using Columns = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;
template <class T>
using ConstColumns = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;

/// A stretch of a layer's parameters.
struct ParameterTile {
  Index begin = 0;
  Index length = 0;
};

/// The maps of a layer in one precision. All are const and safe from several threads at once: they
/// are called on disjoint chunks of samples (the first four) or disjoint tiles of the parameters
/// (the last two). Pointers `p`, `v` and `g` address the layer's own parameters, in the order in
/// which the layer declares them.
template <class T>
class LayerMaps {
 public:
  virtual ~LayerMaps() = default;

  virtual void forward(const T* p, ConstColumns<T> x, Columns<T> y) const = 0;
  virtual void backward(const T* p, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy, Columns<T> dx) const = 0;
  /// `rx` is null where the inputs do not depend on the parameters (the first layer).
  virtual void forward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T> y, const T* rx,
                               Columns<T> ry) const = 0;
  virtual void backward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy,
                                ConstColumns<T> rx, ConstColumns<T> rdy, Columns<T> rdx) const = 0;

  /// The parameters are cut into this many tiles, fixed by the layer's shape; 0 without parameters.
  virtual Index tiles() const { return 0; }
  /// What a tile covers: it writes only this.
  virtual ParameterTile tile(Index /*index*/) const { return {}; }
  /// Writes (beta = 0) or adds (beta = 1) the tile's gradient, summed over all columns, into `g`,
  /// which addresses the tile's first entry.
  virtual void gradient(Index /*tile*/, ConstColumns<T> /*x*/, ConstColumns<T> /*dy*/, T /*beta*/, T* /*g*/) const {}
  /// Likewise for R{gradient}; `rx` is null as above.
  virtual void gradient_tangent(Index /*tile*/, ConstColumns<T> /*x*/, ConstColumns<T> /*dy*/, const T* /*rx*/,
                                ConstColumns<T> /*rdy*/, T /*beta*/, T* /*g*/) const {}

  /// The two sides of a shared linear map (see LinearMap): the inputs a_r and the adjoints of s_r at every place r of
  /// every sample, a place after the other: inputs x (places * columns) and outputs x (places * columns). Asked only of
  /// layers with more than one place; where both lie like this already, a copy.
  virtual void inputs_at_places(ConstColumns<T> /*x*/, Columns<T> /*a*/) const {}
  virtual void adjoints_at_places(ConstColumns<T> /*dy*/, Columns<T> /*g*/) const {}
};

/// How a tensor starts, and what methods that treat tensors by kind take it for.
enum class ParameterRole {
  weight,     ///< by the network's initialisation and the fans
  bias,       ///< 0
  gain,       ///< 1: the scale of a normalisation
  embedding,  ///< N(0, 0.02^2) (Radford et al. 2018)
};

/// One tensor that a layer owns.
struct LayerParameter {
  std::string name;          ///< "weight", "bias"
  std::vector<Index> shape;  ///< row-major, outputs first, as PyTorch has it
  Index fan_in = 0;          ///< inputs that one output sees
  Index fan_out = 0;
  ParameterRole role = ParameterRole::weight;
};

/// A layer that applies one matrix at each of its places: s_r = W a_r + b for r = 1..places, with W outputs x inputs
/// stored row-major as the layer's first tensor, and b, if any, right behind it. A dense layer has one place, a
/// convolution as many as output pixels, a position-wise layer as many as positions.
struct LinearMap {
  Index inputs = 0;
  Index outputs = 0;
  Index places = 1;
  bool bias = true;
};

/// Shape and parameters of a layer, and its maps in both precisions. Immutable.
class Layer {
 public:
  virtual ~Layer() = default;

  /// "dense", "tanh": as architectures are printed.
  virtual std::string name() const = 0;
  virtual Index input_size() const = 0;
  virtual Index output_size() const = 0;
  virtual std::vector<LayerParameter> parameters() const { return {}; }
  /// Set for layers that are a (shared) linear map and nothing else.
  virtual std::optional<LinearMap> linear_map() const { return std::nullopt; }
  /// Multiplications of `forward` a sample: by default one a parameter. Prices of derivatives follow from it.
  virtual double multiplications() const;
  /// True when a sample's output depends on the other samples of the batch (batch normalisation in
  /// training); such a layer is handed whole passes of samples, any other one chunk after chunk.
  virtual bool couples_samples() const { return false; }
  /// Share of its outputs that the objective sets to 0; 0 but for layers made by dropout_layer.
  virtual double dropout_rate() const { return 0; }

  virtual const LayerMaps<float>& in_float() const = 0;
  virtual const LayerMaps<double>& in_double() const = 0;

  template <class T>
  const LayerMaps<T>& maps() const {
    if constexpr (std::is_same_v<T, float>) {
      return in_float();
    } else {
      return in_double();
    }
  }
};

/// y = W x + b with W outputs x inputs, stored row-major, then b.
std::unique_ptr<Layer> dense_layer(Index inputs, Index outputs);

/// The name of a layer made by sum_layer.
inline constexpr const char* kSumLayer = "sum";
/// y = x on `size` entries, to which the network adds another activation: where branches join.
std::unique_ptr<Layer> sum_layer(Index size);

/// y = m x / (1 - rate) on `size` entries, where each m is 0 with probability `rate` and otherwise 1 (Srivastava et al.
/// 2014, section 10), so that the mean of y is x. Which are 0 is a function of the samples that the objective's mean is
/// over: f stays one smooth function from one selection to the next, all its derivatives are exact, and a run that goes
/// on after an interruption meets the masks that it would have met. A mean over all samples has always the same mask.
/// Throws Error unless 0 <= rate < 1.
std::unique_ptr<Layer> dropout_layer(Index size, double rate);

enum class Activation { identity, tanh, sigmoid, relu, gelu, softplus };
const char* to_string(Activation activation);

/// y_i = phi(x_i) on `size` units. gelu is x Phi(x) with the normal distribution function (Hendrycks
/// and Gimpel 2016); the derivatives of relu at 0 are taken as 0.
std::unique_ptr<Layer> activation_layer(Activation activation, Index size);

}  // namespace hesse
