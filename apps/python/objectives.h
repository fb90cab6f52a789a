/// \file
/// hesse.Objective, from Python callables, and hesse.Problem, by name.
#pragma once

#include "interpreter.h"

#include "hesse/objective/objective.h"
#include "hesse/problems/problem.h"

#include <memory>
#include <string>

namespace hesse::python {

/// What hesse.Objective holds.
struct PythonObjective {
  std::shared_ptr<Objective> f;
  /// Why products with the Hessian are no exact ones ("central differences ..."), or empty.
  std::string inexact;
};

/// What hesse.LeastSquares holds.
struct PythonLeastSquares : PythonObjective {};

/// What hesse.Problem holds.
struct PythonProblem : PythonObjective {
  std::shared_ptr<Problem> problem;
  std::string specification;
};

/// x as a vector of f's size.
Vector point_of(const PythonObjective& f, const py::object& x);

void add_objectives(py::module_& module);

}  // namespace hesse::python
