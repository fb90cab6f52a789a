/// \file
/// A = Q R by Householder reflections (LAPACK's dgeqrf), with nothing allocated after the first call of a size.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// The factors Q and R of a matrix; Q is applied and never formed.
class HouseholderQr {
 public:
  /// Factorises A, m x n. 2 n^2 (m - n / 3) flops.
  void compute(const Matrix& A);
  /// b <- Q'b, b of m entries. 4 m n flops.
  void apply_transposed(Vector& b);
  /// R in the upper triangle of the first min(m, n) rows, reflections below it.
  const Matrix& factors() const { return factors_; }

 private:
  Matrix factors_;
  Vector tau_;
  std::vector<double> work_;
};

}  // namespace hesse
