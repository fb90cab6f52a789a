/// \file
/// Run folders and safetensors files as NumPy arrays.
#pragma once

#include "interpreter.h"

namespace hesse::python {

void add_records(py::module_& module);

}  // namespace hesse::python
