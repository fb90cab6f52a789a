#include "hesse/nn/network.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// Fills one tensor from draws `base`, `base` + 1, ... of the stream.
void initialise(const LayerParameter& parameter, Initialisation how, const RandomStream& stream, std::uint64_t base,
                VectorView out) {
  const auto fan_in = static_cast<double>(parameter.fan_in);
  const auto fan_out = static_cast<double>(parameter.fan_out);
  const auto uniform = [&](double a) {
    for (Index i = 0; i < out.size(); ++i) out[i] = a * (2 * stream.uniform(base + static_cast<std::uint64_t>(i)) - 1);
  };
  const auto normal = [&](double deviation) {
    for (Index i = 0; i < out.size(); ++i) out[i] = deviation * stream.normal(base + static_cast<std::uint64_t>(i));
  };
  if (parameter.is_bias && how != Initialisation::pytorch) {
    out.setZero();
    return;
  }
  switch (how) {
    case Initialisation::glorot_uniform: return uniform(std::sqrt(6 / (fan_in + fan_out)));
    case Initialisation::glorot_normal: return normal(std::sqrt(2 / (fan_in + fan_out)));
    case Initialisation::he_uniform: return uniform(std::sqrt(6 / fan_in));
    case Initialisation::he_normal: return normal(std::sqrt(2 / fan_in));
    case Initialisation::lecun_normal: return normal(std::sqrt(1 / fan_in));
    case Initialisation::pytorch: return uniform(1 / std::sqrt(fan_in));
    case Initialisation::sparse: {
      out.setZero();
      const Index units = parameter.shape.front();
      const Index inputs = out.size() / units;
      constexpr Index kIncoming = 15;
      for (Index unit = 0; unit < units; ++unit) {
        // The first kIncoming places of a partial Fisher-Yates shuffle of the unit's inputs.
        std::vector<Index> order(static_cast<std::size_t>(inputs));
        for (Index i = 0; i < inputs; ++i) order[static_cast<std::size_t>(i)] = i;
        for (Index i = 0; i < std::min(kIncoming, inputs); ++i) {
          const std::uint64_t at = base + static_cast<std::uint64_t>(unit * inputs + i);
          const Index j = i + static_cast<Index>(stream.below(static_cast<std::uint64_t>(inputs - i), at));
          std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
          out[unit * inputs + order[static_cast<std::size_t>(i)]] = stream.normal(at);
        }
      }
      return;
    }
  }
}

}  // namespace

Network::Network(std::vector<std::unique_ptr<Layer>> layers) : layers_(std::move(layers)) {
  if (layers_.empty()) fail("network: there is no layer");
  int number = 0;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = *layers_[l];
    if (l > 0 && layers_[l - 1]->output_size() != layer.input_size()) {
      fail("network: layer {} ({}) takes {} inputs, but layer {} ({}) gives {}", l + 1, layer.name(),
           layer.input_size(), l, layers_[l - 1]->name(), layers_[l - 1]->output_size());
    }
    offsets_.push_back(layout_.size());
    const auto parameters = layer.parameters();
    if (!parameters.empty()) ++number;
    for (const LayerParameter& p : parameters) layout_.add(fmt::format("layer{}.{}", number, p.name), p.shape);
  }
}

Vector Network::initial_parameters(Initialisation how, std::uint64_t seed) const {
  Vector x(layout_.size());
  const RandomStream stream(seed, Purpose::initialisation);
  auto block = layout_.blocks().begin();
  for (const auto& layer : layers_) {
    for (const LayerParameter& parameter : layer->parameters()) {
      initialise(parameter, how, stream, static_cast<std::uint64_t>(block->offset),
                 x.segment(block->offset, block->size));
      ++block;
    }
  }
  return x;
}

std::string Network::describe() const {
  std::string text;
  for (const auto& layer : layers_) {
    if (!text.empty()) text += ' ';
    text += layer->name();
    if (layer->input_size() != layer->output_size() || !layer->parameters().empty()) {
      text += fmt::format("({}, {})", layer->input_size(), layer->output_size());
    }
  }
  return text;
}

Network multilayer_perceptron(std::span<const Index> sizes, Activation activation, Index linear) {
  if (sizes.size() < 2) fail("multilayer perceptron: give at least the numbers of inputs and outputs");
  std::vector<std::unique_ptr<Layer>> layers;
  for (std::size_t l = 1; l < sizes.size(); ++l) {
    layers.push_back(dense_layer(sizes[l - 1], sizes[l]));
    if (l + 1 < sizes.size() && sizes[l] != linear && activation != Activation::identity) {
      layers.push_back(activation_layer(activation, sizes[l]));
    }
  }
  return Network(std::move(layers));
}

}  // namespace hesse
