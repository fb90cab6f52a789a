/// \file
/// A step length that satisfies the strong Wolfe conditions
///
///     f(x + a d) <= f(x) + ftol a g'd       (sufficient decrease)
///     |g(x + a d)'d| <= gtol |g'd|          (curvature)
///
/// by the search of More and Thuente (1994), which brackets such a step by safeguarded cubic and
/// quadratic interpolation. Near a minimum the decrease drowns in the rounding of f; then a step that
/// satisfies the approximate Wolfe conditions of Hager and Zhang (2005, condition T2), which use slopes
/// alone, is taken instead. Each trial costs one value and gradient.
#pragma once

#include "hesse/objective/objective.h"

namespace hesse {

/// The constants of the conditions, and bounds.
struct LineSearchOptions {
  double ftol = 1e-4;   ///< sufficient decrease, 0 < ftol < gtol
  double gtol = 0.9;    ///< curvature, ftol < gtol < 1
  double xtol = 1e-16;  ///< relative width at which the bracket has collapsed
  double step_min = 1e-20;
  double step_max = 1e20;
  Index max_evaluations = 40;
  double approximate_wolfe = 1e-6;  ///< epsilon of Hager and Zhang: f may exceed f(x) by this share of |f(x)|
};

/// What the step of a line search satisfies, or why there is none.
enum class LineSearchStatus {
  strong_wolfe,       ///< both conditions hold
  wolfe,              ///< sufficient decrease and a slope >= gtol times the first one
  armijo,             ///< f has fallen enough, which is all that was asked for
  approximate_wolfe,  ///< the slopes are right and f cannot be told from f(x)
  at_rounding,        ///< no step makes a difference in f beyond rounding
  failed,             ///< no acceptable step within the evaluations or bounds
  not_descent,        ///< g'd >= 0: no search was made
  non_finite,         ///< f or g is not finite at every trial step
};

/// The step of a line search.
struct LineSearchResult {
  LineSearchStatus status = LineSearchStatus::failed;
  double step = 0;
  double value = 0;  ///< f at the accepted step
  Index evaluations = 0;
  bool accepted() const {
    return status == LineSearchStatus::strong_wolfe || status == LineSearchStatus::wolfe ||
           status == LineSearchStatus::armijo || status == LineSearchStatus::approximate_wolfe;
  }
};

/// Searches from x along d, where f and slope = g'd are known. On acceptance `x_new` and `g_new` hold
/// the point and its gradient; they are the search's workspace and must not alias x.
LineSearchResult line_search(Objective& f, const Vector& x, const Vector& d, double value, double slope,
                             double first_step, const LineSearchOptions& options, Vector& x_new, Vector& g_new);

namespace detail {

/// One end of the bracket: step, function value and slope there.
struct TrialPoint {
  double step = 0;
  double value = 0;
  double slope = 0;
};

/// The update of More and Thuente (1994, section 4): from the ends `best` (with the least value so
/// far) and `other` and a new trial point, replaces the ends so that the bracket still holds a
/// minimiser, and returns the next trial step. `bracketed` tells whether a minimiser is enclosed.
double more_thuente_step(TrialPoint& best, TrialPoint& other, const TrialPoint& trial, bool& bracketed, double low,
                         double high);

}  // namespace detail
}  // namespace hesse
