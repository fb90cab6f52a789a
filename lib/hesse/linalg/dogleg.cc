#include "hesse/linalg/dogleg.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

bool Dogleg::start(const Matrix& B, const Vector& g, bool twice) {
  B_ = &B;
  g_ = g;
  g_norm_ = norm(g);
  Bs_.resize(g.size());
  Bs_.noalias() = B * g;
  curvature_ = dot(g, Bs_) / (g_norm_ * g_norm_);
  cholesky_.compute(B);
  const auto pivots = cholesky_.matrixLLT().diagonal();
  const double root = std::sqrt(std::numeric_limits<double>::epsilon());
  definite_ = cholesky_.info() == Eigen::Success && pivots.minCoeff() > root * pivots.maxCoeff();
  if (definite_) {
    newton_ = -g;
    cholesky_.solveInPlace(newton_);
    bias_ = 1;
    if (twice) bias_ = 0.8 * g_norm_ * g_norm_ / curvature_ / -dot(g, newton_) + 0.2;
  }
  return definite_;
}

double Dogleg::step(double radius, Vector& s) {
  if (!(radius > 0)) fail("dogleg: radius {}; give a number > 0", radius);
  const double cauchy = curvature_ > 0 ? g_norm_ / curvature_ : std::numeric_limits<double>::infinity();
  if (definite_ && norm(newton_) <= radius) {
    s = newton_;
  } else if (!(cauchy < radius) || !definite_) {
    s = -(std::min(cauchy, radius) / g_norm_) * g_;
  } else if (bias_ * norm(newton_) <= radius) {
    // Between the bias point and Newton's, on the line to the latter.
    s = (radius / norm(newton_)) * newton_;
  } else {
    s = -(cauchy / g_norm_) * g_;
    // The positive root of |s + tau w| = radius, without cancellation.
    Bs_ = bias_ * newton_ - s;
    const double ww = dot(Bs_, Bs_);
    const double sw = dot(s, Bs_);
    const double gap = (radius - cauchy) * (radius + cauchy);
    const double root = std::sqrt(sw * sw + ww * gap);
    const double tau = sw > 0 ? gap / (sw + root) : (root - sw) / ww;
    s += tau * Bs_;
  }
  Bs_.noalias() = *B_ * s;
  return -dot(g_, s) - 0.5 * dot(s, Bs_);
}

}  // namespace hesse
