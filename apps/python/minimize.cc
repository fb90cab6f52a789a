#include "minimize.h"

#include "objectives.h"

#include "hesse/experiment/budget.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <cmath>
#include <optional>

namespace hesse::python {
namespace {

/// The figures of every step, as a table that grows.
class StepTable final : public Observer {
 public:
  bool after_step(const Iterate& iterate) override {
    const StepReport& report = iterate.report;
    if (rows_ == 0) {
      for (std::size_t i = 0; i < report.telemetry_count; ++i) columns_.emplace_back(report.telemetry[i].name);
    }
    const Progress& p = iterate.progress;
    figures_.insert(figures_.end(), {static_cast<double>(p.step), p.epochs, p.seconds, p.cost.gradient_equivalents,
                                     report.value, report.gradient_norm, report.step_size});
    for (std::size_t i = 0; i < columns_.size() - kCommon; ++i) {
      figures_.push_back(i < report.telemetry_count ? report.telemetry[i].value : std::nan(""));
    }
    ++rows_;
    return false;
  }

  /// A structured array with a field of doubles for each column. With the interpreter's lock.
  py::array table() const {
    py::list fields;
    for (const std::string& column : columns_) fields.append(py::make_tuple(column, "f8"));
    py::array_t<double> flat(static_cast<py::ssize_t>(figures_.size()), figures_.data());
    return flat.attr("view")(py::module_::import("numpy").attr("dtype")(fields));
  }

 private:
  static constexpr std::size_t kCommon = 7;
  std::vector<std::string> columns_ = {"step",  "epoch",         "seconds",  "gradient_equivalents",
                                       "value", "gradient_norm", "step_size"};
  std::vector<double> figures_;
  std::size_t rows_ = 0;
};

/// Lets Python handle signals, and calls callback(Result) after each step; what is true of its answer ends the run.
class Callback final : public Observer {
 public:
  explicit Callback(const py::object& callback) : callback_(callback) {}

  bool after_step(const Iterate& iterate) override {
    poll_signals();
    return with_python([&] {
      if (callback_.is_none()) return false;
      const StepReport& report = iterate.report;
      const py::object answer =
          callback_(result(py::dict("step"_a = iterate.progress.step, "x"_a = iterate.x, "value"_a = report.value,
                                    "gradient_norm"_a = report.gradient_norm, "step_size"_a = report.step_size,
                                    "seconds"_a = iterate.progress.seconds)));
      return py::bool_(answer).cast<bool>();
    });
  }
  std::string stop_reason() const override { return "the callback stopped the run"; }

 private:
  const py::object& callback_;  // the caller's, who holds it until the run has ended
};

py::object run(const PythonObjective& self, const py::object& x0, const std::string& optimizer,
               double gradient_tolerance, const std::optional<double>& target, double step_tolerance,
               double plateau_tolerance, const std::string& budget, Index batch_size, std::uint64_t seed,
               const py::object& callback) {
  Vector x = point_of(self, x0);
  Stopping stopping;
  stopping.gradient_tolerance = gradient_tolerance;
  if (target) stopping.target_value = *target;
  stopping.step_tolerance = step_tolerance;
  stopping.plateau_tolerance = plateau_tolerance;
  apply_budget(budget, stopping);
  StepTable trace;
  Callback caller(callback);
  Observer* const observers[] = {&trace, &caller};
  Vector g;
  double value = 0;
  const Summary summary = work([&] {
    const auto method = make_optimizer(optimizer, {*self.f, seed});
    Summary ended = minimize(*method, *self.f, x, stopping, {batch_size, seed, 0}, observers);
    value = self.f->value_and_gradient(x, g);
    return ended;
  });
  const Progress& progress = summary.progress;
  const Cost& cost = progress.cost;
  return result(py::dict("x"_a = x, "fun"_a = value, "jac"_a = g, "success"_a = converged(summary.termination),
                         "status"_a = to_string(summary.termination), "message"_a = summary.message,
                         "gradient_norm"_a = summary.gradient_norm, "nit"_a = progress.step,
                         "nfev"_a = cost.values + cost.gradients, "njev"_a = cost.gradients, "nhev"_a = cost.products,
                         "gradient_equivalents"_a = cost.gradient_equivalents, "seconds"_a = progress.seconds,
                         "trace"_a = trace.table(), "optimizer"_a = optimizer));
}

}  // namespace

void add_minimize(py::module_& module) {
  module.def("_minimize", &run, "f"_a, "x0"_a, "optimizer"_a, "gradient_tolerance"_a, "target"_a, "step_tolerance"_a,
             "plateau_tolerance"_a, "budget"_a, "batch_size"_a, "seed"_a, "callback"_a);
  module.def(
      "optimizers", [] { return optimizers().names(); }, "The names of all optimizers, as `hesse list` has them.");
}

}  // namespace hesse::python
