#include "objectives.h"

#include "callables.h"
#include "operators.h"

#include "hesse/curvature/curvature_operator.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/report/weights.h"

#include <algorithm>

namespace hesse::python {
namespace {

/// An objective of the library, whose evaluations let Python handle signals and whose operators keep it alive.
class WatchedObjective final : public Objective {
 public:
  explicit WatchedObjective(std::shared_ptr<Objective> inner) : inner_(std::move(inner)) {}

  const ParameterLayout& layout() const override { return inner_->layout(); }
  double value(const Vector& x) override {
    poll_signals();
    return inner_->value(x);
  }
  double value_and_gradient(const Vector& x, Vector& g) override {
    poll_signals();
    return inner_->value_and_gradient(x, g);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    poll_signals();
    return watched(inner_->curvature(x, kind), inner_);
  }
  Index samples() const override { return inner_->samples(); }
  Index total_samples() const override { return inner_->total_samples(); }
  CostWeights cost_weights() const override { return inner_->cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    return inner_->linearisation_cost(x, kind);
  }
  std::uint64_t revision() const override { return inner_->revision(); }
  Precision precision() const override { return inner_->precision(); }
  double value_noise() const override { return inner_->value_noise(); }
  std::string explain_non_finite(const Vector& x) override { return inner_->explain_non_finite(x); }
  Objective* decorated() override { return inner_.get(); }

 private:
  std::shared_ptr<Objective> inner_;
};

PythonObjective make_objective(const py::object& fun, Index size, const py::object& grad, const py::object& hvp,
                               const py::object& hess, bool differences, double noise, Index samples) {
  PythonObjective made;
  made.f = function_objective({fun, grad, hvp, hess}, size, {differences, noise, samples});
  if (differences && hvp.is_none() && hess.is_none()) made.inexact = "central differences of gradients";
  return made;
}

PythonLeastSquares make_least_squares(const py::object& residuals, Index size, Index count, const py::object& jac,
                                      bool differences) {
  PythonLeastSquares made;
  made.f = residual_objective(residuals, jac, size, count, differences);
  return made;
}

PythonProblem make_problem(const std::string& specification, const std::string& precision) {
  if (precision != "float32" && precision != "float64") {
    fail("problem: there is no precision '{}'; there are 'float64' and 'float32'", precision);
  }
  PythonProblem made;
  made.specification = specification;
  work([&] {
    made.problem = std::make_shared<Problem>(
        problems().make(parse_spec(specification), {precision == "float32" ? Precision::float32 : Precision::float64}));
  });
  // The objective lives as long as the problem that owns it.
  made.f = std::make_shared<WatchedObjective>(std::shared_ptr<Objective>(made.problem, made.problem->objective.get()));
  return made;
}

const std::vector<std::pair<const char*, CurvatureMatrix>>& matrices() {
  static const std::vector<std::pair<const char*, CurvatureMatrix>> all = [] {
    std::vector<std::pair<const char*, CurvatureMatrix>> names;
    for (int i = 0; i <= static_cast<int>(CurvatureMatrix::gradient_covariance); ++i) {
      const auto matrix = static_cast<CurvatureMatrix>(i);
      names.emplace_back(to_string(matrix), matrix);
    }
    return names;
  }();
  return all;
}

Operator curvature(const PythonObjective& self, const py::object& x, const std::string& kind,
                   std::vector<std::string> blocks, bool block_diagonal, std::uint64_t seed) {
  const Vector at = point_of(self, x);
  const auto found =
      std::find_if(matrices().begin(), matrices().end(), [&](const auto& each) { return each.first == kind; });
  if (found == matrices().end()) {
    std::vector<std::string> names;
    for (const auto& each : matrices()) names.emplace_back(each.first);
    fail("curvature: there is no matrix called '{}'{}; there are {}", kind, suggestion(kind, names),
         fmt::join(names, ", "));
  }
  CurvatureOperatorOptions options;
  options.matrix = found->second;
  options.blocks = std::move(blocks);
  options.block_diagonal = block_diagonal;
  options.seed = seed;
  return work([&] { return Operator{watched(curvature_operator(*self.f, at, options), self.f)}; });
}

py::object hessian_vector_product(const PythonObjective& self, const py::object& x, const py::object& v) {
  const Vector at = point_of(self, x);
  const auto array = real_array(v, "hessian_vector_product: v");
  const bool is_block = array.ndim() == 2;
  Matrix X(self.f->size(), is_block ? array.shape(1) : 1);
  if (is_block) {
    read_block(array, X, "hessian_vector_product: v");
  } else {
    read_vector(array, X.col(0), "hessian_vector_product: v");
  }
  Matrix Y(X.rows(), X.cols());
  work([&] { self.f->curvature(at, Curvature::hessian)->apply(X, Y); });
  if (is_block) return py::cast(std::move(Y));
  return py::cast(Vector(Y.col(0)));
}

/// {name: shape}, in the order of the parameters.
py::dict blocks(const PythonObjective& self) {
  py::dict shapes;
  for (const ParameterBlock& block : self.f->layout().blocks())
    shapes[py::str(block.name)] = py::tuple(py::cast(block.shape));
  return shapes;
}

/// {name: array of the block's shape}: views of one copy of x.
py::dict unflatten(const PythonObjective& self, const py::object& x) {
  const py::array_t<double> flat = py::cast(point_of(self, x));
  py::dict arrays;
  for (const ParameterBlock& block : self.f->layout().blocks()) {
    const py::slice range(block.offset, block.offset + block.size, 1);
    const py::object part = flat[range];
    arrays[py::str(block.name)] = part.attr("reshape")(py::cast(block.shape));
  }
  return arrays;
}

/// The other way. Names are the blocks' own or those of a PyTorch state_dict.
Vector flatten(const PythonObjective& self, const py::dict& arrays) {
  const ParameterLayout& layout = self.f->layout();
  std::vector<NamedShape> shapes;
  std::vector<py::array_t<double>> values;
  for (const auto& [name, value] : arrays) {
    const std::string key = py::str(name);
    values.push_back(real_array(value, fmt::format("flatten: the array '{}'", key)));
    shapes.push_back({key, {values.back().shape(), values.back().shape() + values.back().ndim()}});
  }
  const std::vector<std::size_t> places = match_weights(shapes, layout, "flatten");
  Vector x(layout.size());
  for (std::size_t b = 0; b < places.size(); ++b) {
    const ParameterBlock& block = layout.blocks()[b];
    const py::array_t<double, py::array::c_style | py::array::forcecast> entries(values[places[b]]);
    std::copy(entries.data(), entries.data() + block.size, x.data() + block.offset);
  }
  return x;
}

FiniteSum& sum_of(const PythonObjective& self) { return finite_sum_of(*self.f, "select"); }

}  // namespace

Vector point_of(const PythonObjective& f, const py::object& x) { return vector_of(x, f.f->size(), "objective: x"); }

void add_objectives(py::module_& module) {
  py::class_<PythonObjective>(module, "Objective", R"(A function f of n variables, twice differentiable.

Objective(fun, size, *, grad=None, hvp=None, hess=None, finite_differences=False, noise=1e-15, samples=0)

fun(x) -> float                    x: array (n,); the arrays that callables are given are theirs to keep
grad(x) -> array (n,)              or True, where fun returns the pair (value, gradient)
hvp(x, v) -> array (n,)            the Hessian at x times v
hess(x) -> array (n, n)            the Hessian, where it is cheap to form
finite_differences                 what is missing by central differences: gradients of values, 2 n of them; Hessian
                                   products of gradients, 2 each, right to about 1e-10 of their size. Else what is
                                   missing raises hesse.Error where it is wanted
noise                              relative rounding error of values; 1e-7 for functions in single precision
samples                            N > 0: f is the mean over samples 0..N-1, and every callable gets, last, the array of
                                   those that it is to be over: fun(x, samples), hvp(x, v, samples)

Callables run on the thread that called hesse, and what they raise arrives as it was raised.)")
      .def(py::init(&make_objective), "fun"_a, "size"_a, py::kw_only(), "grad"_a = py::none(), "hvp"_a = py::none(),
           "hess"_a = py::none(), "finite_differences"_a = false, "noise"_a = 1e-15, "samples"_a = 0)
      .def_property_readonly(
          "size", [](const PythonObjective& self) { return self.f->size(); }, "n")
      .def_property_readonly("blocks", &blocks, "{name: shape} of what the parameters are made of, in their order.")
      .def(
          "__call__",
          [](const PythonObjective& self, const py::object& x) {
            const Vector at = point_of(self, x);
            return work([&] { return self.f->value(at); });
          },
          "x"_a, "f(x)")
      .def(
          "value",
          [](const PythonObjective& self, const py::object& x) {
            const Vector at = point_of(self, x);
            return work([&] { return self.f->value(at); });
          },
          "x"_a, "f(x), a float.")
      .def(
          "gradient",
          [](const PythonObjective& self, const py::object& x) {
            const Vector at = point_of(self, x);
            Vector g;
            work([&] { self.f->value_and_gradient(at, g); });
            return g;
          },
          "x"_a, "The gradient at x: array (n,).")
      .def(
          "value_and_gradient",
          [](const PythonObjective& self, const py::object& x) {
            const Vector at = point_of(self, x);
            Vector g;
            const double value = work([&] { return self.f->value_and_gradient(at, g); });
            return std::pair(value, std::move(g));
          },
          "x"_a, "The pair of f(x) and the gradient (n,) there.")
      .def("hessian_vector_product", &hessian_vector_product, "x"_a, "v"_a,
           "The Hessian at x times v: an array of v's shape, (n,) or (n, k).")
      .def("curvature", &curvature, "x"_a, "kind"_a = "hessian", py::kw_only(), "blocks"_a = std::vector<std::string>(),
           "block_diagonal"_a = false, "seed"_a = 0, R"(A curvature matrix at x, as an Operator.

kind: "hessian", "gauss-newton", "fisher", "fisher-sampled", "fisher-empirical", "kfac", "ekfac", "gradient-covariance";
blocks: names of blocks or layers whose rows and columns alone are wanted; block_diagonal: zeros between layers.
Raises hesse.Error where f has no such matrix.)")
      .def("unflatten", &unflatten, "x"_a, "{name: array of its shape} from x (n,): views of one copy of it.")
      .def("flatten", &flatten, "arrays"_a,
           "x (n,) from {name: array}, under the names of blocks or those of a PyTorch state_dict (docs/weights.md).")
      .def_property_readonly(
          "samples", [](const PythonObjective& self) { return self.f->samples(); },
          "Samples that f is the mean over now; 1 for a plain function.")
      .def_property_readonly(
          "total_samples", [](const PythonObjective& self) { return self.f->total_samples(); }, "All samples.")
      .def(
          "select",
          [](const PythonObjective& self, const std::vector<Index>& samples) {
            work([&] { sum_of(self).select(samples); });
          },
          "samples"_a, "Makes f the mean over these samples, until select_all().")
      .def(
          "select_all", [](const PythonObjective& self) { work([&] { sum_of(self).select_all(); }); },
          "Back to the mean over all samples.")
      .def("__repr__",
           [](const PythonObjective& self) { return fmt::format("hesse.Objective(size={})", self.f->size()); });

  py::class_<PythonLeastSquares, PythonObjective>(module, "LeastSquares",
                                                  R"(The function 1/2 |r(x)|^2, for gauss-newton and all else.

LeastSquares(residuals, size, count, *, jac=None, finite_differences=False), n = size variables, m = count residuals

residuals(x) -> array (m,)
jac(x) -> array (m, n)             of dr_i / dx_j, or finite_differences=True for central differences

Its curvature is "gauss-newton", J'J; it has no Hessian.)")
      .def(py::init(&make_least_squares), "residuals"_a, "size"_a, "count"_a, py::kw_only(), "jac"_a = py::none(),
           "finite_differences"_a = false)
      .def("__repr__",
           [](const PythonLeastSquares& self) { return fmt::format("hesse.LeastSquares(size={})", self.f->size()); });

  py::class_<PythonProblem, PythonObjective>(module, "Problem",
                                             R"(A problem by its specification, as the command line has it.

hesse.problem("rosenbrock"), hesse.problem("mlp:data=digits,hidden=16"). An Objective with a start and figures of merit.
`hesse list` and `hesse describe NAME` print what there is.)")
      .def(
          "start",
          [](const PythonProblem& self, std::uint64_t seed) { return work([&] { return self.problem->start(seed); }); },
          "seed"_a = 1, "The starting point of a seed: array (n,).")
      .def(
          "metrics",
          [](const PythonProblem& self, const py::object& x) {
            const Vector at = point_of(self, x);
            py::dict figures;
            for (const Metric& metric : self.problem->metrics) {
              figures[py::str(metric.name)] = work([&] { return metric.evaluate(at); });
            }
            return figures;
          },
          "x"_a, "{name: figure} on data that training does not see; empty where there are none.")
      .def_property_readonly("description", [](const PythonProblem& self) { return self.problem->description; })
      .def_property_readonly("specification", [](const PythonProblem& self) { return self.specification; })
      .def_property_readonly(
          "minimum", [](const PythonProblem& self) { return self.problem->minimum_value; },
          "The least value, where it is known, or None.")
      .def_property_readonly(
          "minimisers", [](const PythonProblem& self) { return self.problem->minimisers; },
          "Where it is attained: a list of arrays (n,).")
      .def("__repr__",
           [](const PythonProblem& self) { return fmt::format("hesse.problem(\"{}\")", self.specification); });

  module.def("problem", &make_problem, "specification"_a, py::kw_only(), "precision"_a = "float64",
             R"(The problem of this specification; see Problem.

precision: in what a network computes its matrix products, "float64" or "float32"; sums are in double in either case.
Data sets are read from the cache that scripts/fetch_data.sh fills.)");
}

}  // namespace hesse::python
