#include "hesse/optim/globalization/line_search.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace detail {

double more_thuente_step(TrialPoint& best, TrialPoint& other, const TrialPoint& trial, bool& bracketed, double low,
                         double high) {
  const double width = trial.step - best.step;
  // theta and gamma of the cubic through two values and two slopes. The scale is of magnitudes: taken
  // without them, as in several ports, a negative theta overflows the root.
  const auto cubic = [](const TrialPoint& a, const TrialPoint& b, bool clamp) {
    const double theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    const double scale = std::max({std::abs(theta), std::abs(a.slope), std::abs(b.slope)});
    double radicand = (theta / scale) * (theta / scale) - (a.slope / scale) * (b.slope / scale);
    if (clamp) radicand = std::max(0.0, radicand);
    return std::pair{theta, scale * std::sqrt(radicand)};
  };

  double next = 0;
  const bool opposite = trial.slope * (best.slope / std::abs(best.slope)) < 0;
  if (trial.value > best.value) {
    // Case 1: a higher value, so a minimiser is bracketed. The cubic step if it is nearer to the best
    // end than the quadratic one, else their mean.
    auto [theta, gamma] = cubic(best, trial, false);
    if (trial.step < best.step) gamma = -gamma;
    const double r = ((gamma - best.slope) + theta) / (((gamma - best.slope) + gamma) + trial.slope);
    const double cubic_step = best.step + r * width;
    const double quadratic_step =
        best.step + best.slope / ((best.value - trial.value) / width + best.slope) / 2 * width;
    next = std::abs(cubic_step - best.step) < std::abs(quadratic_step - best.step)
               ? cubic_step
               : cubic_step + (quadratic_step - cubic_step) / 2;
    bracketed = true;
  } else if (opposite) {
    // Case 2: a lower value and slopes of opposite sign: bracketed. Of the cubic and the secant step
    // the one farther from the trial.
    auto [theta, gamma] = cubic(best, trial, false);
    if (trial.step > best.step) gamma = -gamma;
    const double r = ((gamma - trial.slope) + theta) / (((gamma - trial.slope) + gamma) + best.slope);
    const double cubic_step = trial.step - r * width;
    const double secant_step = trial.step - trial.slope / (trial.slope - best.slope) * width;
    next = std::abs(cubic_step - trial.step) > std::abs(secant_step - trial.step) ? cubic_step : secant_step;
    bracketed = true;
  } else if (std::abs(trial.slope) < std::abs(best.slope)) {
    // Case 3: a lower value, the same sign, a smaller slope. The cubic may have no minimiser in this
    // direction; then the bound of the interval stands for it.
    auto [theta, gamma] = cubic(best, trial, true);
    if (trial.step > best.step) gamma = -gamma;
    const double r = ((gamma - trial.slope) + theta) / ((gamma + (best.slope - trial.slope)) + gamma);
    double cubic_step = 0;
    if (r < 0 && gamma != 0) {
      cubic_step = trial.step - r * width;
    } else {
      cubic_step = trial.step > best.step ? high : low;
    }
    const double secant_step = trial.step - trial.slope / (trial.slope - best.slope) * width;
    const bool cubic_nearer = std::abs(cubic_step - trial.step) < std::abs(secant_step - trial.step);
    if (bracketed) {
      next = cubic_nearer ? cubic_step : secant_step;
      const double guard = trial.step + 0.66 * (other.step - trial.step);
      next = trial.step > best.step ? std::min(guard, next) : std::max(guard, next);
    } else {
      next = std::clamp(cubic_nearer ? secant_step : cubic_step, low, high);
    }
  } else if (bracketed) {
    // Case 4: a lower value, the same sign, no smaller slope: the cubic between trial and other end.
    auto [theta, gamma] = cubic(trial, other, false);
    if (trial.step > other.step) gamma = -gamma;
    const double r = ((gamma - trial.slope) + theta) / (((gamma - trial.slope) + gamma) + other.slope);
    next = trial.step + r * (other.step - trial.step);
  } else {
    next = trial.step > best.step ? high : low;
  }

  if (trial.value > best.value) {
    other = trial;
  } else {
    if (opposite) other = best;
    best = trial;
  }
  return next;
}

}  // namespace detail

LineSearchResult line_search(Objective& f, const Vector& x, const Vector& d, double value, double slope,
                             double first_step, const LineSearchOptions& options, Vector& x_new, Vector& g_new) {
  using detail::TrialPoint;
  LineSearchResult result;
  if (!(slope < 0) || !std::isfinite(value)) {
    result.status =
        std::isfinite(slope) && std::isfinite(value) ? LineSearchStatus::not_descent : LineSearchStatus::non_finite;
    return result;
  }
  // Differences below this are rounding of f.
  const double rounding = 10 * f.value_noise() * std::abs(value);
  const double allowance = std::max(options.approximate_wolfe * std::abs(value), rounding);

  TrialPoint best{0, value, slope};
  TrialPoint other = best;
  bool bracketed = false;
  bool first_stage = true;  // until psi(a) = f - ftol a slope has been <= 0 with a non-negative slope
  bool any_finite = false;
  double largest_difference = 0;
  double width = options.step_max - options.step_min;
  double previous_width = 2 * width;
  double step = std::clamp(first_step, options.step_min, options.step_max);
  double finite_limit = options.step_max;

  while (result.evaluations < options.max_evaluations) {
    double low = 0;
    double high = 0;
    if (bracketed) {
      low = std::min(best.step, other.step);
      high = std::max(best.step, other.step);
    } else {
      // Extrapolation advances by 1.1 to 4 times the last advance.
      low = result.evaluations == 0 ? 0 : step + 1.1 * (step - best.step);
      high = step + 4 * (step - best.step);
    }
    step = std::clamp(step, options.step_min, std::min(options.step_max, finite_limit));

    x_new = x + step * d;
    TrialPoint trial{step, f.value_and_gradient(x_new, g_new), 0};
    trial.slope = dot(g_new, d);
    ++result.evaluations;
    if (!std::isfinite(trial.value) || !std::isfinite(trial.slope)) {
      // Outside the domain of f: no interpolation can use this point; go back towards the best one.
      finite_limit = step;
      const double back = best.step + 0.1 * (step - best.step);
      if (!(std::abs(back - best.step) > options.xtol * std::abs(step))) break;
      step = back;
      continue;
    }
    any_finite = true;
    largest_difference = std::max(largest_difference, std::abs(trial.value - value));

    const double sufficient = value + options.ftol * step * slope;
    if (trial.value <= sufficient && std::abs(trial.slope) <= options.gtol * -slope) {
      result.status = LineSearchStatus::strong_wolfe;
      result.step = step;
      result.value = trial.value;
      return result;
    }
    // (2 delta - 1) slope0 >= slope >= sigma slope0 with delta = 0.1. It stands in only where the
    // decrease asked for is too small to be seen in f.
    const bool slopes_right = -0.8 * slope >= trial.slope && trial.slope >= options.gtol * slope;
    const bool unresolved = std::abs(step * slope) <= allowance && trial.value <= value + allowance &&
                            -options.ftol * step * slope <= 100 * rounding;
    if (slopes_right && unresolved) {
      result.status = LineSearchStatus::approximate_wolfe;
      result.step = step;
      result.value = trial.value;
      return result;
    }
    const bool collapsed = bracketed && high - low <= options.xtol * high;
    const bool at_limit =
        (step >= options.step_max && trial.value <= sufficient && trial.slope <= options.ftol * slope) ||
        step <= options.step_min;
    if (collapsed || at_limit) break;

    if (first_stage && trial.value <= sufficient && trial.slope >= 0) first_stage = false;
    if (first_stage && trial.value <= best.value && trial.value > sufficient) {
      // Until a step with sufficient decrease is known, the bracket is updated for psi.
      const double tilt = options.ftol * slope;
      const auto tilted = [&](const TrialPoint& p) {
        return TrialPoint{p.step, p.value - p.step * tilt, p.slope - tilt};
      };
      const auto untilted = [&](const TrialPoint& p) {
        return TrialPoint{p.step, p.value + p.step * tilt, p.slope + tilt};
      };
      TrialPoint b = tilted(best);
      TrialPoint o = tilted(other);
      step = detail::more_thuente_step(b, o, tilted(trial), bracketed, low, high);
      best = untilted(b);
      other = untilted(o);
    } else {
      step = detail::more_thuente_step(best, other, trial, bracketed, low, high);
    }
    if (bracketed) {
      // The bracket must shrink by a third every two steps, else it is bisected.
      if (std::abs(other.step - best.step) >= 0.66 * previous_width) step = best.step + 0.5 * (other.step - best.step);
      previous_width = width;
      width = std::abs(other.step - best.step);
      if (step <= std::min(best.step, other.step) || step >= std::max(best.step, other.step)) {
        step = best.step + 0.5 * (other.step - best.step);
      }
    }
  }
  if (!any_finite) {
    result.status = LineSearchStatus::non_finite;
  } else if (largest_difference <= rounding || std::abs(first_step * slope) <= rounding) {
    result.status = LineSearchStatus::at_rounding;
  }
  return result;
}

}  // namespace hesse
