/// \file
/// RMSprop (Tieleman and Hinton 2012, lecture 6.5), with momentum and with centring (Graves 2013, eq. (38) to (45)).
///
///     v <- rho v + (1 - rho) g^2     a <- rho a + (1 - rho) g, if centred, else 0
///     u <- mu u - lr g / (sqrt(v - a^2) + eps)                x <- x + u
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of RMSprop.
struct RmspropOptions {
  double lr = 1e-3;       ///< > 0
  double rho = 0.9;       ///< [0, 1)
  double momentum = 0;    ///< mu, [0, 1)
  double eps = 1e-8;      ///< > 0, outside the root
  bool centered = false;  ///< divide by the deviation of the gradient instead of its root mean square
};
void visit_options(RmspropOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x, v, a and u a step; state: v, a and u, the last two empty where they are not used.
class Rmsprop final : public Optimizer {
 public:
  explicit Rmsprop(const RmspropOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"v", &v_}, {"a", &a_}, {"u", &u_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.momentum; }
  Vector diagonal_preconditioner() const override;

 private:
  RmspropOptions options_;
  Vector gradient_;
  Vector v_;
  Vector a_;
  Vector u_;
};

}  // namespace hesse
