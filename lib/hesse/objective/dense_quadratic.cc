#include "hesse/objective/dense_quadratic.h"

#include "hesse/core/error.h"
#include "hesse/linalg/operators.h"

namespace hesse {

DenseQuadratic::DenseQuadratic(const Matrix& A, Vector b, double c) : layout_(b.size()), b_(std::move(b)), c_(c) {
  if (A.rows() != b_.size() || A.cols() != b_.size()) {
    fail("quadratic: a matrix of {} x {} for {} variables", A.rows(), A.cols(), b_.size());
  }
  A_ = dense_operator(0.5 * (A + A.transpose()));
}

double DenseQuadratic::value(const Vector& x) {
  product_.resize(x.size());
  A_->apply(x, product_);
  return 0.5 * x.dot(product_) + b_.dot(x) + c_;
}

double DenseQuadratic::value_and_gradient(const Vector& x, Vector& g) {
  g.resize(x.size());
  A_->apply(x, g);
  const double value = 0.5 * x.dot(g) + b_.dot(x) + c_;
  g += b_;
  return value;
}

std::shared_ptr<const LinearOperator> DenseQuadratic::curvature(const Vector&, Curvature kind) {
  if (kind != Curvature::hessian) fail("quadratic: there is a Hessian and no {} matrix", to_string(kind));
  return A_;
}

}  // namespace hesse
