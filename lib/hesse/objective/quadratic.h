/// \file
/// Quadratics f(x) = 1/2 (x - c)' A (x - c) with a chosen spectrum: the problems on which every rate is
/// known in closed form.
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// A = Q diag(eigenvalues) Q' with Q the identity, or a product of Householder reflections drawn from
/// a seed. A product costs O(n reflections); nothing n x n is stored.
class Quadratic final : public Objective {
 public:
  /// `reflections` = 0 leaves A diagonal. Throws Error on no eigenvalues or a non-finite one.
  Quadratic(Vector eigenvalues, Vector centre, Index reflections = 0, std::uint64_t seed = 0);

  const Vector& eigenvalues() const;
  const Vector& centre() const { return centre_; }

  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override;
  double value_and_gradient(const Vector& x, Vector& g) override;
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override;
  /// A product costs what a gradient costs, and A needs no linearisation.
  CostWeights cost_weights() const override { return {1.0, 1.0, 1.0, 1.0}; }
  double linearisation_cost(const Vector&, Curvature) const override { return 0.0; }

 private:
  class Operator;
  ParameterLayout layout_;
  Vector centre_;
  std::shared_ptr<const Operator> A_;
  Vector shifted_;
  Vector gradient_;
};

/// n eigenvalues from 1/condition to 1, spaced evenly in value or in logarithm.
Vector linear_spectrum(Index n, double condition);
Vector logarithmic_spectrum(Index n, double condition);

}  // namespace hesse
