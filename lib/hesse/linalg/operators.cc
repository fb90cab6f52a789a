#include "hesse/linalg/operators.h"

#include "hesse/core/error.h"
#include "hesse/core/workspaces.h"

#include <algorithm>

namespace hesse {
namespace {

/// Grows to n x k and returns the block; never shrinks, so narrower blocks allocate nothing.
Eigen::Block<Matrix, Eigen::Dynamic, Eigen::Dynamic, true> room(Matrix& workspace, Index n, Index k) {
  if (workspace.rows() != n || workspace.cols() < k) resize_afresh(workspace, n, k);
  return workspace.leftCols(k);
}

void require(const OperatorPtr& A) {
  if (A == nullptr) fail("operator: a part is missing (null)");
}

class Dense final : public LinearOperator {
 public:
  explicit Dense(Matrix A) : A_(std::move(A)) {
    if (A_.rows() != A_.cols()) fail("operator: a {} x {} matrix is not square", A_.rows(), A_.cols());
  }
  Index size() const override { return A_.rows(); }
  void apply(ConstMatrixView X, MatrixView Y) const override { Y.noalias() = A_ * X; }

 private:
  Matrix A_;
};

class Diagonal final : public LinearOperator {
 public:
  explicit Diagonal(Vector d) : d_(std::move(d)) {}
  Index size() const override { return d_.size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override { Y = d_.asDiagonal() * X; }

 private:
  Vector d_;
};

class ScaledIdentity final : public LinearOperator {
 public:
  ScaledIdentity(Index n, double s) : n_(n), s_(s) {
    if (n < 0) fail("operator: the size {} is negative", n);
  }
  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override { Y = s_ * X; }

 private:
  Index n_;
  double s_;
};

/// s A + t I.
class Affine final : public LinearOperator {
 public:
  Affine(OperatorPtr A, double s, double t) : A_(std::move(A)), s_(s), t_(t) { require(A_); }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    A_->apply(X, Y);
    if (s_ != 1) Y *= s_;
    if (t_ != 0) Y += t_ * X;
  }

 private:
  OperatorPtr A_;
  double s_;
  double t_;
};

class Sum final : public LinearOperator {
 public:
  explicit Sum(std::vector<Term> terms) : terms_(std::move(terms)) {
    if (terms_.empty()) fail("operator: a sum needs at least one term");
    for (const Term& term : terms_) {
      require(term.A);
      if (term.A->size() != size()) fail("operator: a sum of sizes {} and {}", size(), term.A->size());
    }
  }
  Index size() const override { return terms_.front().A->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    terms_.front().A->apply(X, Y);
    Y *= terms_.front().weight;
    auto part = room(workspace_, size(), X.cols());
    for (std::size_t i = 1; i < terms_.size(); ++i) {
      terms_[i].A->apply(X, part);
      Y += terms_[i].weight * part;
    }
  }

 private:
  std::vector<Term> terms_;
  mutable Matrix workspace_;
};

class LowRank final : public LinearOperator {
 public:
  LowRank(Matrix U, Vector d) : U_(std::move(U)), d_(std::move(d)) {
    if (U_.cols() != d_.size()) fail("operator: {} columns with {} weights", U_.cols(), d_.size());
  }
  Index size() const override { return U_.rows(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    auto inner = room(workspace_, U_.cols(), X.cols());
    inner.noalias() = U_.transpose() * X;
    inner.array().colwise() *= d_.array();
    Y.noalias() = U_ * inner;
  }

 private:
  Matrix U_;
  Vector d_;
  mutable Matrix workspace_;
};

class SubBlock final : public LinearOperator {
 public:
  SubBlock(OperatorPtr A, std::vector<Index> indices) : A_(std::move(A)), indices_(std::move(indices)) {
    require(A_);
    std::vector<Index> sorted = indices_;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] < 0 || sorted[i] >= A_->size()) {
        fail("operator: a sub-block with index {} of an operator of size {}", sorted[i], A_->size());
      }
      if (i > 0 && sorted[i] == sorted[i - 1]) fail("operator: a sub-block with index {} twice", sorted[i]);
    }
  }
  Index size() const override { return static_cast<Index>(indices_.size()); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    // As few vectors of all rows at a time as keep A busy: there may be many more of them than of X.
    constexpr Index kColumns = 16;
    for (Index first = 0; first < X.cols(); first += kColumns) {
      const Index k = std::min(kColumns, X.cols() - first);
      auto whole = room(workspace_, A_->size(), k);
      auto product = room(product_, A_->size(), k);
      whole.setZero();
      for (Index i = 0; i < size(); ++i) {
        whole.row(indices_[static_cast<std::size_t>(i)]) = X.row(i).middleCols(first, k);
      }
      A_->apply(whole, product);
      for (Index i = 0; i < size(); ++i) {
        Y.row(i).middleCols(first, k) = product.row(indices_[static_cast<std::size_t>(i)]);
      }
    }
  }

 private:
  OperatorPtr A_;
  std::vector<Index> indices_;
  mutable Matrix workspace_;
  mutable Matrix product_;
};

class BlockDiagonal final : public LinearOperator {
 public:
  explicit BlockDiagonal(std::vector<OperatorPtr> blocks) : blocks_(std::move(blocks)) {
    for (const OperatorPtr& block : blocks_) {
      require(block);
      size_ += block->size();
    }
  }
  Index size() const override { return size_; }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    Index first = 0;
    for (const OperatorPtr& block : blocks_) {
      block->apply(X.middleRows(first, block->size()), Y.middleRows(first, block->size()));
      first += block->size();
    }
  }

 private:
  std::vector<OperatorPtr> blocks_;
  Index size_ = 0;
};

class ProjectedOff final : public LinearOperator {
 public:
  ProjectedOff(OperatorPtr A, Matrix Q) : A_(std::move(A)), Q_(std::move(Q)) {
    require(A_);
    if (Q_.rows() != A_->size()) fail("operator: a basis of {} rows for size {}", Q_.rows(), A_->size());
    const double defect = (Q_.transpose() * Q_ - Matrix::Identity(Q_.cols(), Q_.cols())).norm();
    if (!(defect <= 1e-8)) fail("operator: the basis to project off is not orthonormal (|Q'Q - I| = {:.2g})", defect);
  }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    auto off = room(workspace_, size(), X.cols());
    auto inner = room(inner_, Q_.cols(), X.cols());
    inner.noalias() = Q_.transpose() * X;
    off = X;
    off.noalias() -= Q_ * inner;
    A_->apply(off, Y);
    inner.noalias() = Q_.transpose() * Y;
    Y.noalias() -= Q_ * inner;
  }

 private:
  OperatorPtr A_;
  Matrix Q_;
  mutable Matrix workspace_;
  mutable Matrix inner_;
};

class Congruence final : public LinearOperator {
 public:
  Congruence(OperatorPtr A, Matrix B) : A_(std::move(A)), B_(std::move(B)) {
    require(A_);
    if (B_.rows() != A_->size()) fail("operator: B has {} rows, but A has size {}", B_.rows(), A_->size());
  }
  Index size() const override { return B_.cols(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    auto BX = room(workspace_, A_->size(), X.cols());
    auto product = room(product_, A_->size(), X.cols());
    BX.noalias() = B_ * X;
    A_->apply(BX, product);
    Y.noalias() = B_.transpose() * product;
  }

 private:
  OperatorPtr A_;
  Matrix B_;
  mutable Matrix workspace_;
  mutable Matrix product_;
};

class ScaledCoordinates final : public LinearOperator {
 public:
  ScaledCoordinates(OperatorPtr A, Vector d) : A_(std::move(A)), d_(std::move(d)) {
    require(A_);
    if (d_.size() != A_->size()) fail("operator: {} scales for size {}", d_.size(), A_->size());
  }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    auto scaled = room(workspace_, size(), X.cols());
    scaled = d_.asDiagonal() * X;
    A_->apply(scaled, Y);
    Y.array().colwise() *= d_.array();
  }

 private:
  OperatorPtr A_;
  Vector d_;
  mutable Matrix workspace_;
};

class BlockDiagonalPart final : public LinearOperator {
 public:
  BlockDiagonalPart(OperatorPtr A, std::vector<Index> sizes) : A_(std::move(A)), sizes_(std::move(sizes)) {
    require(A_);
    Index total = 0;
    for (const Index size : sizes_) {
      if (size < 0) fail("operator: a diagonal block of size {}", size);
      total += size;
    }
    if (total != A_->size()) fail("operator: diagonal blocks of {} rows in all for size {}", total, A_->size());
  }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    auto part = room(workspace_, size(), X.cols());
    auto product = room(product_, size(), X.cols());
    Index first = 0;
    for (const Index size : sizes_) {
      part.setZero();
      part.middleRows(first, size) = X.middleRows(first, size);
      A_->apply(part, product);
      Y.middleRows(first, size) = product.middleRows(first, size);
      first += size;
    }
  }

 private:
  OperatorPtr A_;
  std::vector<Index> sizes_;
  mutable Matrix workspace_;
  mutable Matrix product_;
};

class Function final : public LinearOperator {
 public:
  Function(Index n, std::function<void(ConstMatrixView, MatrixView)> apply) : n_(n), apply_(std::move(apply)) {
    if (!apply_) fail("operator: the function is empty");
  }
  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override { apply_(X, Y); }

 private:
  Index n_;
  std::function<void(ConstMatrixView, MatrixView)> apply_;
};

}  // namespace

OperatorPtr dense_operator(Matrix A) { return std::make_shared<Dense>(std::move(A)); }
OperatorPtr diagonal_operator(Vector d) { return std::make_shared<Diagonal>(std::move(d)); }
OperatorPtr scaled_identity(Index n, double s) { return std::make_shared<ScaledIdentity>(n, s); }
OperatorPtr scaled(double s, OperatorPtr A) { return std::make_shared<Affine>(std::move(A), s, 0.0); }
OperatorPtr shifted(OperatorPtr A, double s) { return std::make_shared<Affine>(std::move(A), 1.0, s); }
OperatorPtr sum(std::vector<Term> terms) { return std::make_shared<Sum>(std::move(terms)); }
OperatorPtr low_rank(Matrix U, Vector d) { return std::make_shared<LowRank>(std::move(U), std::move(d)); }
OperatorPtr sub_block(OperatorPtr A, std::vector<Index> indices) {
  return std::make_shared<SubBlock>(std::move(A), std::move(indices));
}
OperatorPtr block_diagonal(std::vector<OperatorPtr> blocks) {
  return std::make_shared<BlockDiagonal>(std::move(blocks));
}
OperatorPtr projected_off(OperatorPtr A, Matrix Q) {
  return std::make_shared<ProjectedOff>(std::move(A), std::move(Q));
}
OperatorPtr congruence(OperatorPtr A, Matrix B) { return std::make_shared<Congruence>(std::move(A), std::move(B)); }
OperatorPtr scaled_coordinates(OperatorPtr A, Vector d) {
  return std::make_shared<ScaledCoordinates>(std::move(A), std::move(d));
}
OperatorPtr block_diagonal_part(OperatorPtr A, std::vector<Index> sizes) {
  return std::make_shared<BlockDiagonalPart>(std::move(A), std::move(sizes));
}
OperatorPtr function_operator(Index n, std::function<void(ConstMatrixView X, MatrixView Y)> apply) {
  return std::make_shared<Function>(n, std::move(apply));
}

}  // namespace hesse
