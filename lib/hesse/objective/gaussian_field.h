/// \file
/// One draw of a smooth Gaussian random field on R^n, the landscape of which it is known what its critical points are
/// like (Bray and Dean 2007; Dauphin et al. 2014, section 2): by random waves (Rahimi and Recht 2007)
///
///     f(x) = sqrt(2 / m) sum_j cos(w_j'x + b_j),   w_j ~ N(0, I), b_j uniform on (0, 2 pi),
///
/// which has mean 0 and covariance exp(-|x - y|^2 / 2) over the draws for any m, and is Gaussian in the limit.
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>
#include <memory>

namespace hesse {

/// One draw of the field.
class GaussianField final : public Objective {
 public:
  /// n variables and m waves, drawn from the seed. Throws Error unless both are >= 1.
  GaussianField(Index n, Index m, std::uint64_t seed);

  const ParameterLayout& layout() const override { return layout_; }
  /// 2 n m flops and m cosines; with the gradient 4 n m.
  double value(const Vector& x) override;
  double value_and_gradient(const Vector& x, Vector& g) override;
  /// -sqrt(2 / m) W' diag(cos(W x + b)) W, 4 n m flops a product. The Hessian alone; throws Error for another.
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override;
  CostWeights cost_weights() const override { return {0.5, 1.0, 1.0, 1.0}; }

 private:
  Vector phases_at(const Vector& x) const;

  ParameterLayout layout_;
  std::shared_ptr<const Matrix> waves_;  // n x m, a wave a column
  Vector offsets_;
  double scale_;
};

}  // namespace hesse
