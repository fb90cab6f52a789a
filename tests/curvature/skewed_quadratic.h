/// \file
/// An objective whose products are not quite symmetric, as those in float are not.
#pragma once

#include "hesse/linalg/operators.h"
#include "hesse/objective/quadratic.h"

namespace hesse {

/// A quadratic with the centre 0 and A + skew K for its Hessian A, K x the entries of x from the last to the first with
/// the lower half negative: K' = -K for an even size. It says that it rounds as float does.
class SkewedQuadratic final : public Objective {
 public:
  SkewedQuadratic(const Vector& eigenvalues, double skew)
      : quadratic_(eigenvalues, Vector::Zero(eigenvalues.size())), skew_(skew) {}

  const ParameterLayout& layout() const override { return quadratic_.layout(); }
  double value(const Vector& x) override { return quadratic_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override { return quadratic_.value_and_gradient(x, g); }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    const Index n = size();
    return function_operator(n, [=, A = quadratic_.curvature(x, kind), skew = skew_](ConstMatrixView X, MatrixView Y) {
      A->apply(X, Y);
      Y.topRows(n / 2) += skew * X.colwise().reverse().topRows(n / 2);
      Y.bottomRows(n / 2) -= skew * X.colwise().reverse().bottomRows(n / 2);
    });
  }
  double value_noise() const override { return 1e-7; }

 private:
  Quadratic quadratic_;
  double skew_;
};

}  // namespace hesse
