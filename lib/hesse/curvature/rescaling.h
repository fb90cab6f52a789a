/// \file
/// The rescaling of Dinh, Pascanu, Bengio and Bengio (2017), section 4: other parameters, the same function.
///
/// relu(alpha s) = alpha relu(s) for alpha > 0, and likewise through pooling, identity and dropout. With a layer's
/// weights and bias times alpha and the weights of the next one divided by it, a network computes what it did, while
/// the Hessian's blocks of the two are divided and multiplied by alpha^2: a minimum becomes as sharp as one likes by
/// eigenvalue, trace or norm, and a measure that such a change moves says nothing about the function.
#pragma once

#include "hesse/nn/network_objective.h"

#include <cstddef>
#include <vector>

namespace hesse {

/// Two linear layers (dense, convolution, position-wise) with nothing but positively homogeneous layers between.
struct RescalablePair {
  std::size_t first;  ///< index of a layer of the network
  std::size_t next;
};

/// All pairs of a network, in order: where the output of each layer from `first` to `next` is read by one layer alone.
/// Throws Error when there is none, naming what is in the way.
std::vector<RescalablePair> rescalable_pairs(const Network& network);

/// x with W and b of the first layer times alpha, and W of the next divided by alpha. Throws Error unless alpha > 0 and
/// x has the network's size.
Vector rescaled(const Network& network, const Vector& x, const RescalablePair& pair, double alpha);

/// max |z(x) - z(y)| / max |z(x)| over the network's outputs on the selected samples, 0 where they are equal: rounding
/// where the function is the same.
double output_change(NetworkObjective& f, const Vector& x, const Vector& y);

}  // namespace hesse
