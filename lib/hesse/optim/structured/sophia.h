/// \file
/// Sophia (Liu et al. 2023, Algorithm 3): momentum over a running diagonal of the curvature, clipped entry by entry.
///
///     m <- beta1 m + (1 - beta1) g
///     every k steps   h <- beta2 h + (1 - beta2) h^
///     x <- x - lr lambda x - lr clip(m / max(gamma h, eps), rho)
///
/// with one of two estimates of the diagonal:
///
///     Sophia-H   h^ = u o (H u), u ~ N(0, I)          Hutchinson's, of the Hessian (Algorithm 1)
///     Sophia-G   h^ = n g^ o g^                       Gauss-Newton-Bartlett's, g^ the mean gradient of n samples of
///                                                     the batch for targets drawn from the model (Algorithm 2)
///
/// Where the curvature is small or negative a step is that of sign descent, of length rho lr.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

enum class DiagonalEstimator { hutchinson, gauss_newton_bartlett };

/// Settings of Sophia.
struct SophiaOptions {
  double lr = 1e-3;           ///< eta, > 0
  double beta1 = 0.96;        ///< [0, 1)
  double beta2 = 0.99;        ///< [0, 1)
  double gamma = 0.01;        ///< > 0; 0.01 for Sophia-H, 0.05 for Sophia-G
  double rho = 1;             ///< bound of an entry's step over lr, > 0
  double eps = 1e-12;         ///< > 0
  double weight_decay = 0;    ///< lambda >= 0, decoupled; the paper trains language models with 0.2
  Index period = 10;          ///< k, steps between estimates, >= 1
  double estimate_share = 1;  ///< of the batch for an estimate, drawn, (0, 1]; Sophia-G alone
  DiagonalEstimator estimate = DiagonalEstimator::hutchinson;  ///< set by the method's name
};
void visit_options(SophiaOptions& options, OptionVisitor& visitor);

/// A gradient a step, and every k steps a Hessian product or a second sweep back. State: m, h and t. Tells, as of the
/// last estimate, the share of entries that were not clipped (the paper's "win rate": 10 to 50 % is healthy) and that
/// of entries of h that are not positive.
class Sophia final : public Optimizer {
 public:
  /// Throws Error when Sophia-G's objective draws no targets, and on a share for Sophia-H, which has none.
  Sophia(Objective& f, const SophiaOptions& options, std::uint64_t seed);
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override {
    return {{"m", &m_}, {"h", &h_}, {"unclipped", &unclipped_}, {"not_positive", &not_positive_}, {"t", &t_}};
  }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  /// Writes h^ into estimate_; false when it is not finite.
  bool estimate_diagonal(Objective& f, const Vector& x);

  SophiaOptions options_;
  std::uint64_t seed_;
  Vector gradient_;
  Vector probe_;
  Vector estimate_;
  Vector m_;
  Vector h_;
  double unclipped_ = 0;
  double not_positive_ = 0;
  std::int64_t t_ = 0;
};

}  // namespace hesse
