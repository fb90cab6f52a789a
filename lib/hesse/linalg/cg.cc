#include "hesse/linalg/cg.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

CgResult cg(const LinearOperator& A, const Vector& b, Vector& x, const CgOptions& options, CgWorkspace& workspace) {
  const Index n = A.size();
  if (b.size() != n) fail("cg: the operator has size {}, the right-hand side {}", n, b.size());
  if (options.preconditioner != nullptr && options.preconditioner->size() != n) {
    fail("cg: the operator has size {}, the preconditioner {}", n, options.preconditioner->size());
  }
  if (x.size() != n) x = Vector::Zero(n);
  Vector& r = workspace.residual;
  Vector& p = workspace.direction;
  Vector& Ap = workspace.product;
  Vector& z = workspace.preconditioned;
  r.resize(n);
  Ap.resize(n);
  z.resize(n);

  CgResult result;
  const double tolerance = std::max(options.relative_tolerance * norm(b), options.absolute_tolerance);
  const Index limit = options.max_iterations > 0 ? options.max_iterations : 10 * std::max<Index>(n, 1);
  const auto form_residual = [&] {
    A.apply(x, Ap);
    r = b - Ap;
    return norm(r);
  };
  const auto precondition = [&] {
    if (options.preconditioner != nullptr) {
      options.preconditioner->apply(r, z);
    } else {
      z = r;
    }
    return dot(r, z);
  };
  const auto end = [&](CgExit exit) {
    result.exit = exit;
    result.residual = form_residual();
    if (!std::isfinite(result.residual)) result.exit = CgExit::non_finite;
    return result;
  };

  double estimate = form_residual();
  if (!std::isfinite(estimate)) {
    result.exit = CgExit::non_finite;
    result.residual = estimate;
    return result;
  }
  double rz = precondition();
  p = z;
  while (!(estimate <= tolerance)) {
    if (result.iterations == limit) return end(CgExit::iteration_limit);
    if (!(rz > 0)) return end(std::isfinite(rz) ? CgExit::breakdown : CgExit::non_finite);
    A.apply(p, Ap);
    ++result.iterations;
    const double pAp = dot(p, Ap);
    if (!std::isfinite(pAp)) return end(CgExit::non_finite);
    result.curvature = pAp / dot(p, p);
    if (!(pAp > 0)) return end(CgExit::negative_curvature);
    const double alpha = rz / pAp;
    x += alpha * p;
    r -= alpha * Ap;
    estimate = norm(r);
    const double next = precondition();
    p = z + (next / rz) * p;
    rz = next;
  }
  end(CgExit::converged);
  // The recurrence drifts from the true residual by rounding; ten times the tolerance is drift, more is not.
  if (result.exit == CgExit::converged && !(result.residual <= 10 * tolerance)) result.exit = CgExit::stagnated;
  return result;
}

}  // namespace hesse
