/// \file
/// Derivatives against central differences over a sweep of steps.
///
/// With h too large the difference is off by its truncation, O(h^2); with h too small by the rounding
/// of f, O(eps |f| / h). The error over h therefore has the shape of a V, and its least value tells how
/// well the derivative agrees; an error that stays flat from the first step on is a wrong derivative.
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

/// Which directions, and how good is good.
struct DerivativeCheckOptions {
  int directions = 3;  ///< random directions
  std::uint64_t seed = 0;
  double gradient_threshold = 1e-8;   ///< on the least relative error of a directional derivative
  double product_threshold = 1e-6;    ///< on that of a Hessian-vector product
  double symmetry_threshold = 1e-10;  ///< on |u'Hv - v'Hu| / (|u||v||H|)
};

/// Error at one step of the sweep: the median over directions.
struct SweepPoint {
  double step = 0;
  double gradient_error = 0;
  double product_error = 0;
};

/// The sweep, and the verdict on gradient, products and symmetry.
struct DerivativeCheck {
  std::vector<SweepPoint> sweep;  ///< steps descending
  double gradient_error = 0;      ///< least over the sweep, of the worst direction
  double product_error = 0;
  double asymmetry = 0;
  bool gradient_good = false;
  bool product_good = false;
  bool symmetric = false;
  std::string worst_block;  ///< parameter block of the largest discrepancy of the product
  bool good() const { return gradient_good && product_good && symmetric; }
};

/// Uses value, gradient and curvature of `f` at x alone. Steps are relative to max(1, |x|) over unit
/// directions. About 26 gradients and values a direction.
DerivativeCheck check_derivatives(Objective& f, const Vector& x, const DerivativeCheckOptions& options);

}  // namespace hesse
