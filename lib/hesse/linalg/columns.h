/// \file
/// The columns of an operator's matrix, one after the other, without the matrix.
#pragma once

#include "hesse/linalg/linear_operator.h"

#include <algorithm>

namespace hesse {

/// Calls visit(j, A e_j) for j = 0, ..., n - 1: n products, `block` of them at once, 2 n block numbers of memory.
template <class Visit>
void each_column(const LinearOperator& A, Index block, const Visit& visit) {
  const Index n = A.size();
  Matrix E = Matrix::Zero(n, std::min(block, n));
  Matrix AE(n, E.cols());
  for (Index begin = 0; begin < n; begin += E.cols()) {
    const Index k = std::min(E.cols(), n - begin);
    for (Index j = 0; j < k; ++j) E(begin + j, j) = 1;
    A.apply(E.leftCols(k), AE.leftCols(k));
    for (Index j = 0; j < k; ++j) {
      visit(begin + j, AE.col(j));
      E(begin + j, j) = 0;
    }
  }
}

}  // namespace hesse
