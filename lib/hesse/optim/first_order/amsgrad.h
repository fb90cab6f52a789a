/// \file
/// AMSGrad (Reddi, Kale and Kumar 2018, Algorithm 2).
///
///     m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
///     w <- max(w, v)                        x <- x - lr m / (sqrt(w) + eps)
///
/// As the algorithm states it, without bias correction: while w grows from 0 the first steps are up to
/// (1 - beta1) / sqrt(1 - beta2), about 3, times as long as Adam's. eps, which the paper leaves out, keeps the
/// division finite.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of AMSGrad.
struct AmsgradOptions {
  double lr = 1e-3;      ///< alpha, > 0
  double beta1 = 0.9;    ///< [0, 1)
  double beta2 = 0.999;  ///< [0, 1)
  double eps = 1e-8;     ///< > 0
};
void visit_options(AmsgradOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x, m, v and w a step; state: m, v and w.
class Amsgrad final : public Optimizer {
 public:
  explicit Amsgrad(const AmsgradOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"v", &v_}, {"w", &w_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  AmsgradOptions options_;
  Vector gradient_;
  Vector m_;
  Vector v_;
  Vector w_;
};

}  // namespace hesse
