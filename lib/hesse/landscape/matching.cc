#include "hesse/landscape/matching.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/landscape/assignment.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

namespace hesse {
namespace {

/// A dense layer in the flat vector: W, outputs x inputs and row-major, and b behind it.
struct DenseBlock {
  Index offset;
  Index inputs;
  Index outputs;
};

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
Eigen::Map<const RowMajor> weights(const DenseBlock& layer, const Vector& x) {
  return {x.data() + layer.offset, layer.outputs, layer.inputs};
}
Eigen::Map<RowMajor> weights(const DenseBlock& layer, Vector& x) {
  return {x.data() + layer.offset, layer.outputs, layer.inputs};
}
auto biases(const DenseBlock& layer, const Vector& x) {
  return x.segment(layer.offset + layer.outputs * layer.inputs, layer.outputs);
}
auto biases(const DenseBlock& layer, Vector& x) {
  return x.segment(layer.offset + layer.outputs * layer.inputs, layer.outputs);
}

bool is_activation(const std::string& name) {
  for (const Activation activation : {Activation::identity, Activation::tanh, Activation::sigmoid, Activation::relu,
                                      Activation::gelu, Activation::softplus}) {
    if (name == to_string(activation)) return true;
  }
  return false;
}

std::vector<DenseBlock> dense_chain(const Network& network) {
  std::vector<DenseBlock> chain;
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const Layer& layer = *network.layers()[l];
    const Wiring& wiring = network.wiring(l);
    const bool chained = wiring.input == static_cast<Index>(l) && wiring.addend == Wiring::kNone;
    if (chained && layer.name() == "dense") {
      chain.push_back({network.offset(l), layer.input_size(), layer.output_size()});
    } else if (!chained || !is_activation(layer.name())) {
      fail(
          "matching: layer {} ({}) is neither dense nor an elementwise activation in a chain; only multilayer "
          "perceptrons "
          "without dropout can be matched",
          l + 1, layer.name());
    }
  }
  return chain;
}

void check_size(const Network& network, const Vector& x) {
  if (x.size() != network.layout().size()) {
    fail("matching: {} parameters, but the network has {}", x.size(), network.layout().size());
  }
}

UnitOrder identity_order(const std::vector<DenseBlock>& chain) {
  UnitOrder order;
  for (std::size_t l = 0; l + 1 < chain.size(); ++l) {
    auto& units = order.emplace_back(static_cast<std::size_t>(chain[l].outputs));
    std::iota(units.begin(), units.end(), Index{0});
  }
  return order;
}

Vector reordered(const std::vector<DenseBlock>& chain, const Vector& x, const UnitOrder& order) {
  Vector out = x;
  for (std::size_t l = 0; l < chain.size(); ++l) {
    const auto from = weights(chain[l], x);
    auto to = weights(chain[l], out);
    const auto from_bias = biases(chain[l], x);
    auto to_bias = biases(chain[l], out);
    for (Index i = 0; i < chain[l].outputs; ++i) {
      const Index source = l < order.size() ? order[l][static_cast<std::size_t>(i)] : i;
      to_bias[i] = from_bias[source];
      for (Index j = 0; j < chain[l].inputs; ++j) {
        to(i, j) = from(source, l > 0 ? order[l - 1][static_cast<std::size_t>(j)] : j);
      }
    }
  }
  return out;
}

/// How alike unit i of A and unit j of the reordered B are in hidden layer l: by their incoming weights and biases, and
/// by their outgoing weights where `outgoing`.
Matrix likeness(const std::vector<DenseBlock>& chain, const Vector& A, const Vector& B, std::size_t l, bool outgoing) {
  Matrix S = weights(chain[l], A) * weights(chain[l], B).transpose();
  S.noalias() += biases(chain[l], A) * biases(chain[l], B).transpose();
  if (outgoing) S.noalias() += weights(chain[l + 1], A).transpose() * weights(chain[l + 1], B);
  return S;
}

/// `units` picks from what `before` picked.
void compose(std::vector<Index>& before, const std::vector<Index>& units) {
  std::vector<Index> after(before.size());
  for (std::size_t i = 0; i < before.size(); ++i) after[i] = before[static_cast<std::size_t>(units[i])];
  before = std::move(after);
}

Matching descend(const std::vector<DenseBlock>& chain, const Vector& A, const Vector& B, UnitOrder order) {
  constexpr Index kMaxSweeps = 1000;
  Matching out;
  out.order = std::move(order);
  out.matched = reordered(chain, B, out.order);
  // A gain below what rounding leaves in the sums would let two equal orders take turns for ever.
  const double noise = 1e-12 * norm(A) * norm(B);
  out.converged = false;
  while (!out.converged && out.sweeps < kMaxSweeps) {
    ++out.sweeps;
    out.converged = true;
    for (std::size_t l = 0; l + 1 < chain.size(); ++l) {
      const Matrix S = likeness(chain, A, out.matched, l, true);
      const std::vector<Index> units = largest_assignment(S);
      double gain = 0;
      for (Index i = 0; i < S.rows(); ++i) gain += S(i, units[static_cast<std::size_t>(i)]) - S(i, i);
      if (!(gain > noise)) continue;
      out.converged = false;
      compose(out.order[l], units);
      out.matched = reordered(chain, B, out.order);
    }
  }
  out.distance = distance(A, out.matched);
  return out;
}

/// Layer by layer from the inputs on, where the order of what comes before is settled.
UnitOrder forward_order(const std::vector<DenseBlock>& chain, const Vector& A, const Vector& B) {
  UnitOrder order = identity_order(chain);
  for (std::size_t l = 0; l + 1 < chain.size(); ++l) {
    const Vector now = reordered(chain, B, order);
    order[l] = largest_assignment(likeness(chain, A, now, l, false));
  }
  return order;
}

}  // namespace

Vector reordered(const Network& network, const Vector& x, const UnitOrder& order) {
  const std::vector<DenseBlock> chain = dense_chain(network);
  check_size(network, x);
  bool fits = order.size() + 1 == chain.size();
  for (std::size_t l = 0; fits && l < order.size(); ++l) {
    const std::vector<Index> sorted = [&] {
      std::vector<Index> units = order[l];
      std::sort(units.begin(), units.end());
      return units;
    }();
    fits = sorted == identity_order(chain)[l];
  }
  if (!fits)
    fail("matching: the order is no permutation of the units of each of the {} hidden layers", chain.size() - 1);
  return reordered(chain, x, order);
}

Matching match(const Network& network, const Vector& A, const Vector& B) {
  const std::vector<DenseBlock> chain = dense_chain(network);
  check_size(network, A);
  check_size(network, B);
  if (!all_finite(A) || !all_finite(B)) fail("matching: a parameter is not finite, so units cannot be compared");
  Matching as_it_is = descend(chain, A, B, identity_order(chain));
  Matching forward = descend(chain, A, B, forward_order(chain, A, B));
  Matching& nearer = forward.distance < as_it_is.distance ? forward : as_it_is;
  nearer.distance_before = distance(A, B);
  return std::move(nearer);
}

}  // namespace hesse
