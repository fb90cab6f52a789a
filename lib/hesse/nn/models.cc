#include "hesse/nn/models.h"

#include "hesse/core/error.h"
#include "hesse/nn/sequence_layers.h"

#include <functional>
#include <utility>

namespace hesse {
namespace {

/// A network under construction: layers appended to the last activation, or to a named one.
class Builder {
 public:
  Index last() const { return static_cast<Index>(nodes_.size()); }
  Index add(std::unique_ptr<Layer> layer, Index input = Wiring::kPrevious) {
    nodes_.push_back({std::move(layer), {input, Wiring::kNone}});
    return last();
  }
  Index add_sum(Index addend) {
    const Index size = nodes_.back().layer->output_size();
    nodes_.push_back({sum_layer(size), {Wiring::kPrevious, addend}});
    return last();
  }
  Network build() { return Network(std::move(nodes_)); }

 private:
  std::vector<Node> nodes_;
};

/// Either kind of batch normalisation: with statistics of its own, or with the next of those given.
using Normaliser = std::function<std::unique_ptr<Layer>(const ImageShape&)>;

Network residual_chain(const ImageShape& image, Index width, Index stages, Index blocks, Index outputs,
                       const Normaliser& normaliser) {
  Builder net;
  const auto convolve = [&](ImageShape& shape, Index channels, Index extent, Index stride, Index input) {
    const Window window{extent, extent, stride, extent / 2};
    net.add(convolution_layer(shape, channels, window, false), input);
    shape = convolved(shape, channels, window);
    return net.add(normaliser(shape));
  };
  const auto relu = [&](const ImageShape& shape) { return net.add(activation_layer(Activation::relu, shape.size())); };

  ImageShape shape = image;
  convolve(shape, width, 3, 1, 0);
  relu(shape);
  for (Index stage = 0; stage < stages; ++stage) {
    const Index channels = width << stage;
    for (Index block = 0; block < blocks; ++block) {
      const Index stride = stage > 0 && block == 0 ? 2 : 1;
      const Index start = net.last();
      const ImageShape before = shape;
      Index shortcut = start;
      if (stride != 1 || channels != before.channels) {
        ImageShape side = before;
        shortcut = convolve(side, channels, 1, stride, start);
      }
      convolve(shape, channels, 3, stride, start);
      relu(shape);
      convolve(shape, channels, 3, 1, Wiring::kPrevious);
      net.add_sum(shortcut);
      relu(shape);
    }
  }
  net.add(average_pooling_layer(shape, {shape.height, shape.width, 1, 0}));
  net.add(dense_layer(shape.channels, outputs));
  return net.build();
}

/// The network that `make` builds from either kind.
template <class Make>
NormalisedNetwork with_twin(const Make& make) {
  const auto own = [](const ImageShape& shape) {
    return batch_normalisation_layer(shape.channels, shape.height * shape.width);
  };
  std::vector<std::shared_ptr<ChannelStatistics>> statistics;
  const auto given = [&](const ImageShape& shape) {
    statistics.push_back(std::make_shared<ChannelStatistics>());
    return frozen_batch_normalisation_layer(shape.channels, shape.height * shape.width, statistics.back());
  };
  Network training = make(own);
  Network judging = make(given);
  return {std::move(training), std::move(judging), std::move(statistics)};
}

}  // namespace

Network convolutional_network(const ImageShape& image, std::span<const Index> channels, Index kernel,
                              std::span<const Index> hidden, Index outputs, Activation activation, double dropout) {
  if (kernel < 1 || kernel % 2 == 0) {
    fail("convolutional network: a kernel of {} x {}; its extent must be odd, so that padding keeps that of the image",
         kernel, kernel);
  }
  std::vector<std::unique_ptr<Layer>> layers;
  ImageShape shape = image;
  for (const Index count : channels) {
    const Window window{kernel, kernel, 1, kernel / 2};
    layers.push_back(convolution_layer(shape, count, window));
    shape = convolved(shape, count, window);
    layers.push_back(activation_layer(activation, shape.size()));
    const Window pool{2, 2, 2, 0};
    layers.push_back(max_pooling_layer(shape, pool));
    shape = convolved(shape, count, pool);
  }
  Index units = shape.size();
  for (const Index count : hidden) {
    layers.push_back(dense_layer(units, count));
    layers.push_back(activation_layer(activation, count));
    if (dropout > 0) layers.push_back(dropout_layer(count, dropout));
    units = count;
  }
  layers.push_back(dense_layer(units, outputs));
  return Network(std::move(layers));
}

NormalisedNetwork normalised_perceptron(std::span<const Index> sizes, Activation activation) {
  if (sizes.size() < 2) fail("multilayer perceptron: give at least the numbers of inputs and outputs");
  return with_twin([&](const Normaliser& normaliser) {
    std::vector<std::unique_ptr<Layer>> layers;
    for (std::size_t l = 1; l < sizes.size(); ++l) {
      layers.push_back(dense_layer(sizes[l - 1], sizes[l]));
      if (l + 1 == sizes.size()) break;
      layers.push_back(normaliser({sizes[l], 1, 1}));
      layers.push_back(activation_layer(activation, sizes[l]));
    }
    return Network(std::move(layers));
  });
}

NormalisedNetwork residual_network(const ImageShape& image, Index width, Index stages, Index blocks, Index outputs) {
  if (width < 1 || stages < 1 || blocks < 1) {
    fail("residual network: width {}, {} stages of {} blocks; all must be >= 1", width, stages, blocks);
  }
  return with_twin(
      [&](const Normaliser& normaliser) { return residual_chain(image, width, stages, blocks, outputs, normaliser); });
}

Network transformer(Index vocabulary, Index positions, Index features, Index heads, Index blocks, double dropout) {
  Builder net;
  const auto drop = [&] {
    if (dropout > 0) net.add(dropout_layer(features * positions, dropout));
  };
  net.add(embedding_layer(vocabulary, features, positions));
  drop();
  for (Index block = 0; block < blocks; ++block) {
    Index stream = net.last();
    net.add(layer_normalisation_layer(features, positions));
    net.add(positionwise_dense_layer(features, 3 * features, positions));
    net.add(causal_attention_layer(features, heads, positions));
    net.add(positionwise_dense_layer(features, features, positions));
    drop();
    stream = net.add_sum(stream);
    net.add(layer_normalisation_layer(features, positions));
    net.add(positionwise_dense_layer(features, 4 * features, positions));
    net.add(activation_layer(Activation::gelu, 4 * features * positions));
    net.add(positionwise_dense_layer(4 * features, features, positions));
    drop();
    net.add_sum(stream);
  }
  net.add(layer_normalisation_layer(features, positions));
  net.add(positionwise_dense_layer(features, vocabulary, positions));
  return net.build();
}

}  // namespace hesse
