/// \file
/// K-FAC with a learning rate and momentum that are given, its step bounded in the KL divergence that it makes (Ba,
/// Grosse and Martens 2017, section 5; Pauloski et al. 2020):
///
///     d = F~^-1 g        nu = min(1, sqrt(kappa / (lr^2 d'g)))
///     v <- mu v + nu d   x <- x - lr v
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/kronecker_curvature.h"

#include <cstdint>

namespace hesse {

/// Settings of K-FAC with a fixed rate and damping.
struct KfacFixedOptions : KroneckerOptions {
  double lr = 0.1;        ///< > 0
  double momentum = 0.9;  ///< mu, [0, 1)
  double damping = 1e-3;  ///< lambda > 0
  double kl_clip = 1e-3;  ///< kappa >= 0; 0: no bound
};
void visit_options(KfacFixedOptions& options, OptionVisitor& visitor);

/// A step costs a gradient, the statistics and two products with the inverse factors, and the inverses when they are
/// due. State: the factors, the inverses, v and the step's number.
class KfacFixed final : public Optimizer {
 public:
  /// Throws Error when the objective has no Kronecker factors.
  KfacFixed(Objective& f, const KfacFixedOptions& options, std::uint64_t seed)
      : options_(options), curvature_(f, options, seed) {}

  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  std::vector<PreconditionerReport> preconditioners() const override { return curvature_.preconditioners(t_); }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.momentum; }

 private:
  KfacFixedOptions options_;
  KroneckerCurvature curvature_;
  Vector gradient_;
  Vector preconditioned_;
  Vector velocity_;
  std::int64_t t_ = 0;
};

}  // namespace hesse
