#include "hesse/objective/counting_objective.h"

#include "hesse/objective/recycled.h"

namespace hesse {

/// Counts one product for each vector it is applied to.
class CountingOperator final : public LinearOperator {
 public:
  explicit CountingOperator(std::shared_ptr<Cost> cost) : cost_(std::move(cost)) {}

  void bind(std::shared_ptr<const LinearOperator> inner, double samples, double weight) {
    inner_ = std::move(inner);
    samples_ = samples;
    weight_ = weight;
  }
  /// Lets go of the inner operator, so that its objective may recycle it.
  void release() { inner_.reset(); }

  Index size() const override { return inner_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    const auto k = static_cast<double>(X.cols());
    cost_->products += X.cols();
    cost_->product_samples += k * samples_;
    cost_->gradient_equivalents += k * weight_;
    inner_->apply(X, Y);
  }

 private:
  std::shared_ptr<Cost> cost_;
  std::shared_ptr<const LinearOperator> inner_;
  double samples_ = 0;
  double weight_ = 0;
};

CountingObjective::CountingObjective(Objective& inner, const Cost& start)
    : inner_(inner), cost_(std::make_shared<Cost>(start)) {}

void CountingObjective::count_value() {
  ++cost_->values;
  cost_->value_samples += touched();
  cost_->gradient_equivalents += inner_.cost_weights().value * share();
}

void CountingObjective::count_gradient() {
  ++cost_->gradients;
  cost_->gradient_samples += touched();
  cost_->gradient_equivalents += share();
}

void CountingObjective::count_work(double gradients) { cost_->gradient_equivalents += gradients * share(); }

double CountingObjective::value(const Vector& x) {
  count_value();
  return inner_.value(x);
}

double CountingObjective::value_and_gradient(const Vector& x, Vector& g) {
  count_gradient();
  return inner_.value_and_gradient(x, g);
}

std::shared_ptr<const LinearOperator> CountingObjective::curvature(const Vector& x, Curvature kind) {
  ++cost_->linearisations;
  cost_->gradient_equivalents += inner_.linearisation_cost(x, kind) * share();
  const CostWeights weights = inner_.cost_weights();
  const double weight = kind == Curvature::hessian ? weights.hessian_product : weights.gauss_newton_product;
  // Operators that nobody holds must not keep the inner ones from being recycled.
  for (const auto& op : operators_) {
    if (op.use_count() == 1) op->release();
  }
  auto inner = inner_.curvature(x, kind);
  auto op = recycled(operators_, [&] { return std::make_shared<CountingOperator>(cost_); });
  op->bind(std::move(inner), touched(), weight * share());
  return op;
}

void charge_value(Objective& f) {
  if (auto* counting = find<CountingObjective>(f)) counting->count_value();
}

void charge_gradient(Objective& f) {
  if (auto* counting = find<CountingObjective>(f)) counting->count_gradient();
}

void charge_work(Objective& f, double gradients) {
  if (auto* counting = find<CountingObjective>(f)) counting->count_work(gradients);
}

}  // namespace hesse
