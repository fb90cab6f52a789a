#include "hesse/linalg/block_lanczos.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// A column that has lost this much of its length to those before it lies among them up to rounding.
constexpr double kDependent = 1e-8;

/// The basis Q and the products A Q, column by column.
class Basis {
 public:
  Basis(Index n, Index capacity) : Q_(n, capacity), AQ_(n, capacity) {}

  Index columns() const { return columns_; }
  auto Q() const { return Q_.leftCols(columns_); }
  auto AQ() const { return AQ_.leftCols(columns_); }
  void clear() { columns_ = 0; }

  /// Appends v less its part in the basis, scaled to one; false when nothing is left of it or there is no room.
  bool append(Vector v) {
    if (columns_ == Q_.cols()) return false;
    const double before = norm(v);
    if (!(before > 0) || !std::isfinite(before)) return false;
    v /= before;
    for (int pass = 0; pass < 2; ++pass) v -= Q() * (Q().transpose() * v);
    const double left = norm(v);
    if (!(left > kDependent)) return false;
    v /= left;
    v -= Q() * (Q().transpose() * v);  // what scaling up has brought back
    Q_.col(columns_++) = v / norm(v);
    return true;
  }

  /// A times the columns from `first` on. False when a product is not finite.
  bool multiply(const LinearOperator& A, Index first, Index& products) {
    const Index k = columns_ - first;
    if (k > 0) A.apply(Q_.middleCols(first, k), AQ_.middleCols(first, k));
    products += k;
    return AQ_.middleCols(first, k).allFinite();
  }

 private:
  Matrix Q_, AQ_;
  Index columns_ = 0;
};

}  // namespace

BlockLanczosResult block_lanczos(const LinearOperator& A, const Matrix& start, const BlockLanczosOptions& options) {
  const Index n = A.size();
  if (options.pairs < 1 || options.pairs > n) {
    fail("block Lanczos: {} eigenpairs of an operator of size {} are not possible", options.pairs, n);
  }
  if (options.guard < 0 || options.depth < 2 || !(options.tolerance > 0)) {
    fail("block Lanczos: guard {}, depth {} and tolerance {} are not possible; give >= 0, >= 2 and > 0", options.guard,
         options.depth, options.tolerance);
  }
  if (start.size() > 0 && start.rows() != n) fail("block Lanczos: a start of {} rows for size {}", start.rows(), n);
  const Index width = std::min(n, options.pairs + options.guard);
  BlockLanczosResult result;
  Basis basis(n, std::min(n, width * options.depth));
  for (Index j = 0; j < start.cols() && basis.columns() < width; ++j) basis.append(start.col(j));
  Vector random(n);
  for (std::uint64_t draw = 0; basis.columns() < width; ++draw) {
    RandomStream(options.seed, Purpose::krylov_start, draw).fill_normal(random);
    basis.append(random);
  }
  Index block = 0;  // first column of the last block
  for (;;) {
    if (!basis.multiply(A, block, result.products)) {
      result.status = EigenStatus::non_finite;
      return result;
    }
    // Rayleigh and Ritz on all there is.
    Matrix T = basis.Q().transpose() * basis.AQ();
    T = 0.5 * (T + T.transpose()).eval();
    Vector values;
    Matrix W;
    symmetric_eigen(T, values, W);
    const Index k = std::min(width, values.size());
    const Matrix top = W.rightCols(k).rowwise().reverse();
    EigenPairs& pairs = result.pairs;
    pairs.values = values.tail(k).reverse();
    pairs.vectors = basis.Q() * top;
    const Matrix residuals = basis.AQ() * top - pairs.vectors * pairs.values.asDiagonal();
    pairs.residuals = residuals.colwise().norm();
    result.norm = std::max(result.norm, values.cwiseAbs().maxCoeff());
    const bool done = pairs.values.size() >= options.pairs &&
                      (pairs.residuals.head(options.pairs).array() <= options.tolerance * result.norm).all();
    const bool spent = result.products + width > options.max_products;
    if (done || spent || basis.columns() == n) {
      if (!done && basis.columns() < n) result.status = EigenStatus::not_converged;
      const Index wanted = std::min(options.pairs, pairs.values.size());
      result.pairs =
          EigenPairs{pairs.values.head(wanted), pairs.vectors.leftCols(wanted), pairs.residuals.head(wanted)};
      return result;
    }
    const Matrix last = basis.AQ().rightCols(basis.columns() - block);
    block = basis.columns();
    for (const auto& column : last.colwise()) basis.append(column);
    if (basis.columns() > block) continue;
    // Full, or invariant: the Ritz vectors begin again, with random ones where the space holds no more than them.
    const bool invariant = block < std::min(n, width * options.depth);
    const Matrix ritz = pairs.vectors;
    basis.clear();
    for (const auto& column : ritz.colwise()) basis.append(column);
    if (invariant) {
      RandomStream(options.seed, Purpose::krylov_start, 1000 + static_cast<std::uint64_t>(result.products))
          .fill_normal(random);
      basis.append(random);
    }
    block = 0;
  }
}

}  // namespace hesse
