/// \file
/// AdaGrad (Duchi, Hazan and Singer 2011, Figure 1, with diagonal matrices).
///
///     v <- v + g^2          x <- x - lr g / (sqrt(v) + eps)
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of AdaGrad.
struct AdagradOptions {
  double lr = 1e-2;    ///< eta, > 0
  double initial = 0;  ///< what v starts at, >= 0
  double eps = 1e-10;  ///< delta, > 0
};
void visit_options(AdagradOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x and v a step; state: v.
class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(const AdagradOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"v", &v_}}; }
  double* learning_rate() override { return &options_.lr; }

 private:
  AdagradOptions options_;
  Vector gradient_;
  Vector v_;
};

}  // namespace hesse
