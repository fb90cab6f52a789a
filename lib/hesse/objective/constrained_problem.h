/// \file
/// A smooth problem with constraints:
///
///     minimise f(x)   subject to   c_i(x) = 0 (equalities),   c_i(x) >= 0 (inequalities),   lower <= x <= upper
///
/// Each constraint is an objective of its own, and so brings its gradient and its Hessian with it.
#pragma once

#include "hesse/objective/objective.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hesse {

/// An objective with equalities, inequalities and bounds.
struct ConstrainedProblem {
  std::string description;
  std::unique_ptr<Objective> objective;
  std::vector<std::unique_ptr<Objective>> equalities;
  std::vector<std::unique_ptr<Objective>> inequalities;
  Vector lower;  ///< -infinity where there is none
  Vector upper;  ///< +infinity where there is none
  Vector start;
  /// Said where the constraints and bounds are x >= 0 and sum x = this, a set that one can project on.
  std::optional<double> simplex_total = {};
  /// The least value and where it is attained, as published; nothing where unknown.
  std::optional<double> minimum_value;
  std::vector<Vector> minimisers;

  Index size() const { return objective->size(); }
};

}  // namespace hesse
