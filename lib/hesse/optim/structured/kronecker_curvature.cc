#include "hesse/optim/structured/kronecker_curvature.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/sampled_gradient.h"
#include "hesse/optim/structured/preconditioner_reports.h"

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
  v.choice(
      "form", o.form,
      {{"factored", KroneckerForm::factored},
       {"eigenvalues", KroneckerForm::eigenvalues},
       {"ekfac", KroneckerForm::ekfac},
       {"tridiagonal", KroneckerForm::tridiagonal}},
      "of the inverse: blocks with damped factors, with exactly damped eigenvalues, with second moments in the "
      "eigenbases, or with neighbouring layers coupled where both have one place (dense layers, not convolutions)");
  v.choice("targets", o.targets, {{"sampled", FisherTargets::sampled}, {"empirical", FisherTargets::empirical}},
           "of the Fisher matrix: drawn from the model, or those of the data");
  v.choice("sharing", o.sharing, {{"expand", WeightSharing::expand}, {"reduce", WeightSharing::reduce}},
           "model of layers that apply their weights at several places");
  v.choice("damping_scale", o.damping_scale,
           {{"absolute", DampingScale::absolute}, {"relative", DampingScale::relative}},
           "the damping itself, or times the mean eigenvalue of each layer's block");
  v.option("stats_decay", o.stats_decay, Interval::half_open(0, 1), "epsilon, decay of the factors, 1 - 1/k at first");
  v.option("stats_share", o.stats_share, Interval::left_open(0, 1),
           "tau_1, share of the batch for statistics, no less than 64 samples");
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
  for (const KroneckerFactors& k : factors_) {
    const std::string entry = f.layout().describe_entry(k.begin);
    const std::string weight = entry.substr(0, entry.find('['));
    named_.push_back({weight + ":A", k.columns()});
    named_.push_back({weight + ":G", k.outputs});
  }
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
  inverse_.damping.setOnes(std::ssize(rest_));
  if (!rest_.empty() && find<SampledGradient>(f) == nullptr) {
    fail("K-FAC: parameters outside of linear maps need targets that the model draws, and the objective draws none");
  }
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

double KroneckerCurvature::mean_of_layer(std::size_t l) const {
  const KroneckerFactors& k = factors_[l];
  const double mean = k.A.trace() / static_cast<double>(k.A.rows()) * k.G.trace() / static_cast<double>(k.G.rows());
  return std::isfinite(mean) && mean > 0 ? mean : 1.0;
}

double KroneckerCurvature::mean_of_rest(Index begin, Index size) const {
  const double mean = rest_squares_.segment(begin, size).mean();
  return std::isfinite(mean) && mean > 0 ? mean : 1.0;
}

double KroneckerCurvature::gamma_for(double lambda, double eta) const {
  return std::sqrt(options_.damping_scale == DampingScale::relative ? lambda : lambda + eta);
}

double KroneckerCurvature::damping_form(ConstVectorView u, ConstVectorView v) const {
  if (options_.damping_scale == DampingScale::absolute) return dot(u, v);
  double sum = 0;
  for (std::size_t l = 0; l < factors_.size(); ++l) {
    const KroneckerFactors& k = factors_[l];
    const Index size = k.outputs * k.columns();
    sum += mean_of_layer(l) * dot(u.segment(k.begin, size), v.segment(k.begin, size));
  }
  Index at = 0;
  for (const ParameterBlock& block : rest_) {
    sum += mean_of_rest(at, block.size) * dot(u.segment(block.offset, block.size), v.segment(block.offset, block.size));
    at += block.size;
  }
  return sum;
}

void KroneckerCurvature::observe(Objective& f, const Vector& x, std::int64_t k) {
  if ((k - 1) % options_.stats_period != 0) return;
  KroneckerStructure& structure = structure_of(f);
  const FactorRequest now = request(f, k);
  charge_work(f, structure.kronecker_factors(x, now, factors_));
  // Before the first refresh there are no bases in which moments would mean something.
  if (const auto* bases = inverse_.factors->bases(); bases != nullptr && k > 1 && !refresh_is_due(k)) {
    charge_work(f, structure.kronecker_moments(x, now, *bases, *inverse_.factors->moments()));
  }
  if (rest_.empty()) return;
  const DrawnGradient drawn = find<SampledGradient>(f)->sampled_gradient(x, now.seed, now.draw, now.share, sampled_);
  charge_work(f, drawn.cost);
  const double weight = (1 - now.decay) * static_cast<double>(drawn.samples);
  Index at = 0;
  for (const ParameterBlock& block : rest_) {
    auto squares = rest_squares_.segment(at, block.size).array();
    squares = now.decay * squares + weight * sampled_.segment(block.offset, block.size).array().square();
    at += block.size;
  }
}

void KroneckerCurvature::refresh(Objective& f, const Vector& x, std::int64_t k, double gamma, double eta) {
  if (!inverse_.factors) inverse_.factors = make_kronecker_preconditioner(options_.form, factors_, precision_);
  const bool relative = options_.damping_scale == DampingScale::relative;
  gammas_.assign(factors_.size(), gamma);
  inverse_.damping.setConstant(std::ssize(rest_), gamma * gamma);
  if (relative) {
    for (std::size_t l = 0; l < factors_.size(); ++l) gammas_[l] = std::sqrt(gamma * gamma * mean_of_layer(l) + eta);
    Index at = 0;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      inverse_.damping[static_cast<Index>(i)] = gamma * gamma * mean_of_rest(at, rest_[i].size) + eta;
      at += rest_[i].size;
    }
  }
  inverse_.factors->refresh(factors_, gammas_, find<WorkSharing>(f));
  inverse_.renewed = k;
  if (const auto* bases = inverse_.factors->bases()) {
    FactorRequest now = request(f, k);
    now.decay = 0;
    charge_work(f, structure_of(f).kronecker_moments(x, now, *bases, *inverse_.factors->moments()));
  }
}

void KroneckerCurvature::apply(const Vector& v, Vector& out) {
  if (out.size() != v.size()) out.resize(v.size());
  inverse_.factors->apply(v, out);
  Index at = 0;
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    const ParameterBlock& block = rest_[i];
    out.segment(block.offset, block.size) =
        v.segment(block.offset, block.size).array() /
        (rest_squares_.segment(at, block.size).array() + inverse_.damping[static_cast<Index>(i)]);
    at += block.size;
  }
}

void KroneckerCurvature::tell(StepReport& report, std::int64_t k) const {
  const Matrix& figures = inverse_.factors->figures();
  report.tell("condition", figures.row(kCondition).maxCoeff());
  report.tell("staleness", static_cast<double>(k - inverse_.renewed));
  report.tell("by_eigenvalues", figures.row(kFallback).sum());
}

std::vector<PreconditionerReport> KroneckerCurvature::preconditioners(std::int64_t k) const {
  std::vector<PreconditionerReport> all = reports_of(named_, inverse_.factors->figures());
  for (PreconditionerReport& one : all) one.figures[kStaleness] = static_cast<double>(k - inverse_.renewed);
  return all;
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
  view.push_back({"renewed", &inverse_.renewed});
  for (StateEntry& entry : inverse_.factors->state()) view.push_back(std::move(entry));
  return view;
}

}  // namespace hesse
