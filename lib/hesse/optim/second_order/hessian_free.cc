#include "hesse/optim/second_order/hessian_free.h"

#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace hesse {

void visit_options(HessianFreeOptions& o, OptionVisitor& v) {
  v.option("damping", o.damping, Interval::positive().searched_around(o.damping), "lambda at the start");
  v.option("min_damping", o.min_damping, Interval::positive(), "lambda is not lowered below");
  v.option("decay", o.decay, Interval::closed(0, 1), "of the last solution, from which CG starts");
  v.option("tolerance", o.tolerance, Interval::positive(),
           "eps: progress an iteration, relative, below which CG stops");
  v.option("max_iterations", o.max_iterations, Interval::closed(1, 100000), "of CG");
  v.option("power", o.power, Interval::closed(0, 1), "of the preconditioner");
  v.choice(
      "preconditioner", o.preconditioner,
      {{"gradient-squares", HessianFreePreconditioner::gradient_squares}, {"none", HessianFreePreconditioner::none}},
      "the mean squares of single samples' gradients (of a network's layers), or none");
  v.option("curvature_share", o.curvature_share, Interval::left_open(0, 1),
           "of the step's samples, for products and preconditioner");
}

namespace {

/// How many eigenvalues of CG's Lanczos matrix lie below x, by Sylvester's law from the pivots of T - x I: its diagonal
/// is 1 / alpha_i + beta_i / alpha_{i-1}, the squares beside it beta_i / alpha_{i-1}^2, beta_i leading to iteration i.
Index eigenvalues_below(double x, const std::vector<double>& alpha, const std::vector<double>& beta) {
  Index below = 0;
  double pivot = 1;
  for (std::size_t i = 0; i < alpha.size(); ++i) {
    const double coupled = i > 0 ? beta[i - 1] / alpha[i - 1] : 0.0;
    pivot = 1 / alpha[i] + coupled - x - (i > 0 ? coupled / alpha[i - 1] / pivot : 0.0);
    if (pivot == 0) pivot = std::numeric_limits<double>::min();
    if (pivot < 0) ++below;
  }
  return below;
}

/// The ratio of the largest eigenvalue of CG's Lanczos matrix to the least, to a tenth of a percent, by bisection of
/// the logarithm between bounds of Gershgorin; unknown without iterations.
double condition_of(const std::vector<double>& alpha, const std::vector<double>& beta) {
  if (alpha.empty()) return StepReport::kUnknown;
  double high = 0;
  for (std::size_t i = 0; i < alpha.size(); ++i) {
    const double before = i > 0 ? std::sqrt(beta[i - 1]) / alpha[i - 1] : 0.0;
    const double after = i + 1 < alpha.size() ? std::sqrt(beta[i]) / alpha[i] : 0.0;
    high = std::max(high, 1 / alpha[i] + (i > 0 ? beta[i - 1] / alpha[i - 1] : 0.0) + before + after);
  }
  const auto eigenvalue = [&](Index number) {
    double from = high * std::numeric_limits<double>::epsilon();
    double to = high;
    while (to > from * 1.0005) {
      const double middle = std::sqrt(from * to);
      (eigenvalues_below(middle, alpha, beta) > number ? to : from) = middle;
    }
    return to;
  };
  return eigenvalue(std::ssize(alpha) - 1) / eigenvalue(0);
}

}  // namespace

void HessianFree::precondition(Objective& f, const Vector& x, Index samples) {
  const Index n = x.size();
  auto* const structure = find<KroneckerStructure>(f);
  if (options_.preconditioner == HessianFreePreconditioner::none || structure == nullptr) {
    preconditioner_.setOnes(n);
    return;
  }
  if (layers_.empty()) {
    layers_ = structure->kronecker_layers();
    plain_.resize(layers_.size());
  }
  // Parameters of other layers: the batch's gradient stands for those of its samples.
  preconditioner_ = gradient_.array().square() * static_cast<double>(samples);
  charge_work(f, structure->kronecker_moments(x, {.kind = Curvature::fisher_empirical}, plain_, squares_));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const KroneckerFactors& k = layers_[l];
    for (Index o = 0; o < k.outputs; ++o) {
      preconditioner_.segment(k.begin + o * k.inputs, k.inputs) = squares_[l].row(o).head(k.inputs).transpose();
      if (k.bias) preconditioner_[k.begin + k.outputs * k.inputs + o] = squares_[l](o, k.inputs);
    }
  }
  preconditioner_ = (preconditioner_.array() + damping_).pow(options_.power);
}

Index HessianFree::solve(const LinearOperator& B) {
  const Index n = gradient_.size();
  saved_ = 0;
  history_.clear();
  alpha_.clear();
  beta_.clear();
  const auto save = [&](double model) {
    if (iterates_.size() <= saved_) {
      iterates_.emplace_back(n);
      models_.push_back(0);
    }
    iterates_[saved_] = solution_;
    models_[saved_] = model;
    ++saved_;
  };
  // r = -g - (B + lambda) d, phi(d) = -1/2 d'(r - g).
  const auto apply = [&](const Vector& v, Vector& out) {
    B.apply(v, out);
    out += damping_ * v;
  };
  apply(solution_, product_);
  residual_ = -gradient_ - product_;
  scaled_ = residual_.cwiseQuotient(preconditioner_);
  search_ = scaled_;
  double rho = dot(residual_, scaled_);
  double model = -0.5 * (dot(solution_, residual_) - dot(solution_, gradient_));
  history_.push_back(model);
  double next_save = 1;
  double ratio = 0;  // beta
  Index i = 0;
  while (i < options_.max_iterations && rho > 0) {
    apply(search_, product_);
    const double curvature = dot(search_, product_);
    if (!std::isfinite(curvature)) return -1;
    // B is semidefinite: only rounding makes this fail.
    if (!(curvature > 0)) break;
    const double alpha = rho / curvature;
    if (!alpha_.empty()) beta_.push_back(ratio);
    alpha_.push_back(alpha);
    solution_ += alpha * search_;
    residual_ -= alpha * product_;
    ++i;
    model = -0.5 * (dot(solution_, residual_) - dot(solution_, gradient_));
    history_.push_back(model);
    if (static_cast<double>(i) >= next_save) {
      save(model);
      while (next_save <= static_cast<double>(i)) next_save = std::ceil(1.3 * next_save);
    }
    const Index k = std::max<Index>(10, i / 10);
    if (i > k && model < 0) {
      const double before = history_[static_cast<std::size_t>(i - k)];
      if ((model - before) / model < static_cast<double>(k) * options_.tolerance) break;
    }
    scaled_ = residual_.cwiseQuotient(preconditioner_);
    const double next = dot(residual_, scaled_);
    ratio = next / rho;
    search_ = scaled_ + ratio * search_;
    rho = next;
  }
  if (saved_ == 0 || models_[saved_ - 1] != model) save(model);
  return i;
}

Index HessianFree::solve_on_share(Objective& f, const Vector& x) {
  const Index samples = f.samples();  // that the gradient is over
  std::optional<ShareSelection> part;
  if (options_.curvature_share < 1) {
    const RandomStream stream(seed_, Purpose::curvature_samples, static_cast<std::uint64_t>(draws_++));
    part.emplace(finite_sum_of(f, "hessian-free"), options_.curvature_share, stream, room_);
  }
  precondition(f, x, samples);
  return solve(*f.curvature(x, Curvature::gauss_newton));
}

StepReport HessianFree::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  iterates_.reserve(64);
  models_.reserve(64);
  history_.reserve(static_cast<std::size_t>(options_.max_iterations) + 1);
  alpha_.reserve(static_cast<std::size_t>(options_.max_iterations));
  beta_.reserve(static_cast<std::size_t>(options_.max_iterations));
  if (solution_.size() != n) solution_ = Vector::Zero(n);
  solution_ *= options_.decay;
  product_.resize(n);
  report.inner_iterations = solve_on_share(f, x);
  if (report.inner_iterations < 0) {
    solution_.setZero();
    report.status = StepStatus::non_finite;
    return report;
  }
  // Back over the iterates while f falls.
  const auto value_at = [&](const Vector& d, double multiple) {
    trial_ = x + multiple * d;
    return f.value(trial_);
  };
  std::size_t best = saved_ - 1;
  double value = value_at(iterates_[best], 1);
  while (best > 0) {
    const double before = value_at(iterates_[best - 1], 1);
    if (std::isfinite(value) && !(before < value)) break;
    value = before;
    --best;
  }
  const Vector& d = iterates_[best];
  const double promised = models_[best];
  const double actual = report.value - value;
  // Where both decreases drown in the rounding of f their ratio says nothing, and the step is CG's.
  const double rounding = 10 * f.value_noise() * std::abs(report.value);
  const bool unresolved = -promised <= rounding && std::abs(actual) <= rounding;
  const double rho = promised < 0 && !unresolved ? -actual / promised : StepReport::kUnknown;
  if (!unresolved && (!std::isfinite(value) || !(rho >= 0.25))) {
    damping_ *= 1.5;
  } else if (rho > 0.75) {
    damping_ = std::max(damping_ * 2 / 3, options_.min_damping);
  }
  const double slope = dot(gradient_, d);
  double multiple = 1;
  constexpr int kMost = 60;
  int tries = 0;
  while (!unresolved && !(value <= report.value + 1e-2 * multiple * slope) && tries < kMost) {
    multiple *= 0.8;
    ++tries;
    value = value_at(d, multiple);
  }
  const bool accepted = unresolved || (std::isfinite(value) && value <= report.value + 1e-2 * multiple * slope);
  if (accepted) {
    x += multiple * d;
    report.value_after = value;
    report.step_norm = multiple * norm(d);
  } else {
    // No multiple lowers f: the next system is damped more, from nothing.
    solution_.setZero();
    report.value_after = report.value;
    report.step_norm = 0;
  }
  report.step_size = accepted ? multiple : 0;
  report.tell("damping", damping_);
  report.tell("reduction_ratio", rho);
  report.tell("predicted_decrease", -promised);
  report.tell("actual_decrease", actual);
  report.tell("condition", condition_of(alpha_, beta_));
  report.tell("taken_of_saved", static_cast<double>(best + 1) / static_cast<double>(saved_));
  return report;
}

OptimizerEntry hessian_free_entry() {
  return registry_entry<HessianFreeOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "hessian-free", "Conjugate gradients on the damped Gauss-Newton system, warm-started and backtracked",
      "Martens (2010), section 4",
      [](const HessianFreeOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        if (options.curvature_share < 1) finite_sum_of(context.objective, "hessian-free");
        return std::make_unique<HessianFree>(options, context.seed);
      });
}

}  // namespace hesse
