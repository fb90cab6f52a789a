#include "hesse/core/blas.h"

#include "hesse/core/panel_product.h"

#include <cblas.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <type_traits>
#include <vector>

// OpenBLAS's own, of which its headers say nothing: a buffer for one call, whatever the argument, and back.
extern "C" {
void* blas_memory_alloc(int);
void blas_memory_free(void*);
}

namespace hesse {
namespace {

CBLAS_TRANSPOSE code(Transpose op) { return op == Transpose::yes ? CblasTrans : CblasNoTrans; }
blasint narrow(Index i) { return static_cast<blasint>(i); }

/// Products with one thin side, measured against OpenBLAS: below, tiles are mostly padding; above,
/// OpenBLAS is as fast. In float it is by a tenth faster too where the rows of the other side lie side by side
/// and have to be copied.
template <class T>
bool is_thin(Transpose a_op, Transpose b_op, Index m, Index n, Index k) {
  const Index thin = std::min(m, n);
  if (thin < 24 || thin > 192 || k < 32 || !panel_product_available()) return false;
  const bool side_by_side = m <= n ? b_op == Transpose::yes : a_op == Transpose::no;
  return std::is_same_v<T, double> || !side_by_side;
}

/// C = op(A) op(B) + beta C with beta 0 or 1, the thinner operand packed.
template <class T>
void thin_product(Transpose a_op, Transpose b_op, Index m, Index n, Index k, const T* A, Index lda, const T* B,
                  Index ldb, T beta, T* C, Index ldc) {
  const ProductOperand<T> rows =
      a_op == Transpose::no ? ProductOperand<T>{A, m, 1, lda} : ProductOperand<T>{A, m, lda, 1};
  const ProductOperand<T> columns =
      b_op == Transpose::no ? ProductOperand<T>{B, n, ldb, 1} : ProductOperand<T>{B, n, 1, ldb};
  if (m <= n) {
    panel_product(rows, columns, k, beta != T(0), C, 1, ldc);
  } else {
    panel_product(columns, rows, k, beta != T(0), C, ldc, 1);
  }
}

/// Has OpenBLAS make one more of the buffers of which each call takes one that is free, so that there are as many as
/// threads that call it. Where it has to make one and there is no room, OpenBLAS 0.3.21 asks again and again for ever;
/// here that is std::bad_alloc. Nothing of a buffer is touched, so that it costs addresses and no memory.
void make_blas_buffer() {
  static std::mutex one_at_a_time;
  static std::vector<void*> known;
  const std::lock_guard lock(one_at_a_time);
  constexpr std::size_t kBuffer = std::size_t{129} << 20U;
  // volatile: a compiler may leave out what is freed unused.
  void* volatile const room = std::malloc(kBuffer);
  if (room == nullptr) throw std::bad_alloc();
  std::free(room);
  // Those that are free come first, and the first that has not been seen is new.
  std::vector<void*> taken;
  known.reserve(known.size() + 1);
  taken.reserve(known.size() + 1);
  do {
    taken.push_back(blas_memory_alloc(0));
  } while (std::find(known.begin(), known.end(), taken.back()) != known.end());
  known.push_back(taken.back());
  for (void* const buffer : taken) blas_memory_free(buffer);
}

}  // namespace

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* A, Index lda,
          const float* B, Index ldb, float beta, float* C, Index ldc) {
  if (alpha == 1 && (beta == 0 || beta == 1) && is_thin<float>(a_op, b_op, m, n, k)) {
    thin_product(a_op, b_op, m, n, k, A, lda, B, ldb, beta, C, ldc);
    return;
  }
  keep_blas_on_calling_thread();
  cblas_sgemm(CblasColMajor, code(a_op), code(b_op), narrow(m), narrow(n), narrow(k), alpha, A, narrow(lda), B,
              narrow(ldb), beta, C, narrow(ldc));
}

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* A, Index lda,
          const double* B, Index ldb, double beta, double* C, Index ldc) {
  if (alpha == 1 && (beta == 0 || beta == 1) && is_thin<double>(a_op, b_op, m, n, k)) {
    thin_product(a_op, b_op, m, n, k, A, lda, B, ldb, beta, C, ldc);
    return;
  }
  keep_blas_on_calling_thread();
  cblas_dgemm(CblasColMajor, code(a_op), code(b_op), narrow(m), narrow(n), narrow(k), alpha, A, narrow(lda), B,
              narrow(ldb), beta, C, narrow(ldc));
}

void solve_upper(Side side, Transpose op, Index m, Index n, const double* U, Index ldu, double* B, Index ldb) {
  keep_blas_on_calling_thread();
  cblas_dtrsm(CblasColMajor, side == Side::left ? CblasLeft : CblasRight, CblasUpper, code(op), CblasNonUnit, narrow(m),
              narrow(n), 1.0, U, narrow(ldu), B, narrow(ldb));
}

void keep_blas_on_calling_thread() {
  // One call for the process would do with the build that has threads of its own; the one on OpenMP asks each calling
  // thread how many to use.
  thread_local const bool once = (openblas_set_num_threads(1), make_blas_buffer(), true);
  static_cast<void>(once);
}

const char* blas_description() { return openblas_get_config(); }

}  // namespace hesse
