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
#include <string>
#include <vector>

namespace hesse {

/// Whose targets the Fisher matrix is of.
enum class FisherTargets {
  sampled,    ///< drawn from the model: an unbiased estimate of the Fisher matrix, at the price of a sweep back
  empirical,  ///< those of the data: the sweep of the gradient serves, the matrix is another one
};

/// Whether the damping is the same for all layers, or that many times the mean eigenvalue of each layer's block. A
/// penalty's weight is added as it is.
enum class DampingScale { absolute, relative };

/// How factors are estimated, damped and inverted.
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

/// The factors of all layers, kept up to date and inverted.
class KroneckerCurvature {
 public:
  /// Throws Error when f has no layers with Kronecker factors.
  KroneckerCurvature(Objective& f, const KroneckerOptions& options, std::uint64_t seed);

  /// At step k >= 1, before anything else: takes statistics at x if they are due.
  void observe(Objective& f, const Vector& x, std::int64_t k);

  bool refresh_is_due(std::int64_t k) const { return k <= 3 || k % options_.inverse_period == 0; }
  /// The gamma that stands for lambda and a penalty of weight eta: sqrt(lambda + eta) (section 6.6), or sqrt(lambda)
  /// where damping is relative; refresh() then adds eta, which is not.
  double gamma_for(double lambda, double eta) const;
  /// New inverses for step k and the damping gamma^2, or gamma^2 times the mean eigenvalue of each block, plus eta,
  /// where it is relative. For ekfac it takes moments in the new bases.
  void refresh(Objective& f, const Vector& x, std::int64_t k, double gamma, double eta);

  /// out = F^-1 v with the damped model F. Parameters outside the factored layers (gains, embeddings) have a diagonal
  /// model, the running mean of n s^2 with s the mean gradient of n samples for targets that the model draws
  /// (objective/sampled_gradient.h): an unbiased estimate of the Fisher matrix's diagonal, without a penalty's part,
  /// for both kinds of targets. The first few are rough: one of them has the relative error sqrt(2).
  void apply(const Vector& v, Vector& out);

  /// u'D v, D the matrix that a damping of 1 adds: the identity, or, where damping is relative, that of each block
  /// times the mean eigenvalue of the block's present model.
  double damping_form(ConstVectorView u, ConstVectorView v) const;

  /// Tries another damping: swaps the inverses with a second set, which the next refresh() computes.
  void swap_inverses() { std::swap(inverse_, other_); }

  const std::vector<KroneckerFactors>& factors() const { return factors_; }
  StateView state();

  /// Tells the largest condition of a damped factor, the steps from the last renewal to step k, and how many factors
  /// were inverted by their eigenvalues.
  void tell(StepReport& report, std::int64_t k) const;
  /// Each factor's, "layer1.weight:A" and "layer1.weight:G" for each layer, at step k.
  std::vector<PreconditionerReport> preconditioners(std::int64_t k) const;

 private:
  FactorRequest request(const Objective& f, std::int64_t k) const;
  double decay(std::int64_t k) const;
  /// The mean eigenvalue of a layer's block, or of the diagonal model on a stretch; 1 where it is not positive.
  double mean_of_layer(std::size_t l) const;
  double mean_of_rest(Index begin, Index size) const;

  KroneckerOptions options_;
  std::uint64_t seed_;
  Precision precision_;
  std::vector<KroneckerFactors> factors_;
  struct NamedFactor {
    std::string name;
    Index extent;
  };
  std::vector<NamedFactor> named_;  ///< A and then G of each layer, as figures() has them
  struct Inverse {
    std::unique_ptr<KroneckerPreconditioner> factors;
    Vector damping;            ///< of the diagonal model, of each stretch
    std::int64_t renewed = 0;  ///< at this step
  };
  Inverse inverse_;
  Inverse other_;  ///< made when first asked for
  std::vector<double> gammas_;
  std::vector<ParameterBlock> rest_;  ///< stretches of parameters without factors
  Vector rest_squares_;
  Vector sampled_;
};

}  // namespace hesse
