#include "hesse/optim/second_order/gauss_newton.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"

namespace hesse {

GaussNewton::GaussNewton(Objective& f) : model_(LeastSquaresModel{J_, r_}) {
  if (find_whole<LeastSquares>(f) == nullptr) {
    fail(
        "gauss-newton: the problem is not made of residuals; use newton-cg:curvature=gauss-newton for a network, "
        "newton "
        "for a formula");
  }
}

double GaussNewton::Evaluator::value_and_gradient(const Vector& x, Vector& g) {
  find_whole<LeastSquares>(*f_)->residuals_and_jacobian(x, r_, J_);
  charge_gradient(*f_);
  x_ = x;
  g.resize(x.size());
  g.noalias() = J_.transpose() * r_;
  return 0.5 * dot(r_, r_);
}

void GaussNewton::Evaluator::take(const Vector& x, Vector& r, Matrix& J) {
  if (x_.size() != x.size() || x_ != x) {
    find_whole<LeastSquares>(*f_)->residuals_and_jacobian(x, r_, J_);
    charge_gradient(*f_);
  }
  std::swap(r, r_);
  std::swap(J, J_);
  x_.resize(0);
}

Objective& GaussNewton::evaluator(Objective& f) {
  evaluator_.bind(f);
  return evaluator_;
}

void GaussNewton::prepare(Objective&, const Point& at) { evaluator_.take(at.x, r_, J_); }

DirectionReport GaussNewton::direction(const Point&, Vector& d) {
  DirectionReport report;
  report.finite = all_finite(Eigen::Map<const Vector>(J_.data(), J_.size())) && all_finite(r_);
  if (!report.finite) return report;
  qr_.compute(J_);
  d = qr_.solve(-r_);
  report.inner_iterations = 1;
  return report;
}

const LinearOperator* GaussNewton::matrix() { return &operator_; }

const Matrix* GaussNewton::dense_matrix() {
  JtJ_.resize(J_.cols(), J_.cols());
  JtJ_.noalias() = J_.transpose() * J_;
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
