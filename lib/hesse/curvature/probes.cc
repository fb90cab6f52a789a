#include "hesse/curvature/probes.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

namespace hesse {

void check(const EstimateOptions& options) {
  if (!(options.tolerance >= 0) || !(options.absolute_tolerance >= 0)) fail("estimate: tolerances must be >= 0");
  if (options.max_products < 6) fail("estimate: {} products are too few for an error; give 6", options.max_products);
  if (options.block < 1) fail("estimate: a block of {} vectors is not possible; give at least 1", options.block);
}

void draw_signs(std::uint64_t seed, Index first, MatrixView out) {
  for (Index j = 0; j < out.cols(); ++j) {
    RandomStream(seed, Purpose::probe, static_cast<std::uint64_t>(first + j)).fill_rademacher(out.col(j));
  }
}

void draw_normals(std::uint64_t seed, Index first, MatrixView out) {
  for (Index j = 0; j < out.cols(); ++j) {
    RandomStream(seed, Purpose::probe, static_cast<std::uint64_t>(first + j)).fill_normal(out.col(j));
  }
}

}  // namespace hesse
