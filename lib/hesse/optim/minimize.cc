#include "hesse/optim/minimize.h"

#include "hesse/core/clock.h"
#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/finite_sum.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Value and gradient norm on all samples, for the truth of what is reported; neither counted nor
/// clocked.
struct Truth {
  double value = kInfinity;
  double gradient_norm = kInfinity;
  bool finite() const { return std::isfinite(value) && std::isfinite(gradient_norm); }
};

Truth evaluate(Objective& f, FiniteSum* sum, const Vector& x, Vector& g) {
  if (sum != nullptr) sum->select_all();
  Truth truth;
  truth.value = f.value_and_gradient(x, g);
  truth.gradient_norm = norm(g);
  return truth;
}

std::string steps_text(std::int64_t steps) { return fmt::format("{} step{}", steps, steps == 1 ? "" : "s"); }

/// Which limit of the budget is spent, or nothing.
std::string spent(const Progress& progress, const Stopping& stopping) {
  if (progress.step >= stopping.max_steps)
    return fmt::format("the budget of {} is spent", steps_text(stopping.max_steps));
  // Epochs are sums of shares of the data: a hair below the limit is the limit.
  if (progress.epochs >= stopping.max_epochs * (1 - 1e-12)) {
    return fmt::format("the budget of {:g} epochs is spent after {}", stopping.max_epochs, steps_text(progress.step));
  }
  if (progress.cost.gradient_equivalents >= stopping.max_gradient_equivalents * (1 - 1e-12)) {
    return fmt::format("the budget of {:g} gradient equivalents is spent after {}", stopping.max_gradient_equivalents,
                       steps_text(progress.step));
  }
  for (const auto& [calls, limit, name] : {std::tuple{progress.cost.values, stopping.max_values, "values"},
                                           {progress.cost.gradients, stopping.max_gradients, "evaluations"},
                                           {progress.cost.products, stopping.max_products, "products"}}) {
    if (calls >= limit) {
      return fmt::format("the budget of {} {} is spent after {}", limit, name, steps_text(progress.step));
    }
  }
  if (progress.seconds >= stopping.max_seconds) {
    return fmt::format("the budget of {:g} s is spent after {}", stopping.max_seconds, steps_text(progress.step));
  }
  return {};
}

/// How much of the budget is spent: the largest share of its limits, NaN when there are none.
double share_spent(const Progress& progress, const Stopping& stopping) {
  double share = stopping.max_steps == std::numeric_limits<std::int64_t>::max()
                     ? -1.0
                     : static_cast<double>(progress.step) / static_cast<double>(stopping.max_steps);
  for (const auto& [calls, limit] : {std::pair{progress.cost.values, stopping.max_values},
                                     {progress.cost.gradients, stopping.max_gradients},
                                     {progress.cost.products, stopping.max_products}}) {
    if (limit != std::numeric_limits<std::int64_t>::max()) {
      share = std::max(share, static_cast<double>(calls) / static_cast<double>(limit));
    }
  }
  for (const auto& [spent, limit] : {std::pair{progress.epochs, stopping.max_epochs},
                                     {progress.cost.gradient_equivalents, stopping.max_gradient_equivalents},
                                     {progress.seconds, stopping.max_seconds}}) {
    if (std::isfinite(limit)) share = std::max(share, spent / limit);
  }
  return share >= 0 ? std::min(share, 1.0) : std::numeric_limits<double>::quiet_NaN();
}

void check(const Stopping& stopping) {
  if (!(stopping.gradient_tolerance >= 0) || !(stopping.step_tolerance >= 0) || !(stopping.plateau_tolerance >= 0)) {
    fail("stopping: tolerances must be >= 0");
  }
  if (std::isnan(stopping.target_value) || std::isnan(stopping.max_epochs) || std::isnan(stopping.max_seconds) ||
      std::isnan(stopping.max_gradient_equivalents)) {
    fail("stopping: a target or budget is NaN; give a number, or leave it at its default to switch the rule off");
  }
  if (stopping.patience < 1) fail("stopping: patience {} is not possible; give at least 1", stopping.patience);
}

}  // namespace

const char* to_string(Termination termination) {
  switch (termination) {
    case Termination::gradient: return "gradient";
    case Termination::target: return "target";
    case Termination::step: return "step";
    case Termination::plateau: return "plateau";
    case Termination::rounding: return "rounding";
    case Termination::line_search_failed: return "line-search-failed";
    case Termination::trust_region_collapsed: return "trust-region-collapsed";
    case Termination::budget: return "budget";
    case Termination::non_finite: return "non-finite";
    case Termination::user: return "user";
  }
  return "unknown";
}

Termination termination_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Termination::user); ++i) {
    if (to_string(static_cast<Termination>(i)) == name) return static_cast<Termination>(i);
  }
  fail("there is no termination called '{}'", name);
}

bool converged(Termination termination) {
  switch (termination) {
    case Termination::gradient:
    case Termination::target:
    case Termination::step:
    case Termination::plateau:
    case Termination::rounding: return true;
    default: return false;
  }
}

Summary minimize(Optimizer& optimizer, Objective& f, Vector& x, const Stopping& stopping, const Batches& batches,
                 std::span<Observer* const> observers, const Progress& start) {
  check(stopping);
  if (x.size() != f.size()) fail("minimize: a start of {} parameters for an objective of {}", x.size(), f.size());

  CountingObjective counted(f, start.cost);
  FiniteSum* const sum = find<FiniteSum>(f);
  std::optional<BatchSequence> sequence;
  if (sum != nullptr) {
    if (batches.size > 0 && batches.size < sum->sample_count()) {
      sequence.emplace(sum->sample_count(), batches.size, batches.seed, batches.full_at);
    } else {
      sum->select_all();
    }
  }

  Summary summary;
  Progress& progress = summary.progress;
  progress = start;
  Vector g(x.size());
  Vector before(x.size());
  if (progress.refuge.size() != x.size()) progress.refuge = x;
  // Of the step at hand: batches that grow are all samples in the end.
  bool on_part = false;
  const auto between_confirmations = [&]() -> std::int64_t {
    if (!on_part) return 1;
    if (batches.full_at == 0) return sequence->batches_per_epoch();
    return std::max<Index>(1, counted.total_samples() / counted.samples());
  };

  const auto stop = [&](Termination why, std::string message) {
    summary.termination = why;
    summary.message = std::move(message);
    return true;
  };

  // Claims of convergence count only when a fresh evaluation on all samples confirms them.
  const auto claims = [&](const StepReport& report) {
    const bool small_gradient = report.gradient_norm_after <= stopping.gradient_tolerance ||
                                report.gradient_norm <= stopping.gradient_tolerance;
    const bool low_value = report.value_after <= stopping.target_value || report.value <= stopping.target_value;
    if (!small_gradient && !low_value) return false;
    return progress.last_confirmation < 0 || progress.step - progress.last_confirmation >= between_confirmations();
  };
  const auto confirmed = [&] {
    const Truth truth = evaluate(f, sum, x, g);
    if (!truth.finite()) return false;
    if (truth.gradient_norm <= stopping.gradient_tolerance) {
      return stop(Termination::gradient, fmt::format("gradient norm {:.3g} <= {:g} after {}", truth.gradient_norm,
                                                     stopping.gradient_tolerance, steps_text(progress.step)));
    }
    if (truth.value <= stopping.target_value) {
      return stop(Termination::target, fmt::format("value {:.6g} <= target {:g} after {}", truth.value,
                                                   stopping.target_value, steps_text(progress.step)));
    }
    return false;
  };

  // The rules that a step's own report is enough for.
  const auto ruled = [&](const StepReport& report) {
    // On a mini-batch a failed search concerns this batch alone.
    if (!on_part) {
      switch (report.status) {
        case StepStatus::line_search_at_rounding:
          return stop(Termination::rounding, fmt::format("no decrease of {:.6g} can be told from rounding after {}",
                                                         report.value, steps_text(progress.step)));
        case StepStatus::line_search_failed:
          return stop(
              Termination::line_search_failed,
              fmt::format("the line search found no acceptable step at value {:.6g}, gradient norm {:.3g}, after {}",
                          report.value, report.gradient_norm, steps_text(progress.step)));
        case StepStatus::trust_region_collapsed:
          return stop(Termination::trust_region_collapsed,
                      fmt::format("the trust region collapsed at value {:.6g}, gradient norm {:.3g}, after {}",
                                  report.value, report.gradient_norm, steps_text(progress.step)));
        default: break;
      }
    }
    if (stopping.step_tolerance > 0 && progress.small_steps >= stopping.patience) {
      return stop(Termination::step,
                  fmt::format("{} steps in a row changed x by at most {:g}, after {}", stopping.patience,
                              stopping.step_tolerance, steps_text(progress.step)));
    }
    if (stopping.plateau_tolerance > 0 && !on_part && progress.step - progress.plateau_step >= stopping.patience) {
      return stop(Termination::plateau, fmt::format("the value fell by less than {:g} of {:.6g} in {} steps, after {}",
                                                    stopping.plateau_tolerance, progress.plateau_value,
                                                    stopping.patience, steps_text(progress.step)));
    }
    return false;
  };

  const auto step_once = [&]() -> bool {
    if (const std::string why = spent(progress, stopping); !why.empty()) return stop(Termination::budget, why);
    on_part = sequence && !(batches.full_at > 0 && progress.step + 1 >= batches.full_at);
    if (sequence && !on_part) sum->select_all();
    if (on_part) {
      sum->select(sequence->batch(progress.step));
      if (progress.step % sequence->batches_per_epoch() == 0) progress.refuge = x;
    } else {
      before = x;
    }
    optimizer.set_budget_share(share_spent(progress, stopping));
    const double begin = decision_clock();
    const StepReport report = optimizer.step(counted, x);
    progress.seconds += decision_clock() - begin;
    progress.cost = counted.cost();
    progress.epochs += static_cast<double>(counted.samples()) / static_cast<double>(counted.total_samples());
    ++progress.step;
    if (progress.step == 1) progress.initial_value = report.value;

    if (report.status == StepStatus::non_finite || !std::isfinite(report.value)) {
      std::string what = counted.explain_non_finite(x);
      if (what.empty()) what = "the step met a number that is not finite";
      return stop(Termination::non_finite, fmt::format("diverged at step {}: {}", progress.step, what));
    }
    progress.best_value = std::min(progress.best_value, report.value);
    if (!on_part && report.value < progress.refuge_value) {
      progress.refuge_value = report.value;
      std::swap(progress.refuge, before);
    }

    // Before observers see the progress, so that a checkpoint holds where the rules stand.
    if (stopping.step_tolerance > 0) {
      const double relative = report.step_norm / std::max(1.0, norm(x));
      progress.small_steps = relative <= stopping.step_tolerance ? progress.small_steps + 1 : 0;
    }
    if (stopping.plateau_tolerance > 0) {
      const double needed = stopping.plateau_tolerance * std::max(std::abs(progress.plateau_value), 1e-300);
      if (!(report.value > progress.plateau_value - needed)) {
        progress.plateau_value = report.value;
        progress.plateau_step = progress.step;
      }
    }

    const bool claimed = claims(report);
    if (claimed) progress.last_confirmation = progress.step;
    bool ends = (claimed && confirmed()) || ruled(report);
    if (ends && converged(summary.termination) && !on_part && stopping.escape && stopping.escape(counted, x)) {
      progress.cost = counted.cost();
      ++progress.escapes;
      progress.small_steps = 0;
      progress.plateau_value = kInfinity;
      ends = false;
    }

    // Observers come last, so that what a checkpoint holds is decided.
    bool asked = false;
    std::string reason;
    for (Observer* observer : observers) {
      if (observer->after_step({progress, report, x, optimizer, ends}) && !asked) {
        asked = true;
        reason = observer->stop_reason();
      }
    }
    if (ends) return true;
    return asked && stop(Termination::user, fmt::format("{} after {}", reason, steps_text(progress.step)));
  };

  for (Observer* observer : observers) observer->begin(progress, x, optimizer);
  if (!progress.ended.empty()) {
    stop(termination_of(progress.ended), progress.end_message);
  } else {
    while (!step_once()) {
    }
    // Budgets and requests may be raised and taken back; whatever else ended the run has ended it for good.
    if (summary.termination != Termination::budget && summary.termination != Termination::user) {
      progress.ended = to_string(summary.termination);
      progress.end_message = summary.message;
    }
  }

  Truth truth = evaluate(f, sum, x, g);
  if (!truth.finite()) {
    if (summary.termination != Termination::non_finite) {
      summary.message =
          fmt::format("diverged: {} (the run had ended because {})", f.explain_non_finite(x), summary.message);
      summary.termination = Termination::non_finite;
    }
    x = progress.refuge;
    truth = evaluate(f, sum, x, g);
  }
  summary.initial_value = progress.initial_value;
  summary.value = truth.value;
  summary.gradient_norm = truth.gradient_norm;
  for (Observer* observer : observers) observer->end(summary, x);
  return summary;
}

}  // namespace hesse
