/// \file
/// A quadratic written out: f(x) = 1/2 x'Ax + b'x + c, the objective of a quadratic program and, with A = 0, a linear
/// constraint.
#pragma once

#include "hesse/objective/objective.h"

#include <memory>

namespace hesse {

/// 1/2 x'Ax + b'x + c.
class DenseQuadratic final : public Objective {
 public:
  /// Throws Error unless A is square and of the size of b. Its symmetric part is what counts.
  DenseQuadratic(const Matrix& A, Vector b, double c = 0);

  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override;
  double value_and_gradient(const Vector& x, Vector& g) override;
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override;
  /// A product costs what a gradient costs, and A needs no linearisation.
  CostWeights cost_weights() const override { return {1.0, 1.0, 1.0, 1.0}; }
  double linearisation_cost(const Vector&, Curvature) const override { return 0.0; }

 private:
  ParameterLayout layout_;
  std::shared_ptr<const LinearOperator> A_;
  Vector b_;
  double c_;
  Vector product_;
};

}  // namespace hesse
