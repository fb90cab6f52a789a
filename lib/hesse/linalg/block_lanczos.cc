#include "hesse/linalg/block_lanczos.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/tall_products.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// A column that has lost this much of its length to those before it lies among them up to rounding.
constexpr double kDependent = 1e-8;

/// An orthonormal basis Q, the products A Q and T = Q'A Q, block by block.
class Basis {
 public:
  Basis(Index n, Index capacity, Index width)
      : Q_(n, capacity), AQ_(n, capacity), T_(Matrix::Zero(capacity, capacity)), rest_(n, width) {}

  Index columns() const { return columns_; }
  Index capacity() const { return Q_.cols(); }
  auto Q() const { return Q_.leftCols(columns_); }
  auto AQ() const { return AQ_.leftCols(columns_); }
  auto T() const { return T_.topLeftCorner(columns_, columns_); }
  /// The largest |q_i'A q_j - q_j'A q_i|.
  double skew() const { return skew_; }

  /// Appends what the columns of V have outside the basis and each other, as orthonormal vectors, until there are
  /// `most`. Twice is enough (Parlett 1998, section 6.9), of which rest() has done the first. Overwrites V.
  void append(MatrixView V, Index most, int passes = 2) {
    const Index before = columns_;
    for (auto column : V.colwise()) {
      const double length = norm(column);
      // A column of nothing, or not finite, is found dependent below.
      if (length > 0 && std::isfinite(length)) {
        column /= length;
      } else {
        column.setZero();
      }
    }
    for (int pass = 0; pass < passes; ++pass) project_out(Q(), V);
    for (Index j = 0; j < V.cols() && columns_ < most; ++j) {
      auto v = V.col(j);
      for (int pass = 0; pass < 2; ++pass) project_out(Q_.middleCols(before, columns_ - before), v);
      const double left = norm(v);
      if (!(left > kDependent)) continue;
      v /= left;
      if (left < 0.1) project_out(Q(), v);  // what scaling up has brought back
      Q_.col(columns_++) = v / norm(v);
    }
  }

  /// A times the columns from `first` on, and their part of T. The images of the first `closed` columns lie in the
  /// basis before them. False when a product is not finite.
  bool multiply(const LinearOperator& A, Index first, Index closed, Index& products) {
    const Index k = columns_ - first;
    if (k == 0) return true;
    A.apply(Q_.middleCols(first, k), AQ_.middleCols(first, k));
    products += k;
    coefficients_.resize(columns_, k);
    tall_gram(Q(), AQ_.middleCols(first, k), coefficients_, workspace_);
    if (!coefficients_.allFinite()) return false;
    const auto see = [&](const auto& difference) {
      if (difference.size() > 0) skew_ = std::max(skew_, difference.cwiseAbs().maxCoeff());
    };
    see(coefficients_.topRows(closed));
    // What the blocks between have been taken to by A, seen in the new one.
    if (const Index between = first - closed; between > 0) {
      backwards_.resize(k, between);
      tall_gram(Q_.middleCols(first, k), AQ_.middleCols(closed, between), backwards_, workspace_);
      see(coefficients_.middleRows(closed, between) - backwards_.transpose());
    }
    T_.block(0, first, columns_, k) = coefficients_;
    T_.block(first, 0, k, first) = coefficients_.topRows(first).transpose();
    auto corner = T_.block(first, first, k, k);
    see(corner - corner.transpose());
    corner = 0.5 * (corner + corner.transpose()).eval();
    return true;
  }

  /// What A has taken the columns from `first` on to outside the basis: A q - Q Q'A q for each of them.
  MatrixView rest(Index first) {
    const Index k = columns_ - first;
    rest_.leftCols(k) = AQ_.middleCols(first, k);
    tall_subtract(Q(), T_.block(0, first, columns_, k), rest_.leftCols(k));
    rest_columns_ = k;
    return rest_.leftCols(k);
  }
  /// The lengths of the columns of rest() W. rest() itself is scaled by a power of two that brings it to the size of 1,
  /// since squares of a tiny A would leave the range of double; append() takes columns of any length.
  Vector rest_lengths(const Matrix& W) {
    auto rest = rest_.leftCols(rest_columns_);
    double length = 0;
    for (const auto column : rest.colwise()) length = std::max(length, norm(column));
    if (length == 0) return Vector::Zero(W.cols());
    const double scale = std::exp2(std::floor(std::log2(length)));
    rest /= scale;
    Matrix gram(rest_columns_, rest_columns_);
    tall_gram(rest, rest, gram, workspace_);
    return scale * (W.transpose() * gram * W).diagonal().cwiseMax(0).cwiseSqrt();
  }

  /// The basis becomes Q W, W of orthonormal eigenvectors of T to `values`; its products follow without A.
  void contract(const Matrix& W, const Vector& values) {
    Matrix combined(Q_.rows(), W.cols());
    tall_combine(Q(), W, combined);
    const Index before = columns_;
    Q_.leftCols(W.cols()) = combined;
    tall_combine(AQ_.leftCols(before), W, combined);
    AQ_.leftCols(W.cols()) = combined;
    columns_ = W.cols();
    T_.topLeftCorner(columns_, columns_) = values.asDiagonal();
  }

 private:
  void project_out(ConstMatrixView B, MatrixView V) {
    if (B.cols() == 0) return;
    coefficients_.resize(B.cols(), V.cols());
    tall_gram(B, V, coefficients_, workspace_);
    tall_subtract(B, coefficients_, V);
  }

  Matrix Q_, AQ_, T_, rest_;
  Index columns_ = 0;
  Index rest_columns_ = 0;
  double skew_ = 0;
  Matrix coefficients_, backwards_;
  TallWorkspace workspace_;
};

}  // namespace

BlockLanczosOptions single_search(Index pairs, const EigenOptions& options) {
  BlockLanczosOptions block;
  block.pairs = pairs;
  // A lone vector takes the fewest products; where several are wanted, clusters are likelier.
  block.guard = pairs == 1 ? 0 : 2;
  block.depth = pairs == 1 ? 24 : 12;
  block.tolerance = options.tolerance;
  block.max_products = options.max_restarts * (pairs + 10);
  block.seed = options.seed;
  return block;
}

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
  Basis basis(n, std::min(n, width * options.depth), width);
  Matrix fresh(n, width);
  for (Index first = 0; first < start.cols() && basis.columns() < width; first += width) {
    const Index k = std::min(width, start.cols() - first);
    fresh.leftCols(k) = start.middleCols(first, k);
    basis.append(fresh.leftCols(k), width);
  }
  std::uint64_t draw = 0;
  const auto append_random = [&](Index most) {
    RandomStream(options.seed, Purpose::krylov_start, draw++).fill_normal(fresh.col(0));
    basis.append(fresh.leftCols(1), most);
  };
  while (basis.columns() < width) append_random(width);
  Index block = 0;   // first column of the last block
  Index closed = 0;  // columns whose images lie in the basis before it
  Vector values;
  Matrix W;
  for (;;) {
    if (!basis.multiply(A, block, closed, result.products)) {
      result.status = EigenStatus::non_finite;
      result.pairs = {};
      return result;
    }
    // Rayleigh and Ritz on all there is. With Q w a Ritz vector, A Q w - theta Q w is what A has taken the last block
    // to outside the basis, times the last entries of w: all other blocks have their images in the basis.
    symmetric_eigen(basis.T(), values, W);
    result.norm = std::max(result.norm, values.cwiseAbs().maxCoeff());
    if (result.norm > 0) result.asymmetry = basis.skew() / result.norm;
    const Index k = std::min(width, values.size());
    const Matrix top = W.rightCols(k).rowwise().reverse();
    MatrixView rest = basis.rest(block);
    const Matrix last = top.bottomRows(rest.cols());
    const double limit = options.tolerance * result.norm;
    const bool likely = (basis.rest_lengths(last.leftCols(options.pairs)).array() <= limit).all();
    const bool spent = result.products + width > options.max_products || basis.columns() == n;
    if (likely || spent) {
      EigenPairs& pairs = result.pairs;
      pairs.values = values.tail(options.pairs).reverse();
      pairs.vectors.resize(n, options.pairs);
      tall_combine(basis.Q(), top.leftCols(options.pairs), pairs.vectors);
      Matrix residuals = pairs.vectors * (-pairs.values).asDiagonal();
      tall_subtract(basis.AQ(), -top.leftCols(options.pairs), residuals);
      pairs.residuals.resize(options.pairs);
      for (Index j = 0; j < options.pairs; ++j) pairs.residuals[j] = norm(residuals.col(j));
      const bool done = (pairs.residuals.array() <= limit).all() || basis.columns() == n;
      if (!done && spent) result.status = EigenStatus::not_converged;
      if (done || spent) return result;
    }
    // Full: the better half of the Ritz vectors stays, and the next block follows them as it would have followed the
    // basis.
    closed = block;
    if (basis.columns() + rest.cols() > basis.capacity() && basis.capacity() < n) {
      const Index kept = std::max(k, basis.columns() / 2);
      basis.contract(W.rightCols(kept), values.tail(kept));
      closed = 0;
    }
    block = basis.columns();
    basis.append(rest, basis.capacity(), 1);
    while (basis.columns() == block)
      append_random(basis.capacity());  // an invariant space, of which the guard tells less
  }
}

}  // namespace hesse
