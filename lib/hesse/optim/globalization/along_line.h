/// \file
/// What all line searches share as globalisations: a descent direction to begin with, and what their results mean for
/// the step.
#pragma once

#include "hesse/core/vector_ops.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/globalization/line_search.h"
#include "hesse/optim/globalization/rounding_watch.h"

#include <cmath>
#include <string>

namespace hesse {

/// Writes a direction of descent into d and returns its slope g'd < 0: the one that `direction` suggests, else the one
/// that it suggests when it has forgotten what it learnt, else -g. NaN when the model is not finite.
double descent_direction(Direction& direction, const Point& at, Vector& d, StepReport& report);

/// Why this direction does not go with a line search, or empty.
std::string line_search_misfit(const Direction& direction);

/// The status of a step from that of its search.
StepStatus step_status(LineSearchStatus status);

/// A line search as a globalisation. `search(f, at, d, slope, first_step, trial)` returns a LineSearchResult and leaves
/// the accepted point and its gradient in `trial`.
template <class Search>
StepStatus advance_along_line(Objective& f, Direction& direction, const Point& at, Vector& d, RoundingWatch& watch,
                              Trial& trial, StepReport& report, const Search& search) {
  if (watch.ended(at.value)) return StepStatus::line_search_at_rounding;
  const double slope = descent_direction(direction, at, d, report);
  if (!(slope < 0)) return StepStatus::non_finite;
  const LineSearchResult found = search(f, at, d, slope, direction.first_step(at, d), trial);
  report.inner_iterations += found.evaluations;
  if (!found.accepted()) return step_status(found.status);
  trial.value = found.value;
  const double rounding = 10 * f.value_noise() * std::abs(at.value);
  watch.saw(std::abs(trial.value - at.value) <= rounding, at.gradient_norm, norm(trial.g), trial.value);
  report.step_size = found.step;
  return StepStatus::ok;
}

}  // namespace hesse
