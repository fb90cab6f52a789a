/// \file
/// Architectures by name, beyond the multilayer perceptron of network.h.
#pragma once

#include "hesse/nn/image_layers.h"
#include "hesse/nn/network.h"
#include "hesse/nn/normalisation.h"

#include <memory>
#include <span>
#include <vector>

namespace hesse {

/// Blocks of convolution (padded to keep the extent), activation and 2 x 2 max pooling, one for each of `channels`,
/// then dense layers of `hidden` units with the activation, and the outputs (LeCun et al. 1998). With `dropout` > 0, a
/// dropout layer of that rate behind the activation of each dense layer.
Network convolutional_network(const ImageShape& image, std::span<const Index> channels, Index kernel,
                              std::span<const Index> hidden, Index outputs, Activation activation, double dropout = 0);

/// A network with batch normalisation and its twin for judging: the twin has the same parameters, and statistics in the
/// place of its batch normalisations' own, in their order.
struct NormalisedNetwork {
  Network training;
  Network judging;
  std::vector<std::shared_ptr<ChannelStatistics>> statistics;
};

/// A multilayer perceptron with batch normalisation between each hidden dense layer and its activation (Ioffe and
/// Szegedy 2015, section 3.2). Dense layers keep their biases, which the normalisation takes away again: f does not
/// depend on them. Throws Error on fewer than two sizes.
NormalisedNetwork normalised_perceptron(std::span<const Index> sizes, Activation activation);

/// The residual network of He et al. (2016), section 4.2, for small images: a 3 x 3 convolution of `width` channels,
/// then stages of `blocks` residual blocks whose channels double and whose extents halve from one to the next, global
/// average pooling, and a dense layer. A block is two 3 x 3 convolutions with batch normalisation and relu; where its
/// shape changes, the shortcut is a 1 x 1 convolution with normalisation (option B).
NormalisedNetwork residual_network(const ImageShape& image, Index width, Index stages, Index blocks, Index outputs);

/// A decoder-only transformer (Radford et al. 2019): embeddings, `blocks` blocks of
///
///     x + W_o attention(W_qkv norm(x)),   x + W_2 gelu(W_1 norm(x)),   W_1 to 4 times the features
///
/// a last normalisation, and the logits of the next token at every position. With `dropout` > 0, layers of that rate
/// behind the embeddings and behind both branches of every block.
Network transformer(Index vocabulary, Index positions, Index features, Index heads, Index blocks, double dropout = 0);

}  // namespace hesse
