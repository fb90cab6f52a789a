#include "hesse/linalg/tall_products.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

namespace hesse {
namespace {

/// Rows of a panel: a column of it fits the first-level cache, and 100,000 rows make some dozens.
constexpr Index kRows = 4096;

/// V <- alpha Q C + beta V.
void panel_products(double alpha, ConstMatrixView Q, ConstMatrixView C, double beta, MatrixView V) {
  if (C.rows() != Q.cols() || V.rows() != Q.rows() || V.cols() != C.cols()) {
    fail("tall product: {} x {} = ({} x {}) ({} x {})", V.rows(), V.cols(), Q.rows(), Q.cols(), C.rows(), C.cols());
  }
  parallel_for(block_count(Q.rows(), kRows), [&](Index task) {
    const Range r = block_range(Q.rows(), kRows, task);
    gemm(Transpose::no, Transpose::no, r.size(), C.cols(), Q.cols(), alpha, Q.data() + r.begin, Q.outerStride(),
         C.data(), C.outerStride(), beta, V.data() + r.begin, V.outerStride());
  });
}

}  // namespace

void tall_gram(ConstMatrixView Q, ConstMatrixView V, MatrixView C, TallWorkspace& workspace) {
  const Index n = Q.rows();
  const Index k = Q.cols();
  const Index b = V.cols();
  if (V.rows() != n || C.rows() != k || C.cols() != b) {
    fail("tall product: {} x {} = ({} x {})' ({} x {})", C.rows(), C.cols(), n, k, V.rows(), b);
  }
  if (k == 0 || b == 0) return;
  const Index panels = block_count(n, kRows);
  const auto needed = static_cast<std::size_t>(panels * k * b);
  if (workspace.partial.size() < needed) workspace.partial.resize(needed);
  double* const partial = workspace.partial.data();
  parallel_for(panels, [&](Index task) {
    const Range r = block_range(n, kRows, task);
    gemm(Transpose::yes, Transpose::no, k, b, r.size(), 1.0, Q.data() + r.begin, Q.outerStride(), V.data() + r.begin,
         V.outerStride(), 0.0, partial + task * k * b, k);
  });
  C.setZero();
  for (Index task = 0; task < panels; ++task) C += Eigen::Map<const Matrix>(partial + task * k * b, k, b);
}

void tall_subtract(ConstMatrixView Q, ConstMatrixView C, MatrixView V) { panel_products(-1, Q, C, 1, V); }

void tall_combine(ConstMatrixView Q, ConstMatrixView C, MatrixView Y) { panel_products(1, Q, C, 0, Y); }

}  // namespace hesse
