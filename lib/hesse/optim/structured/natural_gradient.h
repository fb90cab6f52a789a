/// \file
/// Natural gradient with the whole Fisher matrix, or with its diagonal (Amari 1998), for models small enough to form
/// it:
///
///     x <- x - lr (F + lambda I)^-1 g
///
/// F is the exact Fisher information of the model's predictive distribution on the batch, no sample of it. The
/// reference that the structured methods approximate. On a linear model with cross-entropy it is Newton's method,
/// damped.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/spd_inverse.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

enum class FisherForm { full, diagonal };

/// Settings of the exact natural gradient.
struct NaturalGradientOptions {
  double lr = 0.1;        ///< > 0; 1 is Newton's where the model is linear
  double damping = 0.01;  ///< lambda > 0
  FisherForm form = FisherForm::full;
};
void visit_options(NaturalGradientOptions& options, OptionVisitor& visitor);

/// A gradient, n Fisher products and, for the full form, n^3 flops a step; n^2 numbers of memory. State: none.
class NaturalGradient final : public Optimizer {
 public:
  /// Throws Error when f has more than 8192 parameters.
  NaturalGradient(Objective& f, const NaturalGradientOptions& options);
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {}; }
  double* learning_rate() override { return &options_.lr; }

 private:
  NaturalGradientOptions options_;
  Vector gradient_;
  Vector step_;
  Matrix fisher_;
  Matrix inverse_;
  Matrix unit_;
  InverseWorkspace workspace_;
};

}  // namespace hesse
