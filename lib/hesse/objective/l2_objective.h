/// \file
/// L2 regularisation: f(x) + (lambda / 2) |x_P|^2, over all parameters or all but the biases.
#pragma once

#include "hesse/objective/objective.h"

#include <memory>
#include <vector>

namespace hesse {

class L2Operator;

/// Adds lambda x_P to the gradient and lambda to the diagonal of every kind of curvature but the Jacobian's Gram matrix
/// (so the Gauss-Newton and Fisher matrices are those of the log-likelihood plus a Gaussian prior).
class L2Objective final : public Objective {
 public:
  /// Owns `inner`. Throws Error unless lambda >= 0. Blocks whose names end in "bias" are left out
  /// unless `biases` is set.
  L2Objective(std::unique_ptr<Objective> inner, double lambda, bool biases);

  const ParameterLayout& layout() const override { return inner_->layout(); }
  double value(const Vector& x) override;
  double value_and_gradient(const Vector& x, Vector& g) override;
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override;
  Index samples() const override { return inner_->samples(); }
  Index total_samples() const override { return inner_->total_samples(); }
  CostWeights cost_weights() const override { return inner_->cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    return inner_->linearisation_cost(x, kind);
  }
  std::uint64_t revision() const override { return inner_->revision(); }
  Precision precision() const override { return inner_->precision(); }
  double value_noise() const override { return inner_->value_noise(); }
  std::string explain_non_finite(const Vector& x) override { return inner_->explain_non_finite(x); }
  Objective* decorated() override { return inner_.get(); }
  bool changes_value() const override { return lambda_ != 0; }

  double lambda() const { return lambda_; }
  /// (lambda / 2) |x_P|^2.
  double penalty(const Vector& x) const;
  /// lambda u_P'v_P, what the penalty adds to the form u'B v.
  double penalty_form(ConstVectorView u, ConstVectorView v) const;

 private:
  std::unique_ptr<Objective> inner_;
  double lambda_;
  std::vector<ParameterBlock> penalised_;
  std::vector<std::shared_ptr<L2Operator>> operators_;
};

}  // namespace hesse
