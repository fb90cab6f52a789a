/// \file
/// Quadratic forms of a curvature matrix, at a smaller price than its products.
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>

namespace hesse {

/// Implemented beside Objective where V'B V costs less than B V: a network's Gauss-Newton form needs the tangents of
/// its outputs alone, and no sweep back.
class CurvatureForms {
 public:
  virtual ~CurvatureForms() = default;

  /// Writes the symmetric k x k matrix V'B V, k <= 8, with B the Gauss-Newton or Fisher matrix at x of the mean over a
  /// share in (0, 1] of the selected samples: ceil(share N) of them drawn without replacement, a function of (seed,
  /// draw), or all N where layers couple samples. Once the outputs at x are known it costs a tangent forward sweep a
  /// vector: 4P flops a sample. Throws Error for another kind or a share out of range. Returns the price in gradient
  /// equivalents on the selected samples, which nobody has counted yet (see charge_work()).
  virtual double curvature_forms(const Vector& x, Curvature kind, std::uint64_t seed, std::uint64_t draw, double share,
                                 ConstMatrixView V, Matrix& forms) = 0;
};

}  // namespace hesse
