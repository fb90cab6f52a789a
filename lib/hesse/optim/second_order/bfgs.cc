#include "hesse/optim/second_order/bfgs.h"

#include "hesse/core/vector_ops.h"
#include "hesse/optim/second_order/dense_hessian.h"

#include <Eigen/Cholesky>

#include <algorithm>

namespace hesse {

void visit_options(BfgsOptions& o, OptionVisitor& v) {
  v.option("curvature", o.curvature, Interval::half_open(0, 1), "least s'y / |s||y| of a pair that is used");
}

void Bfgs::prepare(Objective& f, const Point&) {
  const Index n = f.size();
  if (H_.rows() == n) return;
  DenseHessian::check_size("bfgs", n);
  H_ = Matrix::Identity(n, n);
  B_.resize(0, 0);
  updates_ = 0;
}

const Matrix* Bfgs::dense_matrix() {
  if (B_.rows() != H_.rows()) {
    B_ = updates_ == 0 ? Matrix(Matrix::Identity(H_.rows(), H_.rows()))
                       : Matrix(H_.llt().solve(Matrix::Identity(H_.rows(), H_.rows())));
  }
  return &B_;
}

const LinearOperator* Bfgs::matrix() {
  dense_matrix();
  return &operator_;
}

DirectionReport Bfgs::direction(const Point& at, Vector& d) {
  d.resize(at.g.size());
  d.noalias() = H_ * at.g;
  d = -d;
  return {};
}

double Bfgs::first_step(const Point& at, const Vector&) const {
  return updates_ == 0 ? std::min(1.0, 1 / at.gradient_norm) : 1.0;
}

void Bfgs::update(const Vector& s, const Vector& y) {
  const double sy = dot(s, y);
  const bool with_matrix = B_.size() > 0;
  if (!(sy > options_.curvature * norm(s) * norm(y))) return;
  if (updates_ == 0) {
    const double scale = sy / dot(y, y);
    H_.diagonal().setConstant(scale);
    if (with_matrix) B_.diagonal().setConstant(1 / scale);
  }
  product_.resize(s.size());
  product_.noalias() = H_ * y;
  // (6.17) multiplied out: H - rho (s (Hy)' + (Hy) s') + (rho + rho^2 y'Hy) s s'.
  const double rho = 1 / sy;
  const double weight = rho + rho * rho * dot(y, product_);
  for (Index j = 0; j < s.size(); ++j) {
    H_.col(j) += (weight * s[j] - rho * product_[j]) * s - (rho * s[j]) * product_;
  }
  ++updates_;
  if (!with_matrix) return;
  product_.noalias() = B_ * s;
  const double sBs = dot(s, product_);
  for (Index j = 0; j < s.size(); ++j) B_.col(j) += (y[j] * rho) * y - (product_[j] / sBs) * product_;
}

bool Bfgs::forget() {
  const bool any = updates_ > 0;
  H_.setIdentity();
  B_.setIdentity();  // of no size when it is not kept
  updates_ = 0;
  return any;
}

DirectionEntry bfgs_entry() {
  return direction_entry<Bfgs, BfgsOptions>("bfgs", "Quasi-Newton with a dense inverse of the Hessian",
                                            "Nocedal and Wright (2006), Algorithm 6.1", "more-thuente");
}

}  // namespace hesse
