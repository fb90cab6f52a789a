#include "hesse/optim/second_order/gauss_newton.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"

namespace hesse {

GaussNewton::GaussNewton(Objective& f)
    : in_blocks_(find_whole<BlockLeastSquares>(f) != nullptr), operator_(at_, in_blocks_) {
  if (find_whole<Residuals>(f) == nullptr) {
    fail(
        "gauss-newton: the problem is not made of residuals; use newton-cg:curvature=gauss-newton for a network, "
        "newton for a formula");
  }
  const BlockStructure* const structure = in_blocks_ ? &find_whole<BlockLeastSquares>(f)->block_structure() : nullptr;
  model_.emplace(
      LeastSquaresModel{in_blocks_ ? nullptr : &at_.J, in_blocks_ ? &at_.blocks : nullptr, structure, at_.r});
}

void GaussNewton::Product::apply(ConstMatrixView X, MatrixView Y) const {
  if (!in_blocks_) {
    JX_.noalias() = at_.J * X;
    Y.noalias() = at_.J.transpose() * JX_;
    return;
  }
  for (Index j = 0; j < X.cols(); ++j) {
    x_ = X.col(j);
    at_.blocks.multiply(x_, Jx_);
    at_.blocks.multiply_transposed(Jx_, y_);
    Y.col(j) = y_;
  }
}

void GaussNewton::Evaluator::linearise(const Vector& x) {
  if (auto* const blocks = find_whole<BlockLeastSquares>(*f_)) {
    blocks->residuals_and_jacobian(x, at_.r, at_.blocks);
  } else {
    find_whole<LeastSquares>(*f_)->residuals_and_jacobian(x, at_.r, at_.J);
  }
  charge_gradient(*f_);
  at_.x = x;
  kept_ = true;
}

double GaussNewton::Evaluator::value_and_gradient(const Vector& x, Vector& g) {
  linearise(x);
  if (at_.J.size() > 0) {
    g.resize(x.size());
    g.noalias() = at_.J.transpose() * at_.r;
  } else {
    at_.blocks.multiply_transposed(at_.r, g);
  }
  return 0.5 * dot(at_.r, at_.r);
}

void GaussNewton::Evaluator::take(const Vector& x, Linearisation& at) {
  if (!kept_ || at_.x.size() != x.size() || at_.x != x) linearise(x);
  std::swap(at, at_);
  kept_ = false;
}

Objective& GaussNewton::evaluator(Objective& f) {
  evaluator_.bind(f);
  return evaluator_;
}

void GaussNewton::prepare(Objective&, const Point& at) { evaluator_.take(at.x, at_); }

DirectionReport GaussNewton::direction(const Point& at, Vector& d) {
  DirectionReport report;
  report.finite = model_->all_finite();
  if (!report.finite) return report;
  if (in_blocks_) {
    d.setZero(at.g.size());
    CgOptions options;
    options.absolute_tolerance = inner_limits(at).tolerance;
    options.relative_tolerance = 0;
    right_ = -at.g;
    const CgResult result = cg(operator_, right_, d, options, workspace_);
    report.finite = result.exit != CgExit::non_finite;
    report.inner_iterations = result.iterations;
    return report;
  }
  qr_.compute(at_.J);
  d = qr_.solve(-at_.r);
  report.inner_iterations = 1;
  return report;
}

const Matrix* GaussNewton::dense_matrix() {
  if (in_blocks_) return nullptr;
  JtJ_.resize(at_.J.cols(), at_.J.cols());
  JtJ_.noalias() = at_.J.transpose() * at_.J;
  return &JtJ_;
}

DirectionEntry gauss_newton_entry() {
  return {registry_entry<GaussNewtonOptions, std::unique_ptr<Direction>, const DirectionContext&>(
              "gauss-newton", "Newton with J'J in place of the Hessian, for problems made of residuals",
              "Gauss (1809); Nocedal and Wright (2006), section 10.3",
              [](const GaussNewtonOptions&, const DirectionContext& context) -> std::unique_ptr<Direction> {
                return std::make_unique<GaussNewton>(context.objective);
              }),
          "levenberg-marquardt"};
}

}  // namespace hesse
