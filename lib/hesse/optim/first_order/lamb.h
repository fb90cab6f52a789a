/// \file
/// LAMB: Adam's direction, scaled in each block to the norm of the block (You et al. 2020, Algorithm 2).
///
///     m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
///     u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + lambda x
///     x_B <- x_B - lr (|x_B| / |u_B|) u_B   for each block B of the parameter layout
///
/// The ratio is 1 where a norm is 0, as for biases that start at 0.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of LAMB.
struct LambOptions {
  double lr = 1e-3;            ///< eta, > 0
  double beta1 = 0.9;          ///< [0, 1)
  double beta2 = 0.999;        ///< [0, 1)
  double eps = 1e-6;           ///< > 0
  double weight_decay = 0.01;  ///< lambda >= 0
};
void visit_options(LambOptions& options, OptionVisitor& visitor);

/// One gradient and two passes over x, m and v a step; state: m, v and t.
class Lamb final : public Optimizer {
 public:
  explicit Lamb(const LambOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"v", &v_}, {"t", &t_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  LambOptions options_;
  Vector gradient_;  ///< overwritten by u
  Vector m_;
  Vector v_;
  std::int64_t t_ = 0;
};

}  // namespace hesse
