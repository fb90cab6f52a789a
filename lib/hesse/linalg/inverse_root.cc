#include "hesse/linalg/inverse_root.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/linalg/products.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

using Map = Eigen::Map<Matrix>;

constexpr double kEps = std::numeric_limits<double>::epsilon();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// What rounding leaves of the residual, in units of eps cond: 0.05 to 0.4 by decomposition and 0.1 to 10 by Newton for
/// matrices of 5 to 500 rows, conditions of 1e4 to 1e12 and p of 2 to 6.
constexpr double kRounding = 16;
/// No root is called good whose residual is above this, however ill-conditioned the matrix.
constexpr double kLoosest = 0.1;

double bound_of(double tolerance, double condition) {
  return std::max(tolerance, std::min(kLoosest, kRounding * kEps * condition));
}

/// C = A B, all n x n without gaps.
void full_product(Index n, const double* A, const double* B, double* C) {
  multiply(Transpose::no, Transpose::no, n, n, n, 1, A, n, B, n, 0, C, n);
}

/// C = A B where A and B are polynomials of one symmetric matrix.
void commuting(Index n, const double* A, const double* B, double* C) {
  symmetric_product(Transpose::no, Transpose::no, n, n, 1, A, n, B, n, 0, C, n);
}

/// Moves T^p into `power` by squaring; `other` is scratch, and both may change places.
void raise(Index n, const double* T, Index p, double*& power, double*& other) {
  std::copy(T, T + n * n, power);
  Index bit = 1;
  while (2 * bit <= p) bit *= 2;
  for (bit /= 2; bit > 0; bit /= 2) {
    commuting(n, power, power, other);
    std::swap(power, other);
    if ((p & bit) != 0) {
      commuting(n, power, T, other);
      std::swap(power, other);
    }
  }
}

double from_identity(Index n, const double* M) {
  double worst = 0;
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < n; ++i) {
      const double difference = std::abs(M[i + j * n] - (i == j ? 1.0 : 0.0));
      if (std::isnan(difference)) return kInfinity;
      worst = std::max(worst, difference);
    }
  }
  return worst;
}

/// The largest eigenvalue from below, by 40 products from a start that is the same in every call.
double largest_eigenvalue(ConstMatrixView A, InverseRootWorkspace& w) {
  const Index n = A.rows();
  Eigen::Map<Vector> v(w.values.data(), n);
  Eigen::Map<Vector> Av(w.product.data(), n);
  RandomStream(0, Purpose::krylov_start).fill_normal(v);
  double estimate = 0;
  for (int i = 0; i < 40; ++i) {
    const double length = v.norm();
    if (!(length > 0)) return 0;
    v /= length;
    Av.noalias() = A * v;
    estimate = Av.norm();
    v = Av;
  }
  return estimate;
}

struct PowerResidual {
  double residual;
  double power_size;  ///< largest column sum of |X^p|
};

PowerResidual power_residual(ConstMatrixView X, ConstMatrixView A, double ridge, Index p, InverseRootWorkspace& w) {
  const Index n = X.rows();
  double* power = w.squares[0].data();
  double* spare = w.squares[1].data();
  double* T = w.squares[2].data();
  Map(T, n, n) = X;
  raise(n, T, p, power, spare);
  Map(spare, n, n) = A;
  Map(spare, n, n).diagonal().array() += ridge;
  full_product(n, power, spare, T);
  return {from_identity(n, T), Map(power, n, n).cwiseAbs().colwise().sum().maxCoeff()};
}

/// A decomposition's own residual, where no whole power of X gives A back. Q and values as they are in the workspace.
double decomposition_residual(ConstMatrixView A, double ridge, InverseRootWorkspace& w) {
  const Index n = A.rows();
  const Map Q(w.basis.data(), n, n);
  const Eigen::Map<const Vector> values(w.values.data(), n);
  Map S(w.squares[0].data(), n, n);
  multiply(Transpose::no, Transpose::no, n, n, n, 1, A.data(), A.outerStride(), Q.data(), n, 0, S.data(), n);
  S += ridge * Q;
  S -= Q * values.asDiagonal();
  const double pairs = S.cwiseAbs().maxCoeff() / values[n - 1];
  symmetric_product(Transpose::yes, Transpose::no, n, n, 1, Q.data(), n, Q.data(), n, 0, S.data(), n);
  return pairs + from_identity(n, S.data());
}

void by_decomposition(ConstMatrixView A, double p, bool whole, const InverseRootOptions& options, MatrixView X,
                      InverseRootWorkspace& w, InverseRootReport& report) {
  const Index n = A.rows();
  report.method = RootMethod::eigen;
  Map Q(w.basis.data(), n, n);
  Eigen::Map<Vector> values(w.values.data(), n);
  Q = A;
  if (!symmetric_eigen_in_place(Q, values, w.eigen)) {
    report.status = RootStatus::non_finite;
    return;
  }
  report.ridge = regularise(values, options.ridge, options.relative_ridge);
  if (!(values[n - 1] > 0)) {
    report.status = RootStatus::zero;
    return;
  }
  report.condition = values[n - 1] / values[0];
  report.bound = bound_of(options.tolerance, report.condition);
  compose_inverse_root(Q, values, p, X, w.squares[0].data());
  if (!X.allFinite()) {
    report.status = RootStatus::non_finite;
    return;
  }
  report.residual = whole ? inverse_root_residual(X, A, report.ridge, static_cast<Index>(p), w)
                          : decomposition_residual(A, report.ridge, w);
  report.status = report.residual <= report.bound ? RootStatus::ok : RootStatus::inaccurate;
}

/// False where it gave no root within the bound.
bool by_newton(ConstMatrixView A, Index p, const InverseRootOptions& options, MatrixView X, InverseRootWorkspace& w,
               InverseRootReport& report) {
  const Index n = A.rows();
  report.method = RootMethod::newton;
  report.ridge = options.ridge * (options.relative_ridge ? largest_eigenvalue(A, w) : 1.0);
  double* M = w.newton[0].data();
  double* T = w.newton[1].data();
  double* next = w.squares[0].data();
  double* power = w.squares[1].data();
  double* other = w.squares[2].data();
  Map(M, n, n) = A;
  Map(M, n, n).diagonal().array() += report.ridge;
  // Both are upper bounds of the largest eigenvalue, so that those of M_0 lie in (0, (1 + p) / 2], where the iteration
  // converges.
  const double size = std::min(Map(M, n, n).norm(), Map(M, n, n).cwiseAbs().colwise().sum().maxCoeff());
  if (!(size > 0) || !std::isfinite(size)) return false;
  const auto order = static_cast<double>(p);
  const double z = (1 + order) / (2 * size);
  Map(M, n, n) *= z;
  double* root = w.basis.data();
  Map(root, n, n).setIdentity();
  Map(root, n, n) *= std::pow(z, 1 / order);
  double error = kInfinity;
  for (Index k = 1; k <= options.max_iterations; ++k) {
    report.iterations = k;
    Map(T, n, n) = -Map(M, n, n) / order;
    Map(T, n, n).diagonal().array() += 1 + 1 / order;
    commuting(n, root, T, next);
    std::swap(root, next);
    raise(n, T, p, power, other);
    commuting(n, power, M, other);
    std::swap(M, other);
    const double last = error;
    error = from_identity(n, M);
    if (!std::isfinite(error)) return false;
    // Near the end each error is the square of the last, until rounding stops it.
    if (error <= kEps * order || (error < 1e-2 && error > 0.5 * last)) break;
  }
  X = Map(root, n, n);
  if (!X.allFinite()) return false;
  const PowerResidual found = power_residual(X, A, report.ridge, p, w);
  report.residual = found.residual;
  report.condition = std::max(1.0, size * found.power_size);
  report.bound = bound_of(options.tolerance, report.condition);
  return report.residual <= report.bound;
}

}  // namespace

void InverseRootWorkspace::reserve(Index n, RootMethod method) {
  const auto size = static_cast<std::size_t>(n);
  const auto room = [](std::vector<double>& v, std::size_t entries) {
    if (v.size() < entries) v.resize(entries);
  };
  room(basis, size * size);
  room(values, size);
  for (auto& each : squares) room(each, size * size);
  if (method == RootMethod::newton) {
    for (auto& each : newton) room(each, size * size);
    room(product, size);
  }
  eigen.reserve(n);
}

double regularise(VectorView eigenvalues, double ridge, bool relative) {
  const Index n = eigenvalues.size();
  if (n == 0) return 0;
  const double largest = std::max(0.0, eigenvalues.maxCoeff());
  const double added = relative ? ridge * largest : ridge;
  const double least = static_cast<double>(n) * kEps * (largest + added);
  for (double& value : eigenvalues) value = std::max(least, std::max(0.0, value) + added);
  return added;
}

void compose_inverse_root(ConstMatrixView Q, ConstVectorView eigenvalues, double p, MatrixView X, double* scratch) {
  const Index n = Q.rows();
  // X = S S' with S = Q Lambda^(-1/(2p)).
  for (Index j = 0; j < n; ++j) {
    Eigen::Map<Vector>(scratch + j * n, n) = Q.col(j) * std::pow(eigenvalues[j], -0.5 / p);
  }
  symmetric_product(Transpose::no, Transpose::yes, n, n, 1, scratch, n, scratch, n, 0, X.data(), X.outerStride());
}

double inverse_root_residual(ConstMatrixView X, ConstMatrixView A, double ridge, Index p,
                             InverseRootWorkspace& workspace) {
  return power_residual(X, A, ridge, p, workspace).residual;
}

InverseRootReport inverse_root(ConstMatrixView A, double p, const InverseRootOptions& options, MatrixView X,
                               InverseRootWorkspace& workspace) {
  const Index n = A.rows();
  if (A.cols() != n) fail("inverse root: the matrix is {} x {}, not square", n, A.cols());
  if (X.rows() != n || X.cols() != n) fail("inverse root: room for {} x {}, but A has {} rows", X.rows(), X.cols(), n);
  if (!(p > 0) || !std::isfinite(p)) fail("inverse root: p = {} is not possible; give a finite number > 0", p);
  const bool whole = p == std::floor(p) && p <= 64;
  if (options.method == RootMethod::newton && !whole) {
    fail("inverse root: Newton's iteration needs a whole p up to 64, not {}; take the decomposition", p);
  }
  InverseRootReport report;
  if (n == 0) return report;
  workspace.reserve(n, options.method);
  if (!A.allFinite()) {
    report.status = RootStatus::non_finite;
  } else {
    if (options.method == RootMethod::newton && by_newton(A, static_cast<Index>(p), options, X, workspace, report)) {
      return report;
    }
    report.fallback = options.method == RootMethod::newton;
    by_decomposition(A, p, whole, options, X, workspace, report);
  }
  if (report.status == RootStatus::zero || report.status == RootStatus::non_finite) {
    X.setIdentity();
    report.residual = kInfinity;
  }
  return report;
}

InverseRootReport inverse_root(ConstMatrixView A, double p, const InverseRootOptions& options, Matrix& X) {
  InverseRootWorkspace workspace;
  X.resize(A.rows(), A.cols());
  return inverse_root(A, p, options, X, workspace);
}

std::string describe(const InverseRootReport& report) {
  const char* const method = report.method == RootMethod::eigen ? "the decomposition" : "Newton's iteration";
  switch (report.status) {
    case RootStatus::ok:
      return fmt::format("a root by {} with residual {:.3g}, below {:.3g}, condition {:.3g}", method, report.residual,
                         report.bound, report.condition);
    case RootStatus::inaccurate:
      return fmt::format(
          "the residual {:.3g} of the root by {} is above {:.3g}: the condition is {:.3g}; a larger ridge helps",
          report.residual, method, report.bound, report.condition);
    case RootStatus::zero: return "the matrix is 0 and has no inverse root; give it a ridge";
    case RootStatus::non_finite: return "the matrix is not finite, or its root leaves the range of doubles";
  }
  return {};
}

}  // namespace hesse
