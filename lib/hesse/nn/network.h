/// \file
/// The architecture of a network: its layers and what each reads, the layout of its parameters, and their start.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/nn/layer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// How weights start; biases start at 0 but for `pytorch`, gains at 1.
enum class Initialisation {
  glorot_uniform,  ///< U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)
  glorot_normal,   ///< N(0, 2 / (fan_in + fan_out))
  he_uniform,      ///< U(-a, a), a = sqrt(6 / fan_in) (He et al. 2015)
  he_normal,       ///< N(0, 2 / fan_in)
  lecun_normal,    ///< N(0, 1 / fan_in) (LeCun et al. 1998)
  pytorch,         ///< U(-a, a), a = 1 / sqrt(fan_in), for weights and biases: torch.nn.Linear
  sparse,          ///< 15 incoming weights N(0, 1) for each unit, the others 0 (Martens 2010)
};

/// What a layer of a network reads. Activations are counted from 0, the network's input; activation l + 1 is the output
/// of layer l.
struct Wiring {
  static constexpr Index kPrevious = -1;
  static constexpr Index kNone = -2;
  Index input = kPrevious;  ///< the activation that the layer is applied to
  Index addend = kNone;     ///< the activation that is added to its output; only for layers made by sum_layer
};

/// A layer and its place in the network.
struct Node {
  std::unique_ptr<Layer> layer;
  Wiring wiring = {};
};

/// Layers, each of which reads the output of one before it: a chain, or with branches that sum_layer joins again
/// (residual connections). Immutable; shared by the objectives built on it.
class Network {
 public:
  /// Throws Error when there is no layer, when a layer reads from itself or from one after it, when two that are joined
  /// do not fit, or when an output but the last is read by nobody.
  explicit Network(std::vector<Node> nodes);
  /// A chain.
  explicit Network(std::vector<std::unique_ptr<Layer>> layers);

  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  /// What layer l reads, as activations' indices; addend is Wiring::kNone but for sums.
  const Wiring& wiring(std::size_t l) const { return wirings_[l]; }
  /// Blocks "layer1.weight", "layer1.bias", ...: layers with parameters, counted from 1.
  const ParameterLayout& layout() const { return layout_; }
  /// First parameter of layer l in the flat vector.
  Index offset(std::size_t l) const { return offsets_[l]; }
  Index input_size() const { return layers_.front()->input_size(); }
  Index output_size() const { return layers_.back()->output_size(); }
  /// Entries of activation i.
  Index activation_size(std::size_t i) const { return i == 0 ? input_size() : layers_[i - 1]->output_size(); }

  /// A starting point, a function of (how, seed) alone.
  Vector initial_parameters(Initialisation how, std::uint64_t seed) const;

  /// "784-128-64-10 tanh" style: "dense(784, 128) tanh dense(128, 64) ...".
  std::string describe() const;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Wiring> wirings_;
  ParameterLayout layout_;
  std::vector<Index> offsets_;
};

/// Dense layers sizes[0] -> sizes[1] -> ..., with `activation` after each but the last; units of
/// size `linear` (0: none) get no activation either, as the code layer of the deep autoencoder. With `dropout` > 0, a
/// dropout layer of that rate behind each activation.
Network multilayer_perceptron(std::span<const Index> sizes, Activation activation, Index linear = 0,
                              double dropout = 0);

}  // namespace hesse
