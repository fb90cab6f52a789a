/// \file
/// The extension module hesse._core, which the package hesse takes its names from.
#include "analyses.h"
#include "interpreter.h"
#include "minimize.h"
#include "objectives.h"
#include "operators.h"
#include "records.h"

#include "hesse/core/parallel.h"

PYBIND11_MODULE(_core, module) {
  using namespace hesse::python;
  module.doc() = "The library as Python sees it; use the package hesse.";
  module.attr("__version__") = HESSE_VERSION;
  auto& error = py::register_exception<hesse::Error>(module, "Error");
  error.attr("__module__") = "hesse";
  error.attr("__doc__") = "Wrong use or bad input: one sentence that says what, where, why, and what to do.";
  // Last registered, first asked: what a callable raised arrives as it was raised.
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (Raised& raised) {
      raised.error.restore();
    }
  });

  add_operators(module);
  add_objectives(module);
  add_operator_analyses(module);
  add_point_analyses(module);
  add_minimize(module);
  add_records(module);

  module.def("threads", &hesse::threads, "Threads that the library's loops use.");
  module.def(
      "set_threads", [](int n) { work([&] { hesse::set_threads(n); }); }, "n"_a,
      "Sets it, >= 1. Results are the same bits for any number.");
}
