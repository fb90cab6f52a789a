/// \file
/// Hessian-free optimization (Martens 2010; Martens and Sutskever 2012): conjugate gradients on the damped Gauss-Newton
/// system (B + lambda I) d = -g, with what made them train deep networks:
///
///     warm start       from 0.95 times the last solution (section 4.5)
///     stopping         at iteration i > k with phi_i < 0 and (phi_i - phi_{i-k}) / phi_i < k eps, k = max(10, i / 10)
///                      (section 4.4), phi the quadratic model
///     preconditioner   (diag(mean of g_i g_i') + lambda)^0.75, g_i gradients of single samples (section 4.7)
///     backtracking     over the iterates at 1.3^j, from the last one while f falls (section 4.6)
///     line search      from the full step, by 0.8 (Martens and Sutskever 2012, section 8.8)
///     mini-batches     products and preconditioner on a share of the samples, gradient and values on all (section 4.3)
///     damping          lambda by 3/2 where rho < 1/4, by 2/3 where rho > 3/4 (section 4.1)
///
/// rho is the decrease of f over that of phi, the damping included, at the iterate taken. Where both are below the
/// rounding of f it says nothing: lambda stays, and the step is taken as it is. The condition that is told is
/// that of the preconditioned system as CG met it: the ratio of the extreme eigenvalues of its Lanczos matrix, a lower
/// bound (Golub and Van Loan 2013, section 11.3.4).
#pragma once

#include "hesse/core/options.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <vector>

namespace hesse {

enum class HessianFreePreconditioner { none, gradient_squares };

/// Settings of Hessian-free optimization.
struct HessianFreeOptions {
  double damping = 1;          ///< lambda at the start, > 0
  double min_damping = 1e-8;   ///< > 0
  double decay = 0.95;         ///< of the last solution as a start, [0, 1]
  double tolerance = 5e-4;     ///< eps, > 0
  Index max_iterations = 250;  ///< of CG, >= 1
  double power = 0.75;         ///< of the preconditioner, [0, 1]
  HessianFreePreconditioner preconditioner = HessianFreePreconditioner::gradient_squares;
  double curvature_share = 1;  ///< of the step's samples, for B and the preconditioner, drawn at every step, (0, 1]
};
void visit_options(HessianFreeOptions& options, OptionVisitor& visitor);

/// A step costs a gradient, a Gauss-Newton product for each iteration of CG and one for its start, a value for each
/// point of the backtracking and the line search, and two products for the preconditioner; products are on the share of
/// the samples that B is over. State: the last solution, lambda and the number of draws.
class HessianFree final : public Optimizer {
 public:
  HessianFree(const HessianFreeOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed), damping_(options.damping) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"solution", &solution_}, {"damping", &damping_}, {"draws", &draws_}}; }
  bool prefers_full_batch() const override { return true; }

 private:
  void precondition(Objective& f, const Vector& x, Index samples);
  /// Preconditioner and CG on a share of the samples; -1 when a product was not finite.
  Index solve_on_share(Objective& f, const Vector& x);
  /// CG from solution_; fills iterates_. Returns the iterations, -1 when a product was not finite.
  Index solve(const LinearOperator& B);

  HessianFreeOptions options_;
  std::uint64_t seed_;
  std::int64_t draws_ = 0;
  ShareSelection::Room room_;
  Vector gradient_;
  Vector solution_;  ///< CG's last iterate, the next start
  Vector preconditioner_;
  std::vector<Matrix> squares_;
  std::vector<KroneckerBasis> plain_;
  std::vector<KroneckerFactors> layers_;
  Vector residual_, search_, product_, scaled_, trial_;
  std::vector<Vector> iterates_;  ///< at growing indices
  std::vector<double> models_;    ///< phi there
  std::size_t saved_ = 0;
  std::vector<double> history_;  ///< phi of every iteration
  std::vector<double> alpha_;    ///< of every iteration: CG's step along the search direction,
  std::vector<double> beta_;     ///< and the weight of the direction before
  double damping_;
};

}  // namespace hesse
