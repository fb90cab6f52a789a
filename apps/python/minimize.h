/// \file
/// hesse.minimize: the loop on any objective, with every optimizer by its specification.
#pragma once

#include "interpreter.h"

namespace hesse::python {

void add_minimize(py::module_& module);

}  // namespace hesse::python
