#include "hesse/objective/l2_objective.h"

#include "hesse/core/error.h"
#include "hesse/objective/recycled.h"

namespace hesse {

/// A + lambda D with D the projection on the penalised blocks.
class L2Operator final : public LinearOperator {
 public:
  L2Operator(double lambda, const std::vector<ParameterBlock>& penalised) : lambda_(lambda), penalised_(penalised) {}

  void bind(std::shared_ptr<const LinearOperator> inner) { inner_ = std::move(inner); }
  /// Lets go of the inner operator, so that its objective may recycle it.
  void release() { inner_.reset(); }

  Index size() const override { return inner_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    inner_->apply(X, Y);
    for (const ParameterBlock& block : penalised_) {
      Y.middleRows(block.offset, block.size) += lambda_ * X.middleRows(block.offset, block.size);
    }
  }

 private:
  double lambda_;
  std::vector<ParameterBlock> penalised_;
  std::shared_ptr<const LinearOperator> inner_;
};

L2Objective::L2Objective(std::unique_ptr<Objective> inner, double lambda, bool biases)
    : inner_(std::move(inner)), lambda_(lambda) {
  if (!(lambda >= 0)) fail("L2 regularisation: lambda = {} is not possible; give a number >= 0", lambda);
  if (lambda == 0) return;  // no block is penalised, and nothing is spent on it
  for (const ParameterBlock& block : inner_->layout().blocks()) {
    if (biases || !block.name.ends_with("bias")) penalised_.push_back(block);
  }
}

double L2Objective::penalty(const Vector& x) const {
  double sum = 0;
  for (const ParameterBlock& block : penalised_) sum += x.segment(block.offset, block.size).squaredNorm();
  return 0.5 * lambda_ * sum;
}

double L2Objective::penalty_form(ConstVectorView u, ConstVectorView v) const {
  double sum = 0;
  for (const ParameterBlock& block : penalised_) {
    sum += u.segment(block.offset, block.size).dot(v.segment(block.offset, block.size));
  }
  return lambda_ * sum;
}

double L2Objective::value(const Vector& x) { return inner_->value(x) + penalty(x); }

double L2Objective::value_and_gradient(const Vector& x, Vector& g) {
  const double f = inner_->value_and_gradient(x, g);
  for (const ParameterBlock& block : penalised_) {
    g.segment(block.offset, block.size) += lambda_ * x.segment(block.offset, block.size);
  }
  return f + penalty(x);
}

std::shared_ptr<const LinearOperator> L2Objective::curvature(const Vector& x, Curvature kind) {
  for (const auto& op : operators_) {
    if (op.use_count() == 1) op->release();
  }
  auto inner = inner_->curvature(x, kind);
  if (kind == Curvature::jacobian_gram) return inner;  // it does not know of any loss
  auto op = recycled(operators_, [&] { return std::make_shared<L2Operator>(lambda_, penalised_); });
  op->bind(std::move(inner));
  return op;
}

}  // namespace hesse
