/// \file
/// Stochastic quasi-Newton (Byrd, Hansen, Nocedal and Singer 2016, Algorithm 1, SQN): steps on batches,
///
///     x_{k+1} = x_k - lr H g(x_k, B_k)
///
/// and every L steps a pair from the means of the iterates and a Hessian product, on samples of their own,
///
///     s_t = m_t - m_{t-1},   m_t = (x_{k-L+1} + ... + x_k) / L,   y_t = Hess_{S_t}(m_t) s_t,
///
/// so that no difference of noisy gradients is ever taken. S_t are `hessian_samples` of all samples, drawn afresh, a
/// function of (seed, t). Until the first pair, after 2 L steps, it is stochastic gradient descent with the same rate.
/// Where the matrix is not positive definite a pair is kept only if s'y > curvature |s| |y|; the Gauss-Newton matrix
/// has s'y >= 0 by itself. A gradient a step and a product of |S_t| samples every L steps; 2 m + 6 vectors.
#pragma once

#include "hesse/core/options.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/second_order/two_loop.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// Settings of stochastic L-BFGS.
struct StochasticLbfgsOptions {
  double lr = 0.1;              ///< alpha, > 0
  Index memory = 10;            ///< M, pairs kept, >= 1
  Index interval = 10;          ///< L, steps from pair to pair, >= 1
  Index hessian_samples = 300;  ///< b_H, samples of a product, >= 1; all where there are fewer
  Curvature curvature_matrix = Curvature::hessian;
  double curvature = 1e-10;  ///< least s'y / |s||y| of a pair that is kept, [0, 1)
};
void visit_options(StochasticLbfgsOptions& options, OptionVisitor& visitor);

/// The optimizer; see above.
class StochasticLbfgs final : public Optimizer {
 public:
  StochasticLbfgs(const StochasticLbfgsOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed), pairs_(options.memory) {}
  /// Throws Error when f is no mean over samples, or has no curvature of the kind asked for.
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  double* learning_rate() override { return &options_.lr; }

 private:
  void learn(Objective& f);

  StochasticLbfgsOptions options_;
  std::uint64_t seed_;
  CurvaturePairs pairs_;
  TwoLoop inverse_;
  std::int64_t t_ = 0;
  Vector sum_;   // of the iterates since the last pair
  Vector mean_;  // m_{t-1}
  Vector g_;
  Vector d_;
  Vector s_;
  Vector y_;
  SubsetSampler sampler_;
  std::vector<Index> found_;
};

}  // namespace hesse
