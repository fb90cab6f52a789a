/// \file
/// Layers on sequences. A sample is a column that holds its positions one after the other, the features of a position
/// next to each other: (positions, features) row-major, as PyTorch has it.
#pragma once

#include "hesse/nn/layer.h"

#include <memory>

namespace hesse {

/// The same dense layer at every position: a LinearMap whose places are the positions.
std::unique_ptr<Layer> positionwise_dense_layer(Index inputs, Index outputs, Index positions);

/// y_t = E[x_t] + P[t]: a row of the token embedding E (vocabulary x features) for the token whose number stands in
/// x_t, and one of the learned position embedding P (positions x features). The first layer of a network: it returns no
/// adjoints. Tokens must be whole numbers in [0, vocabulary); others are undefined behaviour, and the data is checked
/// where a problem is made.
std::unique_ptr<Layer> embedding_layer(Index vocabulary, Index features, Index positions);

/// Causal self-attention with several heads (Vaswani et al. 2017, section 3.2), without its linear maps: of each
/// position come query, key and value, 3 x features entries, and for each head with d = features / heads
///
///     a_ts = softmax_{s <= t}(q_t . k_s / sqrt(d)),   y_t = sum_s a_ts v_s
///
/// so that y_t depends on positions up to t alone. 2 positions^2 features multiplications. Throws Error when the heads
/// do not divide the features.
std::unique_ptr<Layer> causal_attention_layer(Index features, Index heads, Index positions);

}  // namespace hesse
