/// \file
/// The analyses of operators and of points of objectives, as functions of the module.
#pragma once

#include "interpreter.h"

namespace hesse::python {

void add_operator_analyses(py::module_& module);
void add_point_analyses(py::module_& module);

}  // namespace hesse::python
