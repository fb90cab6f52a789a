/// \file
/// Whether a step that minimised a model is accepted: the ratio
///
///     rho = (f(x) - f(x + s)) / (m(0) - m(s))
///
/// of actual to predicted decrease, and what takes its place where both drown in the rounding of f. There gradients are
/// still right, and the trapezoid rule
///
///     f(x) - f(x + s) = -1/2 (g(x) + g(x + s))'s + O(|s|^3)
///
/// stands for the difference (in the spirit of the approximate Wolfe conditions of Hager and Zhang 2005, section 4).
/// Such steps count as progress for as long as the gradient goes on falling.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/globalization/rounding_watch.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

/// What became of a trial step.
struct Judgement {
  double rho = -1;          ///< -1 where f or its gradient is not finite
  bool accepted = false;    ///< rho > eta
  bool unresolved = false;  ///< the decreases are below rounding, and gradients were used
};

/// Judges the steps of one run.
class StepJudge {
 public:
  /// `memory` M >= 1: f may rise to the greatest of the last M accepted values.
  StepJudge(double eta, Index memory);

  /// True when the steps up to this point have reached what f and g can resolve.
  bool at_rounding(const Point& at) const { return watch_.ended(at.value); }
  /// Evaluates f and its gradient at at.x + s into `trial` and judges the step, whose model promised `decrease`.
  Judgement judge(Objective& f, const Point& at, const Vector& s, double decrease, Trial& trial);
  StateView state();

 private:
  double eta_;
  Vector recent_;           // the last M accepted values, a ring
  std::int64_t count_ = 0;  // accepted values so far
  RoundingWatch watch_;
};

}  // namespace hesse
