/// \file
/// Adafactor: second moments of matrices kept as a row and a column (Shazeer and Stern 2018, Algorithms 4 and 5).
///
/// With b_t = 1 - t^-decay, and for a matrix block of R rows and C columns, V = g^2 + eps1:
///
///     r <- b_t r + (1 - b_t) (row sums of V)      c <- b_t c + (1 - b_t) (column sums of V)
///     u = g / sqrt(r c' / sum(r))                 u <- u / max(1, RMS(u) / d)
///     x <- x - max(eps2, RMS(x)) min(lr, 1 / sqrt(t)) u
///
/// Vectors and scalars keep v <- b_t v + (1 - b_t) V whole. Blocks of three and more indices are matrices of their
/// first index against the rest.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

/// Settings of Adafactor.
struct AdafactorOptions {
  double lr = 1e-2;      ///< bound of the relative step rho_t, > 0
  double decay = 0.8;    ///< of 1 - beta2_t = t^-decay, > 0
  double eps1 = 1e-30;   ///< added to squared gradients, > 0
  double eps2 = 1e-3;    ///< least scale of a block, > 0
  double clip = 1;       ///< d, greatest root mean square of an update, > 0
  bool relative = true;  ///< rho_t = min(lr, 1 / sqrt(t)) and scaled by the block; else the rate is lr itself
};
void visit_options(AdafactorOptions& options, OptionVisitor& visitor);

/// One gradient and three passes over it a step; state: t and one vector with r and c, or v, of each block: R + C
/// numbers for R x C weights.
class Adafactor final : public Optimizer {
 public:
  explicit Adafactor(const AdafactorOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"moments", &moments_}, {"t", &t_}}; }
  double* learning_rate() override { return &options_.lr; }

 private:
  AdafactorOptions options_;
  Vector gradient_;  ///< overwritten by u
  Vector moments_;
  Vector inverse_roots_;  ///< of the columns of one block
  std::int64_t t_ = 0;
};

}  // namespace hesse
