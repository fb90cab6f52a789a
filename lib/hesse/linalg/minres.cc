#include "hesse/linalg/minres.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {

MinresResult minres(const LinearOperator& A, const Vector& b, Vector& x, const MinresOptions& options,
                    MinresWorkspace& ws) {
  const Index n = A.size();
  const LinearOperator* const M = options.preconditioner;
  if (b.size() != n) fail("minres: the operator has size {}, the right-hand side {}", n, b.size());
  if (M != nullptr && M->size() != n) fail("minres: the operator has size {}, the preconditioner {}", n, M->size());
  x = Vector::Zero(n);
  MinresResult result;
  // |u|_M with M u in z; NaN where M is not positive definite, or not finite.
  const auto norm_in_M = [&](const Vector& u, Vector& z) {
    if (M == nullptr) return norm(u);
    z.resize(n);
    M->apply(u, z);
    const double square = dot(u, z);
    return square >= 0 ? std::sqrt(square) : std::numeric_limits<double>::quiet_NaN();
  };
  const double b_norm = norm_in_M(b, ws.z);
  if (!std::isfinite(b_norm)) {
    result.exit = std::isfinite(norm(b)) ? MinresExit::breakdown : MinresExit::non_finite;
    return result;
  }
  if (b_norm == 0) return result;

  ws.v_old = Vector::Zero(n);
  ws.v = b / b_norm;
  if (M != nullptr) ws.z /= b_norm;
  ws.v_new.resize(n);
  ws.w_older = Vector::Zero(n);
  ws.w_old = Vector::Zero(n);
  ws.w.resize(n);
  ws.residual.resize(n);

  // T_k = Q_k R_k by Givens rotations; eta is the last entry of the rotated right-hand side.
  double beta = 0;
  double c = 1, c_old = 1, s = 0, s_old = 0;
  double eta = b_norm;
  const Index limit = options.max_iterations > 0 ? options.max_iterations : 10 * std::max<Index>(n, 1);
  MinresExit exit = MinresExit::iteration_limit;
  while (result.iterations < limit) {
    const Vector& z = M != nullptr ? ws.z : ws.v;
    A.apply(z, ws.v_new);
    ++result.iterations;
    const double alpha = dot(z, ws.v_new);
    ws.v_new -= alpha * ws.v + beta * ws.v_old;
    const double beta_new = norm_in_M(ws.v_new, ws.z_new);
    if (!std::isfinite(alpha) || !std::isfinite(beta_new)) {
      exit = std::isfinite(alpha) && std::isfinite(norm(ws.v_new)) ? MinresExit::breakdown : MinresExit::non_finite;
      break;
    }
    result.norm = std::max(result.norm, std::sqrt(alpha * alpha + beta * beta + beta_new * beta_new));

    // Column k of R: epsilon, delta, gamma after the two last rotations.
    const double delta_bar = c * alpha - c_old * s * beta;
    const double delta = s * alpha + c_old * c * beta;
    const double epsilon = s_old * beta;
    const double gamma = std::hypot(delta_bar, beta_new);
    // |A r_{k-1}| = |eta| |(delta_bar, beta_new)|: at zero, x is a least squares solution.
    if (gamma <= options.tolerance * result.norm) {
      exit = MinresExit::least_squares;
      break;
    }
    const double c_new = delta_bar / gamma;
    const double s_new = beta_new / gamma;
    ws.w = (z - epsilon * ws.w_older - delta * ws.w_old) / gamma;
    x += (c_new * eta) * ws.w;
    eta = -s_new * eta;
    std::swap(ws.w_older, ws.w_old);
    std::swap(ws.w_old, ws.w);
    if (std::abs(eta) <= options.tolerance * b_norm) {
      exit = MinresExit::converged;
      break;
    }
    if (beta_new <= 1e-14 * result.norm) {
      // The Krylov space is exhausted and the residual is what it is.
      exit = MinresExit::least_squares;
      break;
    }
    std::swap(ws.v_old, ws.v);
    ws.v = ws.v_new / beta_new;
    if (M != nullptr) ws.z = ws.z_new / beta_new;
    beta = beta_new;
    c_old = c;
    c = c_new;
    s_old = s;
    s = s_new;
  }

  A.apply(x, ws.residual);
  ws.residual = b - ws.residual;
  result.residual = norm_in_M(ws.residual, ws.z);
  A.apply(M != nullptr ? ws.z : ws.residual, ws.v_new);
  result.normal_residual = norm_in_M(ws.v_new, ws.z_new);
  result.exit = exit;
  if (exit == MinresExit::breakdown) return result;
  if (!std::isfinite(result.residual)) result.exit = MinresExit::non_finite;
  const bool solved = result.residual <= 10 * options.tolerance * b_norm;
  const bool nearest = result.normal_residual <= 10 * options.tolerance * result.norm * result.residual;
  if (exit == MinresExit::converged && !solved) result.exit = MinresExit::stagnated;
  if (exit == MinresExit::least_squares && !nearest) {
    result.exit = solved ? MinresExit::converged : MinresExit::stagnated;
  }
  return result;
}

}  // namespace hesse
