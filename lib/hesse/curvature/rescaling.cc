#include "hesse/curvature/rescaling.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

namespace hesse {
namespace {

/// L(alpha x) = alpha L(x) for alpha > 0, without parameters.
bool is_homogeneous(const Layer& layer) {
  constexpr std::array<std::string_view, 4> kNames = {"relu", "identity", "max-pooling", "average-pooling"};
  return layer.dropout_rate() > 0 || std::find(kNames.begin(), kNames.end(), layer.name()) != kNames.end();
}

constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

/// The one layer that reads the output of layer l, and as its input; kNobody where there are several, or a sum adds it.
std::size_t only_reader(const Network& network, std::size_t l) {
  const auto activation = static_cast<Index>(l) + 1;
  std::size_t reader = kNobody;
  for (std::size_t k = 0; k < network.layers().size(); ++k) {
    const Wiring& wiring = network.wiring(k);
    if (wiring.addend == activation) return kNobody;
    if (wiring.input != activation) continue;
    if (reader != kNobody) return kNobody;
    reader = k;
  }
  return reader;
}

}  // namespace

std::vector<RescalablePair> rescalable_pairs(const Network& network) {
  std::vector<RescalablePair> pairs;
  std::string obstacle;
  for (std::size_t first = 0; first < network.layers().size(); ++first) {
    if (!network.layers()[first]->linear_map()) continue;
    std::size_t l = only_reader(network, first);
    while (l != kNobody && network.wiring(l).addend == Wiring::kNone && is_homogeneous(*network.layers()[l])) {
      l = only_reader(network, l);
    }
    if (l == kNobody) continue;
    if (network.wiring(l).addend == Wiring::kNone && network.layers()[l]->linear_map()) {
      pairs.push_back({first, l});
    } else if (obstacle.empty()) {
      obstacle = fmt::format("; behind layer {} ({}) stands {}", first + 1, network.layers()[first]->name(),
                             network.layers()[l]->name());
    }
  }
  if (pairs.empty()) {
    fail(
        "rescaling: this network has no two linear layers with only relu, identity, pooling or dropout between them{}; "
        "take one with activation=relu",
        obstacle);
  }
  return pairs;
}

Vector rescaled(const Network& network, const Vector& x, const RescalablePair& pair, double alpha) {
  if (!(alpha > 0) || !std::isfinite(alpha)) fail("rescaling: alpha = {:g} is not possible; give a number > 0", alpha);
  if (x.size() != network.layout().size()) {
    fail("rescaling: a point of {} entries for a network of {} parameters", x.size(), network.layout().size());
  }
  Vector y = x;
  const LinearMap first = *network.layers()[pair.first]->linear_map();
  const LinearMap next = *network.layers()[pair.next]->linear_map();
  y.segment(network.offset(pair.first), first.outputs * (first.inputs + (first.bias ? 1 : 0))) *= alpha;
  y.segment(network.offset(pair.next), next.outputs * next.inputs) /= alpha;
  return y;
}

double output_change(NetworkObjective& f, const Vector& x, const Vector& y) {
  const Matrix z = f.outputs(x);
  const double change = (f.outputs(y) - z).cwiseAbs().maxCoeff();
  // Without 0 / 0 where all outputs are 0.
  return change == 0 ? 0 : change / z.cwiseAbs().maxCoeff();
}

}  // namespace hesse
