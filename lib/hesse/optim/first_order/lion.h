/// \file
/// Lion: the sign of an interpolated momentum (Chen et al. 2023, Algorithm 2).
///
///     x <- x - lr (sign(beta1 m + (1 - beta1) g) + lambda x)          m <- beta2 m + (1 - beta2) g
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of Lion.
struct LionOptions {
  double lr = 1e-4;         ///< eta, > 0
  double beta1 = 0.9;       ///< [0, 1)
  double beta2 = 0.99;      ///< [0, 1)
  double weight_decay = 0;  ///< lambda >= 0, decoupled
};
void visit_options(LionOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x and m a step; state: m.
class Lion final : public Optimizer {
 public:
  explicit Lion(const LionOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  LionOptions options_;
  Vector gradient_;
  Vector m_;
};

}  // namespace hesse
