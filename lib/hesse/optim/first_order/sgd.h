/// \file
/// Gradient descent with momentum: the whole classical family in one method.
///
///     classical (Polyak 1964; Sutskever et al. 2013, eq. (1))   v <- mu v - lr g,          x <- x + v
///     averaged  (exponential moving average)                    m <- mu m + (1 - mu) g,    x <- x - lr m
///     Nesterov  (Sutskever et al. 2013, eq. (3), (4))           v <- mu v - lr g(x + mu v), x <- x + v
///
/// The averaged form with rate lr is the classical one with rate (1 - mu) lr, as long as lr is
/// constant. Nesterov's form is kept in the shifted variable x + mu v, so that it takes one gradient
/// a step and that at x: x <- x - lr g + mu (v_new) with v_new = mu v - lr g (Bengio et al. 2013).
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

enum class Momentum { classical, averaged };
enum class Decay { gradient, decoupled };

/// Settings of gradient descent with and without momentum.
struct SgdOptions {
  double lr = 0.1;      ///< learning rate, > 0
  double momentum = 0;  ///< mu, [0, 1)
  Momentum form = Momentum::classical;
  bool nesterov = false;    ///< needs the classical form
  double weight_decay = 0;  ///< lambda >= 0
  /// `gradient` adds lambda x to the gradient (L2); `decoupled` shrinks x by lr lambda beside the
  /// step (Loshchilov and Hutter 2019).
  Decay decay = Decay::gradient;
  bool all_samples = false;  ///< batch gradient descent: set by the method's name, gd
};
void visit_options(SgdOptions& options, OptionVisitor& visitor);

/// One gradient and one pass over x and the velocity a step; state: the velocity.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(const SgdOptions& options);
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"velocity", &velocity_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.momentum; }
  bool prefers_full_batch() const override { return options_.all_samples; }

 private:
  SgdOptions options_;
  Vector gradient_;
  Vector velocity_;
};

}  // namespace hesse
