#include "hesse/experiment/find_lr.h"

#include "hesse/core/error.h"
#include "hesse/objective/finite_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace hesse {
namespace {

void check(const FindLrOptions& o) {
  if (!(o.low > 0) || !(o.high > o.low) || !std::isfinite(o.high)) {
    fail("find-lr: rates from {:g} to {:g} are not possible; give 0 < low < high", o.low, o.high);
  }
  if (o.steps < 10) fail("find-lr: {} steps are too few to see a course; give at least 10", o.steps);
  if (!(o.smoothing >= 0 && o.smoothing < 1)) fail("find-lr: smoothing {:g} is not in [0, 1)", o.smoothing);
  if (!(o.stop > 1)) fail("find-lr: stop {:g} is not above 1", o.stop);
}

/// The losses to look at: where they may be negative or rise from 0, a multiple of the least means nothing; the rise is
/// then measured from the least in units of the fall.
bool has_broken(double now, double first, double least, double stop) {
  if (!std::isfinite(now)) return true;
  if (least > 0) return now > stop * std::max(least, 1e-3 * first);
  return now - least > (stop - 1) * std::max(first - least, std::abs(first));
}

void read_off(LrSweep& sweep) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  sweep.begins = sweep.steepest = sweep.slows = sweep.least = nan;
  const auto finite = [](double v) { return std::isfinite(v); };
  const std::vector<double>& s = sweep.smoothed;
  const auto end = std::find_if_not(s.begin(), s.end(), finite);
  if (end == s.begin()) {
    sweep.message = "the loss is not finite after the first step";
    return;
  }
  const auto at_least = std::min_element(s.begin(), end);
  const auto last = static_cast<std::size_t>(at_least - s.begin());
  const double fall = s.front() - *at_least;
  // What a mean of losses of order s can show at all.
  if (last == 0 || fall <= 1e-12 * std::abs(s.front())) {
    sweep.message = "the loss did not fall at any rate; try lower rates, or another start";
    return;
  }
  sweep.least = sweep.rate[last];
  double steepest = 0;
  for (std::size_t i = 1; i <= last; ++i) {
    if (std::isnan(sweep.begins) && s.front() - s[i] >= 0.1 * fall) sweep.begins = sweep.rate[i];
    if (std::isnan(sweep.slows) && s.front() - s[i] >= 0.9 * fall) sweep.slows = sweep.rate[i];
    if (s[i - 1] - s[i] > steepest) {
      steepest = s[i - 1] - s[i];
      sweep.steepest = sweep.rate[i];
    }
  }
  sweep.message =
      fmt::format("rates from {:.2g} to {:.2g} train; the loss falls fastest at {:.2g} and is least at {:.2g}{}",
                  sweep.begins, sweep.slows, sweep.steepest, sweep.least,
                  sweep.diverged ? fmt::format(", beyond which it breaks at {:.2g}", sweep.rate.back())
                                 : ", and did not break up to the last rate");
}

}  // namespace

LrSweep find_lr(Optimizer& optimizer, Objective& f, Vector x, const FindLrOptions& options) {
  check(options);
  double* const rate = optimizer.learning_rate();
  if (rate == nullptr) fail("find-lr: this method has no learning rate to find");
  const double given = *rate;
  FiniteSum* const sum = find<FiniteSum>(f);
  std::optional<BatchSequence> batches;
  if (sum != nullptr && options.batch_size > 0 && options.batch_size < sum->sample_count()) {
    batches.emplace(sum->sample_count(), options.batch_size, options.seed);
  }
  const auto select = [&](std::int64_t step) {
    if (batches) {
      sum->select(batches->batch(step));
    } else if (sum != nullptr) {
      sum->select_all();
    }
  };
  LrSweep sweep;
  double mean = 0;
  double first = 0;
  double least = std::numeric_limits<double>::infinity();
  const double growth = std::log(options.high / options.low) / static_cast<double>(options.steps - 1);
  for (Index i = 0; i < options.steps && !sweep.diverged; ++i) {
    select(i);
    *rate = options.low * std::exp(growth * static_cast<double>(i));
    optimizer.set_budget_share(static_cast<double>(i) / static_cast<double>(options.steps));
    const StepReport report = optimizer.step(f, x);
    select(i + 1);
    const double loss = report.status == StepStatus::non_finite ? std::nan("") : f.value(x);
    mean = options.smoothing * mean + (1 - options.smoothing) * loss;
    const double smoothed = mean / (1 - std::pow(options.smoothing, static_cast<double>(i + 1)));
    sweep.rate.push_back(*rate);
    sweep.loss.push_back(loss);
    sweep.smoothed.push_back(smoothed);
    if (i == 0) first = smoothed;
    least = std::min(least, smoothed);
    sweep.diverged = has_broken(smoothed, first, least, options.stop);
  }
  *rate = given;
  if (sum != nullptr) sum->select_all();
  read_off(sweep);
  return sweep;
}

}  // namespace hesse
