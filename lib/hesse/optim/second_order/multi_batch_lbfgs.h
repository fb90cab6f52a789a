/// \file
/// Multi-batch L-BFGS (Berahas, Nocedal and Takac 2016, Algorithm 1): consecutive samples overlap, and the curvature
/// pair is the change of the gradient on what they share. With B_k the batch of the loop and O_k a part of it,
///
///     S_k = O_{k-1} + B_k,   x_{k+1} = x_k - lr H_k g_{S_k}(x_k)
///     s = x_{k+1} - x_k,     y = g_{O_k}(x_{k+1}) - g_{O_k}(x_k)
///
/// S_k is evaluated in its parts O_{k-1}, B_k \ O_k and O_k, so that both gradients on the overlaps come with that of
/// the step: it costs |S_k| = (1 + overlap) |B_k| samples and no more. O_k is the end of B_k, whose order is random. On
/// all samples S_k, B_k and O_k are all of them and each step costs one gradient.
///
/// A pair is kept only if s'y >= curvature |s|^2, the paper's rule for losses that are not convex (section 3.2).
/// Without a pair the step is along the gradient and of length lr at most. A step is never compared by f: a rate that
/// is too large diverges. 2 m + 7 vectors.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/second_order/two_loop.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// Settings of multi-batch L-BFGS.
struct MultiBatchLbfgsOptions {
  double lr = 0.1;          ///< alpha, > 0
  Index memory = 10;        ///< m, pairs kept, >= 1
  double overlap = 0.25;    ///< |O_k| / |B_k|, (0, 1]; at least one sample
  double curvature = 1e-8;  ///< epsilon: least s'y / s's of a pair that is kept, >= 0
};
void visit_options(MultiBatchLbfgsOptions& options, OptionVisitor& visitor);

/// The optimizer; see above.
class MultiBatchLbfgs final : public Optimizer {
 public:
  explicit MultiBatchLbfgs(const MultiBatchLbfgsOptions& options) : options_(options), pairs_(options.memory) {}
  /// Throws Error when f is no mean over samples.
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  double* learning_rate() override { return &options_.lr; }

 private:
  double evaluate(Objective& f, const Vector& x, bool& pair);

  MultiBatchLbfgsOptions options_;
  CurvaturePairs pairs_;
  TwoLoop inverse_;
  // What the last step leaves to the next: O_{k-1} with the gradient on it at the point before.
  Vector overlap_;                // sample numbers, exact in double; empty where it is all samples
  std::int64_t overlap_all_ = 0;  // 1: all samples
  Vector overlap_gradient_;
  Vector previous_;  // the point before
  Vector g_;         // g_{S_k}
  Vector part_;      // gradient on a part of S_k, then the direction
  Vector y_;
  Vector s_;
  std::vector<Index> batch_;
  std::vector<Index> shared_;
};

}  // namespace hesse
