#include "hesse/optim/constrained/projection.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace hesse {
namespace {

void onto_simplex(VectorView x, double total) {
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  double shift = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    const double candidate = (sum - total) / static_cast<double>(i + 1);
    if (sorted[i] - candidate <= 0) break;
    shift = candidate;
  }
  x = (x.array() - shift).max(0.0);
}

}  // namespace

Projection box_projection(Vector lower, Vector upper) {
  if ((lower.array() > upper.array()).any()) fail("box: a lower bound lies above its upper bound");
  return [lower = std::move(lower), upper = std::move(upper)](Vector& x) { x = x.cwiseMax(lower).cwiseMin(upper); };
}

Projection ball_projection(Vector centre, double radius) {
  if (!(radius > 0)) fail("ball: radius {:g} is not positive", radius);
  return [centre = std::move(centre), radius](Vector& x) {
    const double distance = (x - centre).norm();
    if (distance > radius) x = centre + radius / distance * (x - centre);
  };
}

Projection simplex_projection(double total) {
  if (!(total > 0)) fail("simplex: total {:g} is not positive", total);
  return [total](Vector& x) { onto_simplex(x, total); };
}

Projection simplex_product_projection(Index block) {
  if (block < 1) fail("simplex product: blocks of {} are not possible", block);
  return [block](Vector& x) {
    if (x.size() % block != 0) fail("simplex product: {} entries are no blocks of {}", x.size(), block);
    for (Index begin = 0; begin < x.size(); begin += block) onto_simplex(x.segment(begin, block), 1);
  };
}

}  // namespace hesse
