#include "hesse/optim/structured/kronecker_curvature.h"

#include "hesse/core/error.h"
#include "hesse/objective/counting_objective.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace hesse {
namespace {

KroneckerStructure& structure_of(Objective& f) {
  auto* const structure = find<KroneckerStructure>(f);
  if (structure == nullptr) {
    fail("K-FAC: the objective has no layers with Kronecker factors; give it a network, for example 'mlp'");
  }
  return *structure;
}

}  // namespace

void visit_kronecker(KroneckerOptions& o, OptionVisitor& v) {
  v.choice("form", o.form,
           {{"factored", KroneckerForm::factored},
            {"eigenvalues", KroneckerForm::eigenvalues},
            {"ekfac", KroneckerForm::ekfac},
            {"tridiagonal", KroneckerForm::tridiagonal}},
           "of the inverse: blocks with damped factors, with exactly damped eigenvalues, with second moments in the "
           "eigenbases, or with neighbouring layers coupled");
  v.choice("targets", o.targets, {{"sampled", FisherTargets::sampled}, {"empirical", FisherTargets::empirical}},
           "of the Fisher matrix: drawn from the model, or those of the data");
  v.choice("sharing", o.sharing, {{"expand", WeightSharing::expand}, {"reduce", WeightSharing::reduce}},
           "model of layers that apply their weights at several places");
  v.choice("damping_scale", o.damping_scale,
           {{"absolute", DampingScale::absolute}, {"relative", DampingScale::relative}},
           "the damping itself, or times the mean eigenvalue of each layer's block");
  v.option("stats_decay", o.stats_decay, Interval::half_open(0, 1), "epsilon, decay of the factors, 1 - 1/k at first");
  v.option("stats_share", o.stats_share, Interval::left_open(0, 1), "tau_1, share of the batch for statistics");
  v.option("stats_period", o.stats_period, Interval::at_least(1), "steps between statistics");
  v.option("inverse_period", o.inverse_period, Interval::at_least(1), "T_3, steps between inverses");
}

KroneckerCurvature::KroneckerCurvature(Objective& f, const KroneckerOptions& options, std::uint64_t seed)
    : options_(options), seed_(seed) {
  KroneckerStructure& structure = structure_of(f);
  precision_ = f.precision();
  factors_ = structure.kronecker_layers();
  if (factors_.empty()) fail("K-FAC: no layer of the network is a linear map, and only those have Kronecker factors");
  inverse_.factors = make_kronecker_preconditioner(options_.form, factors_, precision_);
  for (std::size_t l = 0; l < factors_.size(); ++l) {
    KroneckerFactors& k = factors_[l];
    k.A.setZero(k.columns(), k.columns());
    k.G.setZero(k.outputs, k.outputs);
    const bool neighbour = options_.form == KroneckerForm::tridiagonal && l + 1 < factors_.size() && k.places == 1 &&
                           factors_[l + 1].places == 1;
    if (neighbour) {
      k.A_next.setZero(k.columns(), factors_[l + 1].columns());
      k.G_next.setZero(k.outputs, factors_[l + 1].outputs);
    }
  }
  // The stretches between the factored layers.
  Index at = 0;
  Index squares = 0;
  const auto rest_until = [&](Index end) {
    if (end > at) {
      rest_.push_back({"", {}, at, end - at});
      squares += end - at;
    }
  };
  for (const KroneckerFactors& k : factors_) {
    rest_until(k.begin);
    at = k.begin + k.outputs * k.columns();
  }
  rest_until(f.size());
  rest_squares_.setZero(squares);
}

double KroneckerCurvature::decay(std::int64_t k) const {
  // The k-th statistics weigh 1/k until the running mean forgets.
  const auto count = static_cast<double>((k - 1) / options_.stats_period + 1);
  return std::min(1 - 1 / count, options_.stats_decay);
}

double sample_share(double share, Index samples) {
  return std::min(1.0, std::max(share, 64 / static_cast<double>(samples)));
}

FactorRequest KroneckerCurvature::request(const Objective& f, std::int64_t k) const {
  FactorRequest r;
  r.kind = options_.targets == FisherTargets::sampled ? Curvature::fisher_sampled : Curvature::fisher_empirical;
  r.seed = seed_;
  r.draw = static_cast<std::uint64_t>(k);
  r.share = sample_share(options_.stats_share, f.samples());
  r.decay = decay(k);
  r.sharing = options_.sharing;
  r.neighbours = options_.form == KroneckerForm::tridiagonal;
  return r;
}

void KroneckerCurvature::observe(Objective& f, const Vector& x, const Vector& g, std::int64_t k) {
  if ((k - 1) % options_.stats_period != 0) return;
  KroneckerStructure& structure = structure_of(f);
  const FactorRequest now = request(f, k);
  charge_work(f, structure.kronecker_factors(x, now, factors_));
  // Before the first refresh there are no bases in which moments would mean something.
  if (const auto* bases = inverse_.factors->bases(); bases != nullptr && k > 1 && !refresh_is_due(k)) {
    charge_work(f, structure.kronecker_moments(x, now, *bases, *inverse_.factors->moments()));
  }
  const auto samples = static_cast<double>(f.samples());
  Index at = 0;
  for (const ParameterBlock& block : rest_) {
    auto squares = rest_squares_.segment(at, block.size).array();
    squares = now.decay * squares + (1 - now.decay) * samples * g.segment(block.offset, block.size).array().square();
    at += block.size;
  }
}

RefreshReport KroneckerCurvature::refresh(Objective& f, const Vector& x, std::int64_t k, double gamma) {
  if (!inverse_.factors) inverse_.factors = make_kronecker_preconditioner(options_.form, factors_, precision_);
  gammas_.assign(factors_.size(), gamma);
  if (options_.damping_scale == DampingScale::relative) {
    for (std::size_t l = 0; l < factors_.size(); ++l) {
      const KroneckerFactors& k_l = factors_[l];
      const double mean =
          k_l.A.trace() / static_cast<double>(k_l.A.rows()) * k_l.G.trace() / static_cast<double>(k_l.G.rows());
      if (std::isfinite(mean) && mean > 0) gammas_[l] = gamma * std::sqrt(mean);
    }
  }
  inverse_.damping = gamma * gamma;
  const RefreshReport report = inverse_.factors->refresh(factors_, gammas_);
  if (const auto* bases = inverse_.factors->bases()) {
    FactorRequest now = request(f, k);
    now.decay = 0;
    charge_work(f, structure_of(f).kronecker_moments(x, now, *bases, *inverse_.factors->moments()));
  }
  return report;
}

void KroneckerCurvature::apply(const Vector& v, Vector& out) {
  if (out.size() != v.size()) out.resize(v.size());
  inverse_.factors->apply(v, out);
  Index at = 0;
  for (const ParameterBlock& block : rest_) {
    out.segment(block.offset, block.size) = v.segment(block.offset, block.size).array() /
                                            (rest_squares_.segment(at, block.size).array() + inverse_.damping);
    at += block.size;
  }
}

StateView KroneckerCurvature::state() {
  StateView view;
  for (std::size_t l = 0; l < factors_.size(); ++l) {
    const std::string number = std::to_string(l + 1);
    view.push_back({"A" + number, &factors_[l].A});
    view.push_back({"G" + number, &factors_[l].G});
    if (factors_[l].A_next.size() > 0) {
      view.push_back({"A_next" + number, &factors_[l].A_next});
      view.push_back({"G_next" + number, &factors_[l].G_next});
    }
  }
  view.push_back({"rest", &rest_squares_});
  view.push_back({"inverse_damping", &inverse_.damping});
  for (StateEntry& entry : inverse_.factors->state()) view.push_back(std::move(entry));
  return view;
}

}  // namespace hesse
