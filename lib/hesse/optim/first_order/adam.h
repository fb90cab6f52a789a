/// \file
/// Adam (Kingma and Ba 2015, Algorithm 1) and AdamW (Loshchilov and Hutter 2019, Algorithm 2).
///
///     m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
///     x <- x - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
///
/// Adam adds weight decay to g, where it is divided by sqrt(v) like the rest; AdamW shrinks x by
/// lr lambda beside the step.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/first_order/sgd.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of Adam and AdamW.
struct AdamOptions {
  double lr = 1e-3;               ///< alpha, > 0
  double beta1 = 0.9;             ///< [0, 1)
  double beta2 = 0.999;           ///< [0, 1)
  double eps = 1e-8;              ///< epsilon, > 0, outside the root as in the paper's Algorithm 1
  double weight_decay = 0;        ///< lambda >= 0
  Decay decay = Decay::gradient;  ///< set by the method's name: adam or adamw
};
void visit_options(AdamOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x, m and v a step; state: m, v and t.
class Adam final : public Optimizer {
 public:
  explicit Adam(const AdamOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"v", &v_}, {"t", &t_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }
  Vector diagonal_preconditioner() const override;

 private:
  AdamOptions options_;
  Vector gradient_;
  Vector m_;
  Vector v_;
  std::int64_t t_ = 0;
};

}  // namespace hesse
