/// \file
/// What objectives hold for their evaluations, to be told before it is taken.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// An objective that knows what its evaluations take.
class EvaluationMemory {
 public:
  virtual ~EvaluationMemory() = default;

  /// Bytes that evaluations and a curvature operator, on the selected samples where there are any, hold once it has
  /// multiplied a block of so many vectors.
  virtual double operator_bytes(Index vectors) const = 0;
};

}  // namespace hesse
