/// \file
/// Permutation matching of two networks (Ainsworth, Hayase and Srinivasa 2023, "Git Re-Basin", section 3.2).
///
/// The hidden units of a layer can be put in any order without changing what a network computes, so that two networks
/// may be the same, or alike, and far apart in parameter space. Matching orders the units of the second so that it
/// comes as near to the first as it can: permutations P_1, ..., P_{L-1} of the hidden layers that maximise
///
///     sum_l <W_l^A, P_l W_l^B P_{l-1}'> + <b_l^A, P_l b_l^B>,   P_0 = P_L = I
///
/// which is (|A|^2 + |B|^2 - |A - PB|^2) / 2. With all but one fixed the best P_l is a linear assignment problem; one
/// layer after the other is solved until no layer gains. That ends in a local maximum: the problem as a whole is
/// NP-hard.
#pragma once

#include "hesse/core/types.h"
#include "hesse/nn/network.h"

#include <vector>

namespace hesse {

/// order[l][i] is the unit that comes to place i of hidden layer l.
using UnitOrder = std::vector<std::vector<Index>>;

/// The parameters with the hidden units of each layer reordered; the network computes the same, up to the order of its
/// sums. Throws Error where the network is not a chain of dense layers with elementwise activations between them
/// (a multilayer perceptron), or the order does not fit it.
Vector reordered(const Network& network, const Vector& x, const UnitOrder& order);

/// The units of one network matched to those of another.
struct Matching {
  UnitOrder order;
  Vector matched;              ///< B with its units in this order
  double distance_before = 0;  ///< |A - B|
  double distance = 0;         ///< |A - matched|, never more
  Index sweeps = 0;            ///< over the layers, of the start that was kept
  bool converged = true;       ///< the last sweep gained nothing; else sweeps came to their limit of 1000
};

/// Matches B to A by coordinate descent from two starts, of which the nearer end is kept: the order as it is (the
/// paper's), and the order found layer by layer from the inputs on, each from its incoming weights alone. The second
/// recovers exactly any reordering of A itself in which no two units of a layer have the same incoming weights, since
/// the sum of <a_i, a_pi(i)> is largest at pi = I alone. Layers are taken in their order, where the paper draws it.
/// Costs a matrix product of the size of each layer's and an assignment, O(units^3), a layer and sweep. Throws Error on
/// other networks, as above, on sizes that differ, and on parameters that are not finite.
Matching match(const Network& network, const Vector& A, const Vector& B);

}  // namespace hesse
