/// \file
/// hesse.Operator: a symmetric matrix from a NumPy array, from a callable, or from an objective.
#pragma once

#include "interpreter.h"

#include "hesse/linalg/operators.h"

#include <memory>
#include <vector>

namespace hesse::python {

/// What hesse.Operator holds.
struct Operator {
  OperatorPtr A;
};

/// An operator as it is, an array by its entries, and whatever else multiplies by @ (a SciPy sparse matrix, a
/// LinearOperator) by that. Throws Error on anything else.
Operator operator_of(const py::object& object);

/// A, whose products let Python handle signals. What `keeps` holds lives as long as A.
OperatorPtr watched(OperatorPtr A, std::shared_ptr<const void> keeps = nullptr);

void add_operators(py::module_& module);

}  // namespace hesse::python
