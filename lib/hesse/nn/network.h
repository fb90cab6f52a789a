/// \file
/// The architecture of a network: a chain of layers, the layout of its parameters, and their start.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/nn/layer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// How weights start; biases start at 0 but for `pytorch`.
enum class Initialisation {
  glorot_uniform,  ///< U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)
  glorot_normal,   ///< N(0, 2 / (fan_in + fan_out))
  he_uniform,      ///< U(-a, a), a = sqrt(6 / fan_in) (He et al. 2015)
  he_normal,       ///< N(0, 2 / fan_in)
  lecun_normal,    ///< N(0, 1 / fan_in) (LeCun et al. 1998)
  pytorch,         ///< U(-a, a), a = 1 / sqrt(fan_in), for weights and biases: torch.nn.Linear
  sparse,          ///< 15 incoming weights N(0, 1) for each unit, the others 0 (Martens 2010)
};

/// A chain of layers. Immutable; shared by the objectives built on it.
class Network {
 public:
  /// Throws Error when there is no layer or two neighbours do not fit.
  explicit Network(std::vector<std::unique_ptr<Layer>> layers);

  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  /// Blocks "layer1.weight", "layer1.bias", ...: layers with parameters, counted from 1.
  const ParameterLayout& layout() const { return layout_; }
  /// First parameter of layer l in the flat vector.
  Index offset(std::size_t l) const { return offsets_[l]; }
  Index input_size() const { return layers_.front()->input_size(); }
  Index output_size() const { return layers_.back()->output_size(); }

  /// A starting point, a function of (how, seed) alone.
  Vector initial_parameters(Initialisation how, std::uint64_t seed) const;

  /// "784-128-64-10 tanh" style: "dense(784, 128) tanh dense(128, 64) ...".
  std::string describe() const;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
  ParameterLayout layout_;
  std::vector<Index> offsets_;
};

/// Dense layers sizes[0] -> sizes[1] -> ..., with `activation` after each but the last; units of
/// size `linear` (0: none) get no activation either, as the code layer of the deep autoencoder.
Network multilayer_perceptron(std::span<const Index> sizes, Activation activation, Index linear = 0);

}  // namespace hesse
