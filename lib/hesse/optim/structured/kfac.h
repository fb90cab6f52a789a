/// \file
/// K-FAC (Martens and Grosse 2015, Algorithm 2): the gradient preconditioned by Kronecker-factored blocks of the Fisher
/// matrix proposes a direction, and the exact Gauss-Newton model on the batch says how far to go along it and along the
/// previous step,
///
///     delta = alpha Delta + mu delta_0,   Delta = -F~^-1 g
///     [D'BD  D'Bd; D'Bd  d'Bd] [alpha; mu] = -[g'D; g'd],   B = F + lambda I      (section 7)
///
/// with D = Delta and d = delta_0. With damping_scale=relative, I in B is each block's identity times the mean
/// eigenvalue of the block's model, the matrix that damps the factors too. lambda follows the ratio rho of the decrease
/// that f shows to the one that the model promised (section 6.5), and the damping gamma of the factors is the best of
/// three by the model's value (section 6.6). Where both decreases are below the rounding of f, rho says nothing: lambda
/// stays, and so does the step.
///
/// The paper returns an exponential mean of the iterates, kfac+ema:decay=0.99 here, and lets the batch grow.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/kronecker_curvature.h"

#include <cstdint>

namespace hesse {

/// Settings of K-FAC.
struct KfacOptions : KroneckerOptions {
  double damping = 150;              ///< lambda at the start, > 0; the paper's for autoencoders
  double min_damping = 1e-8;         ///< > 0
  bool adapt_damping = true;         ///< lambda by rho, gamma by trial; otherwise both stay
  double damping_decay = 19.0 / 20;  ///< omega_1 = decay^T_1, omega_2 = sqrt(decay)^T_2, in (0, 1)
  Index damping_period = 5;          ///< T_1
  Index gamma_period = 20;           ///< T_2
  bool momentum = true;              ///< mu delta_0
  double model_share = 0.25;         ///< tau_2: of the batch for the model's exact products, drawn at each step, (0, 1]
  /// Undo a step that raises f on its batch, at the price of a value a step. The paper does not; without it the model
  /// of a small batch is trusted too far.
  bool reject = true;
};
void visit_options(KfacOptions& options, OptionVisitor& visitor);

/// A step costs a gradient, statistics on tau_1 of the batch, tangents of one or two vectors on tau_2 of it, a value
/// every T_1 steps, two products with the inverse factors, and the inverses themselves every T_3 steps. State: the
/// factors, the inverses, the last step, lambda, gamma and the step's number.
class Kfac final : public Optimizer {
 public:
  /// Throws Error when the objective has no Kronecker factors, or no Gauss-Newton forms.
  Kfac(Objective& f, const KfacOptions& options, std::uint64_t seed);

  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  std::vector<PreconditionerReport> preconditioners() const override { return curvature_.preconditioners(t_); }

 private:
  /// What the model says about the best combination of a proposal and the last step.
  struct Combination {
    double alpha = 0;
    double mu = 0;
    double model = 0;  ///< its change, not positive
  };
  Combination combine(Objective& f, const Vector& x, Index proposal);
  void adapt(double rho);

  KfacOptions options_;
  std::uint64_t seed_;
  KroneckerCurvature curvature_;
  Vector gradient_;
  Matrix vectors_;  ///< a proposal, and the last step
  Vector proposal_;
  Vector best_;
  Vector trial_;
  Matrix forms_;
  Vector last_step_;
  double damping_;
  double gamma_ = 0;
  std::int64_t t_ = 0;
};

}  // namespace hesse
