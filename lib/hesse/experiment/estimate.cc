#include "hesse/experiment/estimate.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/experiment/budget.h"
#include "hesse/objective/finite_sum.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace hesse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSteps = 3;
constexpr double kSeconds = 2;

/// Keeps what every step had spent, and ends the run when enough is known.
class Probe final : public Observer {
 public:
  bool after_step(const Iterate& iterate) override {
    const Progress& p = iterate.progress;
    spent.push_back({static_cast<double>(p.step), p.epochs, p.seconds, p.cost.gradient_equivalents,
                     static_cast<double>(p.cost.values), static_cast<double>(p.cost.gradients),
                     static_cast<double>(p.cost.products)});
    return p.step >= kSteps || p.seconds > kSeconds;
  }

  struct Spent {
    double steps, epochs, seconds, equivalents, values, gradients, products;
  };
  std::vector<Spent> spent;
};

double bytes_of(const StateEntry& entry) {
  constexpr auto kDouble = static_cast<double>(sizeof(double));
  if (const auto* const* vector = std::get_if<Vector*>(&entry.data)) {
    return kDouble * static_cast<double>((*vector)->size());
  }
  if (const auto* const* matrix = std::get_if<Matrix*>(&entry.data)) {
    return kDouble * static_cast<double>((*matrix)->size());
  }
  return kDouble;
}

/// Epochs that a step on `batch` of the samples spends on average, where the last batch of an epoch is a smaller one;
/// those of `measured` steps where there are no batches, or a step takes several.
double epochs_a_step(Index samples, Index batch, double measured) {
  if (samples == 0 || batch == 0 || batch >= samples) return measured;
  if (measured > 1.5 * static_cast<double>(batch) / static_cast<double>(samples)) return measured;
  return 1 / static_cast<double>(block_count(samples, batch));
}

/// How many steps a budget holds, of which each spends `step` of everything.
double steps_in(const Stopping& budget, const Probe::Spent& step) {
  const Stopping none;
  double least = std::numeric_limits<double>::infinity();
  const auto limit = [&](auto whole, auto unlimited, double each) {
    if (whole != unlimited && each > 0) least = std::min(least, static_cast<double>(whole) / each);
  };
  limit(budget.max_steps, none.max_steps, 1.0);
  limit(budget.max_epochs, none.max_epochs, step.epochs);
  limit(budget.max_seconds, none.max_seconds, step.seconds);
  limit(budget.max_gradient_equivalents, none.max_gradient_equivalents, step.equivalents);
  limit(budget.max_values, none.max_values, step.values);
  limit(budget.max_gradients, none.max_gradients, step.gradients);
  limit(budget.max_products, none.max_products, step.products);
  return std::ceil(least);
}

}  // namespace

RunEstimate estimate_run(const RunSettings& settings, Problem& problem) {
  const Index batch = planned_record(settings, problem).batch_size;
  const Method method = parse_method(settings.method);
  auto optimizer = make_optimizer(method.optimizer, {*problem.objective, settings.seed});
  Stopping stopping;
  apply_budget(settings.budget, stopping);
  stopping.target_value = settings.target;
  stopping.gradient_tolerance = settings.gradient_tolerance;
  Probe probe;
  std::vector<Observer*> observers = {&probe};
  Vector x = problem.start(settings.seed);
  const Summary summary =
      minimize(*optimizer, *problem.objective, x, stopping, {batch, settings.seed, method.full_batch_at}, observers);
  RunEstimate out;
  out.parameters = x.size();
  for (const StateEntry& entry : optimizer->state()) out.state_bytes += bytes_of(entry);
  out.disk_bytes = 2 * (static_cast<double>(sizeof(double)) * static_cast<double>(x.size()) + out.state_bytes);
  out.measured_steps = std::ssize(probe.spent);
  const auto begin = Clock::now();
  problem.value(x);
  for (const Metric& metric : problem.metrics) metric.evaluate(x);
  out.evaluation_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (probe.spent.empty()) {
    out.ended = summary.message;
    return out;
  }
  // The first step also makes what the method keeps.
  const Probe::Spent& last = probe.spent.back();
  const Probe::Spent zero{};
  const Probe::Spent& first = probe.spent.size() > 1 ? probe.spent.front() : zero;
  const double count = last.steps - first.steps;
  const auto* const sum = find<FiniteSum>(*problem.objective);
  const Index samples = sum == nullptr ? 0 : sum->sample_count();
  const Probe::Spent step{1,
                          epochs_a_step(samples, batch, (last.epochs - first.epochs) / count),
                          (last.seconds - first.seconds) / count,
                          (last.equivalents - first.equivalents) / count,
                          (last.values - first.values) / count,
                          (last.gradients - first.gradients) / count,
                          (last.products - first.products) / count};
  out.step_seconds = step.seconds;
  out.steps = steps_in(stopping, step);
  if (summary.termination != Termination::user && summary.termination != Termination::budget) {
    out.ended = summary.message;
    out.steps = static_cast<double>(out.measured_steps);
  }
  const double rows =
      sum != nullptr ? std::ceil(out.steps * step.epochs) * static_cast<double>(settings.trace_rows) : out.steps;
  out.seconds = out.steps * out.step_seconds + (rows + 1) * out.evaluation_seconds;
  return out;
}

}  // namespace hesse
