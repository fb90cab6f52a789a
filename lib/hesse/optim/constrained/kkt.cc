#include "hesse/optim/constrained/kkt.h"

#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// An inequality or a bound that holds with equality, or an equality.
struct Active {
  Vector gradient;
  double* multiplier = nullptr;
  bool is_signed = true;
  std::string name;
};

Multipliers zero_multipliers(const ConstrainedProblem& problem) {
  const Index n = problem.size();
  return {Vector::Zero(static_cast<Index>(problem.equalities.size())),
          Vector::Zero(static_cast<Index>(problem.inequalities.size())), Vector::Zero(n), Vector::Zero(n)};
}

std::vector<Active> active_constraints(const ConstrainedProblem& problem, const Vector& x, const ConstraintValues& c,
                                       Multipliers& y, const KktOptions& options) {
  std::vector<Active> all;
  for (Index i = 0; i < c.equality.size(); ++i) {
    all.push_back({c.equality_jacobian.row(i), &y.equality[i], false, {}});
  }
  for (Index i = 0; i < c.inequality.size(); ++i) {
    const Vector gradient = c.inequality_jacobian.row(i);
    if (c.inequality[i] > options.active * std::max(1.0, gradient.norm())) continue;
    all.push_back({gradient, &y.inequality[i], true, fmt::format("c{} >= 0", i + 1)});
  }
  for (Index i = 0; i < x.size(); ++i) {
    const double near = options.active * std::max(1.0, std::abs(x[i]));
    if (x[i] - problem.lower[i] <= near) {
      all.push_back(
          {Vector::Unit(x.size(), i), &y.lower[i], true, fmt::format("x{} >= {:g}", i + 1, problem.lower[i])});
    }
    if (problem.upper[i] - x[i] <= near) {
      all.push_back(
          {-Vector::Unit(x.size(), i), &y.upper[i], true, fmt::format("x{} <= {:g}", i + 1, problem.upper[i])});
    }
  }
  return all;
}

/// An orthonormal basis of the vectors orthogonal to all `rows`.
Matrix null_space(const std::vector<Vector>& rows, Index n, Index* rank) {
  Matrix A(n, static_cast<Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) A.col(static_cast<Index>(i)) = rows[i];
  if (rows.empty()) {
    *rank = 0;
    return Matrix::Identity(n, n);
  }
  Eigen::ColPivHouseholderQR<Matrix> qr(A);
  qr.setThreshold(1e-10);
  *rank = qr.rank();
  const Matrix Q = qr.householderQ();
  return Q.rightCols(n - qr.rank());
}

double least_eigenvalue(const Matrix& A) {
  if (A.rows() == 0) return kInfinity;
  Vector values;
  Matrix vectors;
  if (!symmetric_eigen(A, values, vectors)) return std::nan("");
  return values[0];
}

/// Everything that follows from the multipliers.
KktReport finish(ConstrainedProblem& problem, const Vector& x, Multipliers y, const ConstraintValues& c, double value,
                 const Vector& g, const KktOptions& options) {
  KktReport report;
  report.value = value;
  Vector residual = g - y.lower + y.upper;
  residual -= c.equality_jacobian.transpose() * y.equality;
  residual -= c.inequality_jacobian.transpose() * y.inequality;
  const double scale = std::max(1.0, g.cwiseAbs().maxCoeff());
  report.stationarity = residual.cwiseAbs().maxCoeff() / scale;
  const auto worst = [](double& at_most, double candidate) { at_most = std::max(at_most, candidate); };
  for (const double v : c.equality) worst(report.primal_infeasibility, std::abs(v));
  for (Index i = 0; i < c.inequality.size(); ++i) {
    worst(report.primal_infeasibility, -c.inequality[i]);
    worst(report.dual_infeasibility, -y.inequality[i]);
    worst(report.complementarity, std::abs(y.inequality[i] * c.inequality[i]));
  }
  for (Index i = 0; i < x.size(); ++i) {
    worst(report.primal_infeasibility, std::max(problem.lower[i] - x[i], x[i] - problem.upper[i]));
    worst(report.dual_infeasibility, std::max(-y.lower[i], -y.upper[i]));
    if (y.lower[i] != 0) worst(report.complementarity, std::abs(y.lower[i] * (x[i] - problem.lower[i])));
    if (y.upper[i] != 0) worst(report.complementarity, std::abs(y.upper[i] * (problem.upper[i] - x[i])));
  }
  // Of the constraints that are active, those whose multipliers are positive bind the critical cone to a subspace; the
  // others leave half of it.
  const std::vector<Active> active = active_constraints(problem, x, c, y, options);
  std::vector<Vector> strong;
  std::vector<Vector> every;
  bool weak = false;
  for (const Active& a : active) {
    if (!a.name.empty()) report.active.push_back(a.name);
    every.push_back(a.gradient);
    if (!a.is_signed || *a.multiplier > options.strongly * scale) {
      strong.push_back(a.gradient);
    } else {
      weak = true;
    }
  }
  Index rank = 0;
  const Matrix inside = null_space(every, x.size(), &rank);
  report.independent = rank == static_cast<Index>(every.size());
  report.multipliers = std::move(y);
  if (report.stationary(options.tolerance)) {
    const Matrix W = lagrangian_hessian(problem, x, report.multipliers);
    const double size = options.curvature * std::max(1.0, W.cwiseAbs().maxCoeff());
    const Matrix Z = null_space(strong, x.size(), &rank);
    report.least_curvature = least_eigenvalue(Z.transpose() * W * Z);
    report.second_order = SecondOrder::undecided;
    if (report.least_curvature > size) {
      report.second_order = SecondOrder::strict_minimum;
    } else if ((weak ? least_eigenvalue(inside.transpose() * W * inside) : report.least_curvature) < -size) {
      report.second_order = SecondOrder::violated;
    }
  } else {
    report.least_curvature = std::nan("");
  }
  return report;
}

}  // namespace

const char* to_string(SecondOrder second_order) {
  switch (second_order) {
    case SecondOrder::strict_minimum: return "strict local minimum";
    case SecondOrder::violated: return "no minimum";
    case SecondOrder::undecided: return "undecided";
    case SecondOrder::not_stationary: return "not stationary";
  }
  return "unknown";
}

bool KktReport::stationary(double tolerance) const {
  return stationarity <= tolerance && primal_infeasibility <= tolerance && dual_infeasibility <= tolerance &&
         complementarity <= tolerance;
}

ConstraintValues evaluate_constraints(ConstrainedProblem& problem, const Vector& x) {
  const auto all = [&](std::vector<std::unique_ptr<Objective>>& constraints, Vector& values, Matrix& jacobian) {
    const auto m = static_cast<Index>(constraints.size());
    values.resize(m);
    jacobian.resize(m, x.size());
    Vector g;
    for (Index i = 0; i < m; ++i) {
      values[i] = constraints[static_cast<std::size_t>(i)]->value_and_gradient(x, g);
      jacobian.row(i) = g;
    }
  };
  ConstraintValues c;
  all(problem.equalities, c.equality, c.equality_jacobian);
  all(problem.inequalities, c.inequality, c.inequality_jacobian);
  return c;
}

Matrix lagrangian_hessian(ConstrainedProblem& problem, const Vector& x, const Multipliers& y) {
  Matrix W = to_dense(*problem.objective->curvature(x, Curvature::hessian));
  const auto subtract = [&](std::vector<std::unique_ptr<Objective>>& constraints, const Vector& weights) {
    for (std::size_t i = 0; i < constraints.size(); ++i) {
      const double weight = weights[static_cast<Index>(i)];
      if (weight != 0) W -= weight * to_dense(*constraints[i]->curvature(x, Curvature::hessian));
    }
  };
  subtract(problem.equalities, y.equality);
  subtract(problem.inequalities, y.inequality);
  return 0.5 * (W + W.transpose());
}

Vector nonnegative_least_squares(const Matrix& A, const Vector& b, const std::vector<bool>& signed_entries) {
  const Index n = A.cols();
  Vector y = Vector::Zero(n);
  std::vector<bool> passive(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < passive.size(); ++i) passive[i] = !signed_entries[i];
  const auto solve = [&] {
    std::vector<Index> columns;
    for (Index i = 0; i < n; ++i) {
      if (passive[static_cast<std::size_t>(i)]) columns.push_back(i);
    }
    Vector full = Vector::Zero(n);
    if (columns.empty()) return full;
    const Vector part = Matrix(A(Eigen::all, columns)).completeOrthogonalDecomposition().solve(b);
    for (std::size_t k = 0; k < columns.size(); ++k) full[columns[k]] = part[static_cast<Index>(k)];
    return full;
  };
  const double tolerance =
      1e-12 * std::max(1.0, A.cwiseAbs().size() > 0 ? A.cwiseAbs().maxCoeff() : 0.0) * std::max(1.0, b.norm());
  y = solve();
  // Each turn of the outer loop brings one entry in and lowers the residual, so that no set comes back; the bound is
  // for what rounding may do.
  for (Index turn = 0; turn < 3 * n + 10; ++turn) {
    const Vector w = A.transpose() * (b - A * y);
    Index enter = -1;
    for (Index i = 0; i < n; ++i) {
      if (!passive[static_cast<std::size_t>(i)] && w[i] > tolerance && (enter < 0 || w[i] > w[enter])) enter = i;
    }
    if (enter < 0) break;
    passive[static_cast<std::size_t>(enter)] = true;
    for (;;) {
      const Vector candidate = solve();
      double step = 1;
      Index leave = -1;
      for (Index i = 0; i < n; ++i) {
        const auto k = static_cast<std::size_t>(i);
        if (!passive[k] || !signed_entries[k] || candidate[i] > 0) continue;
        const double ratio = y[i] / (y[i] - candidate[i]);
        if (leave < 0 || ratio < step) {
          step = std::isfinite(ratio) ? ratio : 0.0;
          leave = i;
        }
      }
      if (leave < 0) {
        y = candidate;
        break;
      }
      y += step * (candidate - y);
      y[leave] = 0;
      passive[static_cast<std::size_t>(leave)] = false;
    }
  }
  return y;
}

KktReport kkt_report(ConstrainedProblem& problem, const Vector& x, const KktOptions& options) {
  Vector g;
  const double value = problem.objective->value_and_gradient(x, g);
  const ConstraintValues c = evaluate_constraints(problem, x);
  Multipliers y = zero_multipliers(problem);
  const std::vector<Active> active = active_constraints(problem, x, c, y, options);
  Matrix A(x.size(), static_cast<Index>(active.size()));
  std::vector<bool> signs;
  for (std::size_t i = 0; i < active.size(); ++i) {
    A.col(static_cast<Index>(i)) = active[i].gradient;
    signs.push_back(active[i].is_signed);
  }
  const Vector best = nonnegative_least_squares(A, g, signs);
  for (std::size_t i = 0; i < active.size(); ++i) *active[i].multiplier = best[static_cast<Index>(i)];
  return finish(problem, x, std::move(y), c, value, g, options);
}

KktReport kkt_report(ConstrainedProblem& problem, const Vector& x, const Multipliers& multipliers,
                     const KktOptions& options) {
  Vector g;
  const double value = problem.objective->value_and_gradient(x, g);
  return finish(problem, x, multipliers, evaluate_constraints(problem, x), value, g, options);
}

}  // namespace hesse
