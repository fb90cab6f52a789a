/// \file
/// Random vectors that estimators multiply an operator by, and what bounds their number.
#pragma once

#include "hesse/core/types.h"

#include <cstdint>

namespace hesse {

/// When an estimate from random products ends.
struct EstimateOptions {
  double tolerance = 0.01;        ///< on half the interval, relative to |value|, >= 0
  double absolute_tolerance = 0;  ///< likewise, as it is; either suffices
  Index max_products = 100;       ///< >= 6
  Index block = 10;               ///< probes of one product with a block, >= 1
  std::uint64_t seed = 0;
};

/// Estimators look at their tolerance after 10, 20, 40, ... probes: the more often one looks, the more often an
/// interval is narrow by chance.
constexpr Index kFirstLook = 10;

/// Throws Error on impossible options.
void check(const EstimateOptions& options);

/// Vectors of random signs into the columns of `out`, numbered from `first` on: a function of (seed, number).
void draw_signs(std::uint64_t seed, Index first, MatrixView out);
/// Standard normal ones.
void draw_normals(std::uint64_t seed, Index first, MatrixView out);

}  // namespace hesse
