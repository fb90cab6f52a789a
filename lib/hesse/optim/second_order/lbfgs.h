/// \file
/// L-BFGS (Nocedal 1980; Liu and Nocedal 1989): the inverse Hessian from the last m curvature pairs
/// s = x_{k+1} - x_k, y = g_{k+1} - g_k, applied by the two-loop recursion (Nocedal and Wright 2006,
/// Algorithm 7.4) with H0 = (s'y / y'y) I, and a strong Wolfe line search. Costs 4 m n flops a step
/// beside the objective, and 2 m + 7 vectors.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/globalization/line_search.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

struct LbfgsOptions {
  Index memory = 10;  ///< m, pairs kept, >= 1
  /// A pair is kept only if s'y > curvature |s| |y|: below, it says nothing but rounding.
  double curvature = 1e-10;
  double ftol = 1e-4;  ///< c1, sufficient decrease
  double gtol = 0.9;   ///< c2, curvature
  Index max_evaluations = 25;
};
void visit_options(LbfgsOptions& options, OptionVisitor& visitor);

/// A deterministic method: it compares f at different points, so give it all samples or large
/// batches; on a new batch it evaluates x again and keeps its pairs. When a search fails it restarts
/// from steepest descent before it gives up.
class Lbfgs final : public Optimizer {
 public:
  explicit Lbfgs(const LbfgsOptions& options);
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  bool prefers_full_batch() const override { return true; }

 private:
  void reserve(Index n);
  /// direction_ = -H g by the two-loop recursion.
  void compute_direction();
  void keep_pair();

  LbfgsOptions options_;
  LineSearchOptions search_;
  Matrix S_;    // columns s, a ring of m + 1: the free one holds a new pair until it is known to be kept
  Matrix Y_;    // columns y
  Vector rho_;  // 1 / s'y
  std::int64_t pairs_ = 0;
  std::int64_t next_ = 0;  // column of the next pair
  // The last accepted point: what the next step would evaluate again.
  Vector x_;
  Vector g_;
  double f_ = 0;
  std::int64_t on_all_samples_ = 0;  // 1 when f_ and g_ are those on all samples
  std::uint64_t revision_ = ~std::uint64_t{0};
  Vector direction_;
  Vector x_new_;
  Vector g_new_;
  Vector alpha_;
};

}  // namespace hesse
