/// \file
/// Online L-BFGS (Schraudolph, Yu and Guenter 2007, Algorithms 2 and 3, oLBFGS): both gradients of a curvature pair are
/// taken on the same batch, so that their difference is curvature and not sampling noise,
///
///     x_{t+1} = x_t - eta_t H_t g(x_t, B_t),   eta_t = lr tau / (tau + t)
///     s = x_{t+1} - x_t,   y = g(x_{t+1}, B_t) - g(x_t, B_t) + lambda s
///
/// and H_t is the two-loop recursion from the mean of s'y / y'y over the pairs kept. On a convex f every pair has
/// s'y >= lambda |s|^2. Where f is not convex a pair is kept only if s'y > curvature |s| |y|. The first step is along
/// the gradient and of length lr at most; the paper's, 1e-10 g, would be lost in the rounding of a network in float.
///
/// Two gradients of a batch a step and 2 m + 4 vectors. Every H_t is positive definite, but f is never compared at two
/// points: a rate that is too large diverges.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/second_order/two_loop.h"

#include <cstdint>

namespace hesse {

/// Settings of online L-BFGS.
struct OnlineLbfgsOptions {
  double lr = 0.1;           ///< eta_0, > 0
  Index memory = 10;         ///< m, pairs kept, >= 1
  double lambda = 0;         ///< lower bound of the curvature along s, added to y, >= 0
  double tau = 0;            ///< steps after which the rate has halved; 0: it does not fall
  double curvature = 1e-10;  ///< least s'y / |s||y| of a pair that is kept, [0, 1)
};
void visit_options(OnlineLbfgsOptions& options, OptionVisitor& visitor);

/// The optimizer; see above.
class OnlineLbfgs final : public Optimizer {
 public:
  explicit OnlineLbfgs(const OnlineLbfgsOptions& options) : options_(options), pairs_(options.memory) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  double* learning_rate() override { return &options_.lr; }

 private:
  OnlineLbfgsOptions options_;
  CurvaturePairs pairs_;
  TwoLoop inverse_;
  std::int64_t t_ = 0;
  Vector g_;
  Vector d_;
  Vector x_new_;
  Vector g_new_;
};

}  // namespace hesse
