#include "hesse/core/blas.h"

#include <cblas.h>

namespace hesse {
namespace {

CBLAS_TRANSPOSE code(Transpose op) { return op == Transpose::yes ? CblasTrans : CblasNoTrans; }
blasint narrow(Index i) { return static_cast<blasint>(i); }

}  // namespace

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* A, Index lda,
          const float* B, Index ldb, float beta, float* C, Index ldc) {
  cblas_sgemm(CblasColMajor, code(a_op), code(b_op), narrow(m), narrow(n), narrow(k), alpha, A, narrow(lda), B,
              narrow(ldb), beta, C, narrow(ldc));
}

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* A, Index lda,
          const double* B, Index ldb, double beta, double* C, Index ldc) {
  cblas_dgemm(CblasColMajor, code(a_op), code(b_op), narrow(m), narrow(n), narrow(k), alpha, A, narrow(lda), B,
              narrow(ldb), beta, C, narrow(ldc));
}

const char* blas_description() { return openblas_get_config(); }

}  // namespace hesse
