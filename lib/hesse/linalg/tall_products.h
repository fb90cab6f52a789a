/// \file
/// Products with tall matrices, n x k with k small beside n, such as a basis of a Krylov space: by fixed panels of
/// rows, over the threads, so that each sweep reads the basis once and the bits depend on the sizes alone.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// Partial sums, kept between calls.
struct TallWorkspace {
  std::vector<double> partial;
};

/// C = Q'V with Q n x k and V n x b; C is k x b. 2 n k b flops.
void tall_gram(ConstMatrixView Q, ConstMatrixView V, MatrixView C, TallWorkspace& workspace);

/// V <- V - Q C. 2 n k b flops.
void tall_subtract(ConstMatrixView Q, ConstMatrixView C, MatrixView V);

/// Y = Q C. 2 n k b flops.
void tall_combine(ConstMatrixView Q, ConstMatrixView C, MatrixView Y);

}  // namespace hesse
