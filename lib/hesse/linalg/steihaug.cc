#include "hesse/linalg/steihaug.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// The tau >= 0 with |s + tau p| = Delta, for s inside: the root of p'p tau^2 + 2 s'p tau + s's - Delta^2
/// in the form without cancellation.
double boundary_step(double ss, double sp, double pp, double trust_radius) {
  const double gap = std::max(0.0, (trust_radius - std::sqrt(ss)) * (trust_radius + std::sqrt(ss)));
  const double root = std::sqrt(sp * sp + pp * gap);
  return sp > 0 ? gap / (sp + root) : (root - sp) / pp;
}

}  // namespace

SteihaugResult steihaug(const LinearOperator& A, const Vector& g, const SteihaugOptions& options, Vector& s,
                        SteihaugWorkspace& workspace) {
  const Index n = g.size();
  if (A.size() != n) fail("trust-region step: the operator has size {}, the gradient {}", A.size(), n);
  if (!(options.trust_radius > 0)) fail("trust-region step: radius {}; give a number > 0", options.trust_radius);
  Vector& r = workspace.residual;
  Vector& p = workspace.direction;
  Vector& Ap = workspace.product;
  s.resize(n);
  Ap.resize(n);
  s.setZero();
  r = g;
  p = -g;

  SteihaugResult result;
  double rr = dot(r, r);
  double ss = 0;
  double sp = 0;
  double pp = rr;
  result.residual = std::sqrt(rr);
  const Index limit = options.max_iterations > 0 ? options.max_iterations : n;
  if (!std::isfinite(rr)) {
    result.exit = SteihaugExit::non_finite;
    return result;
  }
  while (result.residual > options.tolerance) {
    if (result.iterations == limit) {
      result.exit = SteihaugExit::iteration_limit;
      return result;
    }
    A.apply(p, Ap);
    ++result.iterations;
    const double pAp = dot(p, Ap);
    if (!std::isfinite(pAp)) {
      result.exit = SteihaugExit::non_finite;
      return result;
    }
    result.curvature = pAp / pp;
    const double alpha = rr / pAp;
    const double next_ss = ss + 2 * alpha * sp + alpha * alpha * pp;
    if (!(pAp > 0) || !(next_ss < options.trust_radius * options.trust_radius)) {
      const double tau = boundary_step(ss, sp, pp, options.trust_radius);
      s += tau * p;
      // r'p = -r'r, so m falls by tau r'r - tau^2 p'Ap / 2.
      result.decrease += tau * rr - 0.5 * tau * tau * pAp;
      result.exit = pAp > 0 ? SteihaugExit::boundary : SteihaugExit::negative_curvature;
      return result;
    }
    s += alpha * p;
    r += alpha * Ap;
    result.decrease += 0.5 * alpha * rr;
    const double next_rr = dot(r, r);
    const double beta = next_rr / rr;
    p = beta * p - r;
    // The recurrences of s's, s'p and p'p follow from r's = 0 and r'p_old = 0 (Conn, Gould and Toint
    // 2000, section 7.5.1).
    sp = beta * (sp + alpha * pp);
    pp = next_rr + beta * beta * pp;
    ss = next_ss;
    rr = next_rr;
    result.residual = std::sqrt(rr);
  }
  return result;
}

}  // namespace hesse
