/// \file
/// Running Kronecker-factored curvature: statistics as they come, inverses as they are due, and the gradient that they
/// precondition. What K-FAC with its own step (kfac.h) and with a given one (kfac_fixed.h) have in common.
#pragma once

#include "hesse/core/options.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/kronecker_preconditioner.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace hesse {

enum class FisherTargets {
  sampled,    ///< drawn from the model: an unbiased estimate of the Fisher matrix, at the price of a sweep back
  empirical,  ///< those of the data: the sweep of the gradient serves, the matrix is another one
};

/// Whether the damping is the same for all layers, or that many times the mean eigenvalue of each layer's block.
enum class DampingScale { absolute, relative };

struct KroneckerOptions {
  KroneckerForm form = KroneckerForm::factored;
  FisherTargets targets = FisherTargets::sampled;
  WeightSharing sharing = WeightSharing::expand;
  DampingScale damping_scale = DampingScale::absolute;
  double stats_decay = 0.95;   ///< factors' decay, at step k at most 1 - 1/k: epsilon in section 5 of the paper
  double stats_share = 0.125;  ///< tau_1: of the batch for statistics, drawn at each step, (0, 1]
  Index stats_period = 1;      ///< steps between statistics
  Index inverse_period = 20;   ///< T_3: steps between inverses, which the first three steps compute too
};
/// Names all but `form`'s default, which is the method's.
void visit_kronecker(KroneckerOptions& options, OptionVisitor& visitor);

/// A share of a batch as the methods here mean it: of small batches it is no fewer than 64 samples, or all.
double sample_share(double share, Index samples);

class KroneckerCurvature {
 public:
  /// Throws Error when f has no layers with Kronecker factors.
  KroneckerCurvature(Objective& f, const KroneckerOptions& options, std::uint64_t seed);

  /// At step k >= 1, before anything else: takes statistics at x if they are due. `g` is the gradient there.
  void observe(Objective& f, const Vector& x, const Vector& g, std::int64_t k);

  bool refresh_is_due(std::int64_t k) const { return k <= 3 || k % options_.inverse_period == 0; }
  /// New inverses for the damping gamma^2. For ekfac it takes moments in the new bases.
  RefreshReport refresh(Objective& f, const Vector& x, std::int64_t k, double gamma);

  /// out = F^-1 v with the damped model F. Parameters outside the factored layers (gains, embeddings) have a diagonal
  /// model, the running mean of N g_i^2 with N the samples of a batch, which estimates the empirical Fisher matrix's.
  void apply(const Vector& v, Vector& out);

  /// Tries another damping: swaps the inverses with a second set, which the next refresh() computes.
  void swap_inverses() { std::swap(inverse_, other_); }

  const std::vector<KroneckerFactors>& factors() const { return factors_; }
  StateView state();

 private:
  FactorRequest request(const Objective& f, std::int64_t k) const;
  double decay(std::int64_t k) const;

  KroneckerOptions options_;
  std::uint64_t seed_;
  Precision precision_;
  std::vector<KroneckerFactors> factors_;
  struct Inverse {
    std::unique_ptr<KroneckerPreconditioner> factors;
    double damping = 1;  ///< gamma^2, of the diagonal model
  };
  Inverse inverse_;
  Inverse other_;  ///< made when first asked for
  std::vector<double> gammas_;
  std::vector<ParameterBlock> rest_;  ///< stretches of parameters without factors
  Vector rest_squares_;
};

}  // namespace hesse
