/// \file
/// Dense products large enough to be split over the threads: C by panels of columns, or of rows where it has more of
/// them. The panels are fixed by the sizes alone and each is one product on one thread, so that the bits do not depend
/// on the number of threads, nor on whether the call comes from inside a parallel loop.
#pragma once

#include "hesse/core/blas.h"
#include "hesse/core/types.h"

#include <type_traits>

namespace hesse {

/// C = alpha op(A) op(B) + beta C with op(A) m x k, op(B) k x n, as in `gemm`, T float or double. 2 m n k flops.
template <class T>
void multiply(Transpose a_op, Transpose b_op, Index m, Index n, Index k, std::type_identity_t<T> alpha, const T* A,
              Index lda, const T* B, Index ldb, std::type_identity_t<T> beta, T* C, Index ldc);

/// The same for an n x n product that is symmetric by its meaning, such as A A' or that of two polynomials of one
/// symmetric matrix, with a symmetric C where beta is not 0: the lower half is computed and mirrored, so that C is
/// symmetric to the bit. About n^2 k flops.
template <class T>
void symmetric_product(Transpose a_op, Transpose b_op, Index n, Index k, std::type_identity_t<T> alpha, const T* A,
                       Index lda, const T* B, Index ldb, std::type_identity_t<T> beta, T* C, Index ldc);

}  // namespace hesse
