/// \file
/// The matrix product of BLAS, for float and double: OpenBLAS for large products, our own
/// (core/panel_product.h) for those with a thin side. Each call runs on the calling thread: Hesse
/// splits its work itself (core/parallel.h), so that bits do not depend on the number of threads.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

enum class Transpose { no, yes };

/// C = alpha op(A) op(B) + beta C with op(A) m x k, op(B) k x n, all column-major; the leading
/// dimension of an operand is the number of rows it is stored with. beta = 0 ignores what C held.
void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* A, Index lda,
          const float* B, Index ldb, float beta, float* C, Index ldc);
void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* A, Index lda,
          const double* B, Index ldb, double beta, double* C, Index ldc);

enum class Side { left, right };

/// B <- op(U)^-1 B (left) or B op(U)^-1 (right) with U upper triangular, B m x n, all column-major.
void solve_upper(Side side, Transpose op, Index m, Index n, const double* U, Index ldu, double* B, Index ldb);

/// Holds the BLAS and LAPACK calls that follow on the calling thread to that thread. The products above do it
/// themselves; it is for direct calls of LAPACK.
void keep_blas_on_calling_thread();

/// The library behind these calls and its kernels: "OpenBLAS 0.3.21 ... SkylakeX".
const char* blas_description();

}  // namespace hesse
