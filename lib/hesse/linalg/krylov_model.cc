#include "hesse/linalg/krylov_model.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <cmath>

namespace hesse {

void KrylovModel::start(const Vector& g, const KrylovModelOptions& options) {
  if (options.max_products < 1) fail("Krylov model: {} products; allow at least 1", options.max_products);
  options_ = options;
  g_norm_ = norm(g);
  lanczos_.start(g, options.max_products);
}

template <class Solve>
KrylovStep KrylovModel::solve(const LinearOperator& A, const Solve& in_space, Vector& s) {
  KrylovStep step;
  for (;;) {
    // A decomposition of T costs k^3 beside the product's own work; in larger spaces it is made less often.
    const Index wanted = lanczos_.steps() + 1 + lanczos_.steps() / 8;
    const bool extend_first = lanczos_.steps() == 0;
    const auto extend = [&] {
      while (!lanczos_.complete() && lanczos_.steps() < wanted) {
        if (!lanczos_.extend(A)) return false;
        ++step.products;
      }
      return true;
    };
    if (extend_first && !extend()) {
      step.finite = false;
      return step;
    }
    const Index k = lanczos_.steps();
    projected_ = lanczos_.projected();
    gradient_.setZero(k);
    gradient_[0] = g_norm_;
    model_.decompose(projected_);
    const SpectralStep inner = in_space(model_, gradient_, h_);
    step.lambda = inner.lambda;
    step.decrease = inner.decrease;
    step.negative_curvature = model_.values()[0] < 0;
    step.residual = lanczos_.residual() * std::abs(h_[k - 1]);
    step.converged = lanczos_.invariant() || step.residual <= options_.tolerance;
    if (step.converged || lanczos_.complete()) break;
    if (!extend()) {
      step.finite = false;
      return step;
    }
  }
  s.resize(A.size());
  s.noalias() = lanczos_.basis() * h_;
  return step;
}

KrylovStep KrylovModel::in_ball(const LinearOperator& A, double radius, Vector& s) {
  return solve(
      A, [radius](SpectralModel& m, const Vector& g, Vector& h) { return m.in_ball(g, radius, h); }, s);
}

KrylovStep KrylovModel::with_cubic(const LinearOperator& A, double sigma, Vector& s) {
  return solve(
      A, [sigma](SpectralModel& m, const Vector& g, Vector& h) { return m.with_cubic(g, sigma, h); }, s);
}

}  // namespace hesse
