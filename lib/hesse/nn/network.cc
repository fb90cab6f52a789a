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
  switch (parameter.role) {
    case ParameterRole::weight: break;
    case ParameterRole::bias:
      if (how == Initialisation::pytorch) break;
      out.setZero();
      return;
    case ParameterRole::gain: out.setOnes(); return;
    case ParameterRole::embedding: return normal(0.02);
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

namespace {

std::vector<Node> chain(std::vector<std::unique_ptr<Layer>> layers) {
  std::vector<Node> nodes;
  for (auto& layer : layers) nodes.push_back({std::move(layer)});
  return nodes;
}

}  // namespace

double Layer::multiplications() const {
  double entries = 0;
  for (const LayerParameter& parameter : parameters()) {
    double product = 1;
    for (const Index extent : parameter.shape) product *= static_cast<double>(extent);
    entries += product;
  }
  return entries;
}

Network::Network(std::vector<std::unique_ptr<Layer>> layers) : Network(chain(std::move(layers))) {}

Network::Network(std::vector<Node> nodes) {
  if (nodes.empty()) fail("network: there is no layer");
  std::vector<bool> read(nodes.size() + 1, false);
  int number = 0;
  for (std::size_t l = 0; l < nodes.size(); ++l) {
    const Layer& layer = *nodes[l].layer;
    Wiring wiring = nodes[l].wiring;
    if (wiring.input == Wiring::kPrevious) wiring.input = static_cast<Index>(l);
    const auto check = [&](Index activation, const char* as, Index entries) {
      if (activation < 0 || activation > static_cast<Index>(l)) {
        fail("network: layer {} ({}) reads activation {} as {}, but only 0 to {} come before it", l + 1, layer.name(),
             activation, as, l);
      }
      const auto source = static_cast<std::size_t>(activation);
      read[source] = true;
      if (source == 0 && l == 0) return;
      const Index given = source == 0 ? nodes.front().layer->input_size() : nodes[source - 1].layer->output_size();
      if (given != entries) {
        fail("network: layer {} ({}) takes {} entries as {}, but layer {} ({}) gives {}", l + 1, layer.name(), entries,
             as, source, source == 0 ? "the input" : nodes[source - 1].layer->name(), given);
      }
    };
    check(wiring.input, "input", layer.input_size());
    if (wiring.addend != Wiring::kNone) {
      if (layer.name() != kSumLayer) {
        fail("network: layer {} ({}) has an addend; only a sum layer adds", l + 1, layer.name());
      }
      check(wiring.addend, "addend", layer.output_size());
    }
    offsets_.push_back(layout_.size());
    const auto parameters = layer.parameters();
    if (!parameters.empty()) ++number;
    for (const LayerParameter& p : parameters) layout_.add(fmt::format("layer{}.{}", number, p.name), p.shape);
    wirings_.push_back(wiring);
  }
  for (std::size_t i = 0; i + 1 < read.size(); ++i) {
    if (!read[i]) {
      fail("network: nobody reads the output of layer {} ({})", i, i == 0 ? "the input" : nodes[i - 1].layer->name());
    }
  }
  for (Node& node : nodes) layers_.push_back(std::move(node.layer));
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

Network multilayer_perceptron(std::span<const Index> sizes, Activation activation, Index linear, double dropout) {
  if (sizes.size() < 2) fail("multilayer perceptron: give at least the numbers of inputs and outputs");
  std::vector<std::unique_ptr<Layer>> layers;
  for (std::size_t l = 1; l < sizes.size(); ++l) {
    layers.push_back(dense_layer(sizes[l - 1], sizes[l]));
    if (l + 1 < sizes.size() && sizes[l] != linear && activation != Activation::identity) {
      layers.push_back(activation_layer(activation, sizes[l]));
      if (dropout > 0) layers.push_back(dropout_layer(sizes[l], dropout));
    }
  }
  return Network(std::move(layers));
}

}  // namespace hesse
