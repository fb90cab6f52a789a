#include "hesse/linalg/products.h"

#include "hesse/core/parallel.h"

namespace hesse {
namespace {

/// Wide enough that a panel runs at nearly the speed of the whole product, narrow enough that a side of some hundreds
/// makes several tasks.
constexpr Index kPanel = 128;

const double* rows_from(Transpose op, const double* A, Index lda, Index i) {
  return op == Transpose::no ? A + i : A + i * lda;
}

const double* columns_from(Transpose op, const double* B, Index ldb, Index j) {
  return op == Transpose::no ? B + j * ldb : B + j;
}

}  // namespace

void multiply(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* A, Index lda,
              const double* B, Index ldb, double beta, double* C, Index ldc) {
  if (n >= m) {
    parallel_for(block_count(n, kPanel), [&](Index task) {
      const Range r = block_range(n, kPanel, task);
      gemm(a_op, b_op, m, r.size(), k, alpha, A, lda, columns_from(b_op, B, ldb, r.begin), ldb, beta, C + r.begin * ldc,
           ldc);
    });
  } else {
    parallel_for(block_count(m, kPanel), [&](Index task) {
      const Range r = block_range(m, kPanel, task);
      gemm(a_op, b_op, r.size(), n, k, alpha, rows_from(a_op, A, lda, r.begin), lda, B, ldb, beta, C + r.begin, ldc);
    });
  }
}

void symmetric_product(Transpose a_op, Transpose b_op, Index n, Index k, double alpha, const double* A, Index lda,
                       const double* B, Index ldb, double beta, double* C, Index ldc) {
  const Index panels = block_count(n, kPanel);
  parallel_for(panels, [&](Index task) {
    const Range r = block_range(n, kPanel, task);
    gemm(a_op, b_op, n - r.begin, r.size(), k, alpha, rows_from(a_op, A, lda, r.begin), lda,
         columns_from(b_op, B, ldb, r.begin), ldb, beta, C + r.begin + r.begin * ldc, ldc);
  });
  parallel_for(panels, [&](Index task) {
    const Range r = block_range(n, kPanel, task);
    for (Index j = r.begin; j < r.end; ++j) {
      for (Index i = 0; i < j; ++i) C[i + j * ldc] = C[j + i * ldc];
    }
  });
}

}  // namespace hesse
