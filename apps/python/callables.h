/// \file
/// Objectives from Python callables: functions with what derivatives there are, means over samples, and residuals.
#pragma once

#include "interpreter.h"

#include "hesse/objective/objective.h"

#include <memory>

namespace hesse::python {

/// What a Python function is made of.
struct Functions {
  py::object fun;
  py::object grad;  ///< a callable, None, or True where fun returns (value, gradient)
  py::object hvp;   ///< a callable or None
  py::object hess;  ///< a callable or None
};

struct FunctionOptions {
  bool differences = false;  ///< what is missing by central differences
  double noise = 1e-15;      ///< relative rounding error of values, > 0
  /// Of a mean over samples, whose callables take the array of those selected last; 0: no such mean.
  Index samples = 0;
};

/// Throws Error on what is no callable, n < 1 and the like.
std::shared_ptr<Objective> function_objective(Functions functions, Index n, const FunctionOptions& options);

/// 1/2 |r(x)|^2, with the Jacobian by jac, m x n, or, where that is None and `differences` is set, by central
/// differences. Throws Error likewise.
std::shared_ptr<Objective> residual_objective(py::object residuals, py::object jac, Index n, Index m, bool differences);

}  // namespace hesse::python
