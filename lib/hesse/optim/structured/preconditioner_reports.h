/// \file
/// What methods with a matrix for each side of a block tell of these one by one (Optimizer::preconditioners).
#pragma once

#include "hesse/optim/optimizer.h"

#include <vector>

namespace hesse {

/// One of each of `matrices`, which have a name and an extent; `figures` is kPreconditionerFigures x their number.
template <class Matrices>
std::vector<PreconditionerReport> reports_of(const Matrices& matrices, const Matrix& figures) {
  std::vector<PreconditionerReport> all;
  for (const auto& matrix : matrices) {
    PreconditionerReport& one = all.emplace_back();
    one.name = matrix.name;
    one.extent = matrix.extent;
    Eigen::Map<Vector>(one.figures.data(), kPreconditionerFigures) = figures.col(std::ssize(all) - 1);
  }
  return all;
}

}  // namespace hesse
