/// \file
/// The line search of CG_DESCENT (Hager and Zhang 2005, section 4; 2006, section 3): a bracket [a, b] whose slopes are
/// of opposite sign, shrunk by two secant steps at a time ("secant^2"), until the Wolfe conditions
///
///     phi(t) <= phi(0) + delta t phi'(0),   phi'(t) >= sigma phi'(0)                                        (T1)
///
/// or the approximate ones
///
///     (2 delta - 1) phi'(0) >= phi'(t) >= sigma phi'(0),   phi(t) <= phi(0) + epsilon |phi(0)|              (T2)
///
/// hold. The latter use slopes, which are right long after values have drowned in rounding. Each trial costs one value
/// and gradient.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/globalization/line_search.h"

namespace hesse {

/// The constants of the search, by the names of the papers.
struct HagerZhangOptions {
  double delta = 0.1;      ///< (0, 1/2)
  double sigma = 0.9;      ///< [delta, 1)
  double epsilon = 1e-6;   ///< of T2, >= 0
  double theta = 0.5;      ///< where the bracket is cut in the update, (0, 1)
  double gamma = 2.0 / 3;  ///< the bracket must shrink by this factor, else it is bisected, (0, 1)
  double rho = 5;          ///< growth of the first bracket, > 1
  Index max_evaluations = 50;
};
void visit_options(HagerZhangOptions& options, OptionVisitor& visitor);

/// Searches from x along d, where f and slope = g'd are known; see line_search().
LineSearchResult hager_zhang(Objective& f, const Vector& x, const Vector& d, double value, double slope,
                             double first_step, const HagerZhangOptions& options, Vector& x_new, Vector& g_new);

}  // namespace hesse
