#include "hesse/linalg/products.h"

#include "hesse/core/parallel.h"

namespace hesse {
namespace {

/// Wide enough that a panel runs at nearly the speed of the whole product, narrow enough that a side of some hundreds
/// makes several tasks.
constexpr Index kPanel = 128;

template <class T>
const T* rows_from(Transpose op, const T* A, Index lda, Index i) {
  return op == Transpose::no ? A + i : A + i * lda;
}

template <class T>
const T* columns_from(Transpose op, const T* B, Index ldb, Index j) {
  return op == Transpose::no ? B + j * ldb : B + j;
}

}  // namespace

template <class T>
void multiply(Transpose a_op, Transpose b_op, Index m, Index n, Index k, std::type_identity_t<T> alpha, const T* A,
              Index lda, const T* B, Index ldb, std::type_identity_t<T> beta, T* C, Index ldc) {
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

template <class T>
void symmetric_product(Transpose a_op, Transpose b_op, Index n, Index k, std::type_identity_t<T> alpha, const T* A,
                       Index lda, const T* B, Index ldb, std::type_identity_t<T> beta, T* C, Index ldc) {
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

template void multiply<float>(Transpose, Transpose, Index, Index, Index, float, const float*, Index, const float*,
                              Index, float, float*, Index);
template void multiply<double>(Transpose, Transpose, Index, Index, Index, double, const double*, Index, const double*,
                               Index, double, double*, Index);
template void symmetric_product<float>(Transpose, Transpose, Index, Index, float, const float*, Index, const float*,
                                       Index, float, float*, Index);
template void symmetric_product<double>(Transpose, Transpose, Index, Index, double, const double*, Index, const double*,
                                        Index, double, double*, Index);

}  // namespace hesse
