#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"
#include "hesse/optim/constrained/solvers.h"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// Z'WZ with its eigenvalues replaced by their sizes, and by no less than a part of the largest, where it is not
/// positive definite: steps along negative curvature then have the length of Newton steps and not of 1 / shift.
Matrix positive_definite(const Matrix& reduced) {
  if (reduced.rows() == 0) return reduced;
  Vector values;
  Matrix V;
  if (!symmetric_eigen(reduced, values, V)) return Matrix::Identity(reduced.rows(), reduced.cols());
  const double size = std::max(1e-8, values.cwiseAbs().maxCoeff());
  if (values[0] > 1e-8 * size) return reduced;
  return V * values.cwiseAbs().cwiseMax(1e-2 * size).asDiagonal() * V.transpose();
}

}  // namespace

ConstrainedResult newton_kkt(ConstrainedProblem& problem, const ConstrainedOptions& options) {
  if (!problem.inequalities.empty() || problem.lower.array().isFinite().any() ||
      problem.upper.array().isFinite().any()) {
    fail("newton-kkt: this problem has inequalities or bounds; use the augmented Lagrangian");
  }
  const Index n = problem.size();
  const auto m = static_cast<Index>(problem.equalities.size());
  ConstrainedResult result;
  result.x = problem.start;
  Vector& x = result.x;
  Multipliers& y = result.multipliers;
  y = {Vector::Zero(m), Vector(0), Vector::Zero(n), Vector::Zero(n)};
  Vector g;
  double value = problem.objective->value_and_gradient(x, g);
  ConstraintValues c = evaluate_constraints(problem, x);
  result.evaluations = 1;
  double nu = 0;
  const auto constraint_values = [&](const Vector& at) {
    Vector v(m);
    for (Index i = 0; i < m; ++i) v[i] = problem.equalities[static_cast<std::size_t>(i)]->value(at);
    return v;
  };
  for (;; ++result.iterations) {
    if (!std::isfinite(value) || !g.allFinite() || !c.equality.allFinite() || !c.equality_jacobian.allFinite()) {
      result.status = ConstrainedStatus::failed;
      result.message = "a value or a gradient is not finite";
      break;
    }
    // A' = [Y Z] [R; 0]: Y spans the gradients of the constraints, Z what they leave free.
    Eigen::ColPivHouseholderQR<Matrix> qr(c.equality_jacobian.transpose());
    qr.setThreshold(1e-12);
    const Index rank = m > 0 ? qr.rank() : 0;
    const Matrix Q = m > 0 ? Matrix(qr.householderQ()) : Matrix::Identity(n, n);
    const Matrix Y = Q.leftCols(rank);
    const Matrix Z = Q.rightCols(n - rank);
    const auto least_norm_step = [&](const Vector& residual) -> Vector {
      if (m == 0) return Vector::Zero(n);
      return -c.equality_jacobian.completeOrthogonalDecomposition().solve(residual);
    };
    // Least-squares multipliers: grad f = A' lambda as nearly as can be.
    if (m > 0) y.equality = qr.solve(g);
    const double scale = std::max(1.0, g.cwiseAbs().maxCoeff());
    const double stationarity = (g - c.equality_jacobian.transpose() * y.equality).cwiseAbs().maxCoeff() / scale;
    const double infeasibility = m > 0 ? c.equality.cwiseAbs().maxCoeff() : 0.0;
    if (stationarity <= options.tolerance && infeasibility <= options.tolerance) {
      result.status = ConstrainedStatus::converged;
      break;
    }
    if (result.iterations == options.max_iterations) break;
    const Matrix W = lagrangian_hessian(problem, x, y);
    const Matrix reduced = positive_definite(Z.transpose() * W * Z);
    const Vector normal = least_norm_step(c.equality);
    Vector tangential = Vector::Zero(Z.cols());
    if (Z.cols() > 0) tangential = reduced.ldlt().solve(-Z.transpose() * (g + W * normal));
    const Vector p = normal + Z * tangential;
    // The penalty that makes p a direction of descent (Nocedal and Wright 2006, eq. (18.36)).
    const double size = c.equality.lpNorm<1>();
    const double curvature = tangential.dot(reduced * tangential);
    if (size > 0) nu = std::max(nu, 1.1 * (g.dot(p) + 0.5 * curvature) / (0.5 * size));
    if (m > 0) nu = std::max(nu, 1.1 * y.equality.cwiseAbs().maxCoeff());
    const double merit = value + nu * size;
    const double slope = g.dot(p) - nu * size;
    const double slack = 10 * problem.objective->value_noise() * (std::abs(value) + nu);
    double alpha = 1;
    Vector next = x + p;
    bool accepted = false;
    for (int search = 0; search < 50 && !accepted; ++search) {
      next = x + alpha * p;
      const double trial = problem.objective->value(next) + nu * constraint_values(next).lpNorm<1>();
      ++result.evaluations;
      accepted = trial <= merit + 1e-4 * alpha * slope + slack;
      if (!accepted && search == 0 && m > 0) {
        const Vector corrected = next + least_norm_step(constraint_values(next));
        const double second = problem.objective->value(corrected) + nu * constraint_values(corrected).lpNorm<1>();
        ++result.evaluations;
        if (second <= merit + 1e-4 * slope + slack) {
          next = corrected;
          accepted = true;
        }
      }
      alpha *= 0.5;
    }
    if (!accepted || next == x) {
      result.status = ConstrainedStatus::rounding;
      result.message =
          fmt::format("no decrease of the penalty can be told from rounding; stationarity {:.2g}, infeasibility {:.2g}",
                      stationarity, infeasibility);
      break;
    }
    x = next;
    value = problem.objective->value_and_gradient(x, g);
    ++result.evaluations;
    c = evaluate_constraints(problem, x);
  }
  result.kkt = kkt_report(problem, x, y);
  return result;
}

}  // namespace hesse
