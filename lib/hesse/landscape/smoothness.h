/// \file
/// How smooth a loss is along its gradient: the three figures by which Santurkar, Tsipras, Ilyas and Madry (2018,
/// section 3.1 and figure 4) show what batch normalisation does to a landscape.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <string>

namespace hesse {

/// The steps along the gradient that smoothness is measured at.
struct SmoothnessOptions {
  /// Longest step eta, the points being x - eta g; 0: twice |g| / |Hg|, where a step of steepest descent would pass
  /// the edge of stability of a quadratic with the curvature along g. >= 0.
  double longest_step = 0;
  Index points = 40;  ///< steps eta_i = i / points of the longest, i = 1, ..., points; >= 1
};

/// How loss and gradient change along the gradient.
struct Smoothness {
  Vector steps;             ///< eta_i, from 0 on
  Vector values;            ///< f(x - eta_i g)
  Vector gradient_changes;  ///< |g(x - eta_i g) - g(x)|_2
  Vector gradient_norms;    ///< |g(x - eta_i g)|_2
  double least_value = 0;   ///< the variation of the loss
  double largest_value = 0;
  double least_change = 0;  ///< the variation of the gradient, eta = 0 left out
  double largest_change = 0;
  /// max_i |g(x - eta_i g) - g(x)| / |eta_i g|: the paper's "effective beta-smoothness".
  double effective = 0;
  /// max |g(y) - g(z)| / |y - z| over all pairs of the points, which by the triangle inequality neighbours attain: a
  /// lower bound of the Lipschitz constant of the gradient on the segment, and at least `effective`.
  double lipschitz = 0;
  double at_point = 0;   ///< |Hg| / |g| at x, the limit of `effective` for short steps
  Index non_finite = 0;  ///< points where f or g is not finite; figures are of the others
  std::string message;   ///< why there are no figures, or how many points are not finite
};

/// Walks from x along -g, on the selected samples of f: points + 1 gradients and one product. For a quadratic all
/// three constants are |Hg| / |g|, which lies between the least and the largest magnitude of its eigenvalues. Figures
/// are NaN where the gradient at x is 0 or not finite. Throws Error on impossible options.
Smoothness gradient_smoothness(Objective& f, const Vector& x, const SmoothnessOptions& options = {});

}  // namespace hesse
