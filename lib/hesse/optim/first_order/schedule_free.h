/// \file
/// Schedule-free AdamW (Defazio et al. 2024, Algorithm 1): averaging instead of a falling learning rate.
///
///     y = (1 - beta1) z + beta1 x                   g = gradient at y
///     v <- beta2 v + (1 - beta2) g^2                lr_t = lr sqrt(1 - beta2^t) min(1, t / warmup)
///     z <- z - lr_t (g / (sqrt(v) + eps) + lambda y)
///     x <- (1 - c) x + c z                          c = lr_t^2 / (lr_1^2 + ... + lr_t^2)
///
/// The point that is returned, and on which everything else is evaluated, is the average x.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of schedule-free AdamW.
struct ScheduleFreeOptions {
  double lr = 2.5e-3;       ///< gamma, > 0
  double beta1 = 0.9;       ///< [0, 1): where between z and x the gradient is taken
  double beta2 = 0.999;     ///< [0, 1)
  double eps = 1e-8;        ///< > 0
  double weight_decay = 0;  ///< lambda >= 0, at y
  Index warmup = 0;         ///< T_warmup in steps, >= 0
};
void visit_options(ScheduleFreeOptions& options, OptionVisitor& visitor);

/// One gradient and two passes over x, z and v a step; state: z, v, t and the sum of squared rates.
class ScheduleFree final : public Optimizer {
 public:
  explicit ScheduleFree(const ScheduleFreeOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"z", &z_}, {"v", &v_}, {"t", &t_}, {"rate_squares", &rate_squares_}}; }
  double* learning_rate() override { return &options_.lr; }

 private:
  ScheduleFreeOptions options_;
  Vector gradient_;
  Vector y_;
  Vector z_;
  Vector v_;
  std::int64_t t_ = 0;
  double rate_squares_ = 0;
};

}  // namespace hesse
