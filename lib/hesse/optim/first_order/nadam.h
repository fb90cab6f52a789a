/// \file
/// NAdam: Nesterov's momentum inside Adam (Dozat 2016, Algorithm 2, with the warming momentum of Sutskever et al. 2013
/// as Dozat's experiments set it).
///
///     mu_t = beta1 (1 - 0.96^(t psi) / 2)
///     m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
///     M = mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t)
///     x <- x - lr M / (sqrt(v / (1 - beta2^t)) + eps)
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of NAdam.
struct NadamOptions {
  double lr = 2e-3;               ///< alpha, > 0
  double beta1 = 0.9;             ///< mu, [0, 1)
  double beta2 = 0.999;           ///< nu, [0, 1)
  double eps = 1e-8;              ///< > 0
  double momentum_decay = 0.004;  ///< psi, >= 0
};
void visit_options(NadamOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x, m and v a step; state: m, v, t and the product of the mu.
class Nadam final : public Optimizer {
 public:
  explicit Nadam(const NadamOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"v", &v_}, {"t", &t_}, {"mu_product", &mu_product_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  NadamOptions options_;
  Vector gradient_;
  Vector m_;
  Vector v_;
  std::int64_t t_ = 0;
  double mu_product_ = 1;
};

}  // namespace hesse
