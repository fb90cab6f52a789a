#include "hesse/linalg/inverse_operators.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/cg.h"

#include <algorithm>
#include <utility>

namespace hesse {
namespace {

class CgInverse final : public LinearOperator {
 public:
  CgInverse(OperatorPtr A, const CgInverseOptions& options, std::shared_ptr<InverseAccuracy> accuracy)
      : A_(std::move(A)), options_(options), accuracy_(std::move(accuracy)) {
    if (A_ == nullptr) fail("inverse: the operator is missing (null)");
    if (!(options_.tolerance > 0)) fail("inverse: a tolerance of {} is not possible; give one > 0", options_.tolerance);
  }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    CgOptions cg_options;
    cg_options.relative_tolerance = options_.tolerance;
    cg_options.max_iterations = options_.max_iterations;
    for (Index j = 0; j < X.cols(); ++j) {
      b_ = X.col(j);
      x_ = Vector::Zero(size());
      const CgResult result = cg(*A_, b_, x_, cg_options, workspace_);
      Y.col(j) = x_;
      if (accuracy_ == nullptr) continue;
      ++accuracy_->solves;
      accuracy_->failures += result.exit != CgExit::converged;
      accuracy_->products += result.iterations + 1;
      const double length = norm(b_);
      if (length > 0) accuracy_->worst_residual = std::max(accuracy_->worst_residual, result.residual / length);
    }
  }

 private:
  OperatorPtr A_;
  CgInverseOptions options_;
  std::shared_ptr<InverseAccuracy> accuracy_;
  mutable Vector b_, x_;
  mutable CgWorkspace workspace_;
};

class NeumannInverse final : public LinearOperator {
 public:
  NeumannInverse(OperatorPtr A, double s, Index terms) : A_(std::move(A)), s_(s), terms_(terms) {
    if (A_ == nullptr) fail("inverse: the operator is missing (null)");
    if (!(s > 0)) fail("Neumann series: a scale of {} is not possible; give one in (0, 2 / |A|)", s);
    if (terms < 0) fail("Neumann series: {} terms; give a number >= 0", terms);
  }
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    // Horner: y <- x + (I - s A) y.
    product_.resize(size(), X.cols());
    Y = X;
    for (Index k = 0; k < terms_; ++k) {
      A_->apply(Y, product_);
      Y += X - s_ * product_;
    }
    Y *= s_;
  }

 private:
  OperatorPtr A_;
  double s_;
  Index terms_;
  mutable Matrix product_;
};

}  // namespace

OperatorPtr cg_inverse(OperatorPtr A, const CgInverseOptions& options, std::shared_ptr<InverseAccuracy> accuracy) {
  return std::make_shared<CgInverse>(std::move(A), options, std::move(accuracy));
}

OperatorPtr neumann_inverse(OperatorPtr A, double s, Index terms) {
  return std::make_shared<NeumannInverse>(std::move(A), s, terms);
}

OperatorPtr low_rank_shift_inverse(Matrix U, Vector d, double shift) {
  if (U.cols() != d.size()) fail("inverse: {} columns with {} weights", U.cols(), d.size());
  const double defect = (U.transpose() * U - Matrix::Identity(U.cols(), U.cols())).norm();
  if (!(defect <= 1e-8)) fail("inverse: the columns of U are not orthonormal (|U'U - I| = {:.2g})", defect);
  if (shift == 0 || (d.array() + shift == 0).any()) {
    fail("inverse: an eigenvalue is 0 (shift {}); a singular operator has no inverse", shift);
  }
  // On the range of U the eigenvalues are 1 / (d + shift), off it 1 / shift.
  const Vector weights = (d.array() + shift).inverse() - 1 / shift;
  const Index n = U.rows();
  return sum({{1.0, low_rank(std::move(U), weights)}, {1.0, scaled_identity(n, 1 / shift)}});
}

}  // namespace hesse
