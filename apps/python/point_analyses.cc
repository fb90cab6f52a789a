#include "analyses.h"
#include "objectives.h"

#include "hesse/curvature/critical_point.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/curvature/stationary_search.h"
#include "hesse/validation/derivative_check.h"

namespace hesse::python {
namespace {

py::object classify_point(const PythonObjective& self, const py::object& x, double gradient_tolerance,
                          Index dense_limit, Index inertia_limit, Index negative_directions, double eigen_tolerance,
                          bool higher_order, std::uint64_t seed) {
  if (!self.inexact.empty()) {
    fail(
        "classify: products with the Hessian are {} here, and their error would be taken for curvature; give hvp or "
        "hess",
        self.inexact);
  }
  const Vector at = point_of(self, x);
  ClassifyOptions options;
  options.gradient_tolerance = gradient_tolerance;
  options.dense_limit = dense_limit;
  options.inertia_limit = inertia_limit;
  options.negative_directions = negative_directions;
  options.eigen_tolerance = eigen_tolerance;
  options.higher_order = higher_order;
  options.higher_order_options.seed = seed;
  options.seed = seed;
  const CriticalPoint p = work([&] { return classify(*self.f, at, options); });
  py::dict fields("kind"_a = to_string(p.kind), "certified"_a = p.certified, "message"_a = p.message,
                  "index"_a = p.index, "positive"_a = p.positive, "flat"_a = p.flat, "value"_a = p.value,
                  "gradient_norm"_a = p.gradient_norm, "gradient_tolerance"_a = p.gradient_tolerance,
                  "newton_change"_a = p.newton_change, "least_eigenvalue"_a = p.least_eigenvalue,
                  "largest_eigenvalue"_a = p.largest_eigenvalue, "eigenvalue_error"_a = p.eigenvalue_error,
                  "error"_a = result(py::dict("rounding"_a = p.error.rounding, "residual"_a = p.error.residual,
                                              "asymmetry"_a = p.error.asymmetry, "drift"_a = p.error.drift)),
                  "kantorovich"_a = p.kantorovich, "ball_radius"_a = p.ball_radius,
                  "escape_directions"_a = p.escape_directions, "products"_a = p.products);
  const HigherOrderTest& test = p.higher_order;
  if (test.verdict != HigherOrder::not_tested) {
    fields["higher_order"] = result(
        py::dict("verdict"_a = to_string(test.verdict), "falls"_a = test.falls, "rises"_a = test.rises,
                 "direction"_a = test.direction, "third"_a = test.terms.third, "third_error"_a = test.terms.third_error,
                 "fourth"_a = test.terms.fourth, "fourth_error"_a = test.terms.fourth_error));
  }
  return result(fields);
}

py::object find(const PythonObjective& self, const py::object& x0, const std::string& method, Index index,
                double gradient_tolerance, Index max_steps, std::uint64_t seed) {
  SearchOptions options;
  if (method != "gradient-norm" && method != "follow") {
    fail("find_stationary: there is no method '{}'; there are 'gradient-norm' and 'follow'", method);
  }
  options.method = method == "follow" ? SearchMethod::follow : SearchMethod::gradient_norm;
  options.index = index;
  options.gradient_tolerance = gradient_tolerance;
  options.max_steps = max_steps;
  options.seed = seed;
  Vector x = point_of(self, x0);
  const SearchResult found = work([&] { return find_stationary(*self.f, x, options); });
  return result(py::dict("x"_a = x, "status"_a = to_string(found.status), "message"_a = found.message,
                         "value"_a = found.value, "gradient_norm"_a = found.gradient_norm,
                         "distance"_a = found.distance, "steps"_a = found.steps, "gradients"_a = found.gradients,
                         "products"_a = found.products));
}

Curvature curvature_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Curvature::fisher_empirical); ++i) {
    if (to_string(static_cast<Curvature>(i)) == name) return static_cast<Curvature>(i);
  }
  fail(
      "sharpness: there is no curvature '{}'; there are 'hessian', 'gauss-newton', 'fisher', 'fisher-sampled' and "
      "'fisher-empirical'",
      name);
}

py::object sharpness(const PythonObjective& self, const py::object& x, const std::vector<std::string>& measures,
                     const std::string& curvature, const py::kwargs& settings) {
  SharpnessOptions options;
  options.measures = measures;
  options.curvature = curvature_of(curvature);
  // Every number of the options by its name.
  const auto take = [&](const py::handle& name, const py::handle& value) {
    const std::string key = py::str(name);
    std::vector<std::string> names;
    const auto is = [&](const char* candidate) {
      names.emplace_back(candidate);
      return key == candidate;
    };
    const auto set = [&](const char* candidate, auto& field) {
      if (!is(candidate)) return false;
      field = value.cast<std::remove_reference_t<decltype(field)>>();
      return true;
    };
    SharpnessOptions& o = options;
    const bool known =
        set("max_products", o.max_products) || set("eigen_tolerance", o.eigen_tolerance) || set("probes", o.probes) ||
        set("steps", o.steps) || set("delta", o.delta) || set("epsilon", o.epsilon) || set("subspace", o.subspace) ||
        set("rho", o.rho) || set("adaptive_rho", o.adaptive_rho) || set("eta", o.eta) || set("m", o.m) ||
        set("batches", o.batches) || set("sigma", o.sigma) || set("adaptive_sigma", o.adaptive_sigma) ||
        set("rise", o.rise) || set("gamma", o.gamma) || set("samples", o.samples) || set("layer", o.layer) ||
        set("seed", o.seed) || set("iterations", o.ascent.iterations) || set("starts", o.ascent.random_starts);
    if (!known) fail("sharpness: there is no setting '{}'{}", key, suggestion(key, names));
  };
  for (const auto& [name, value] : settings) take(name, value);
  const Vector at = point_of(self, x);
  const SharpnessReport report = work([&] { return measure_sharpness(*self.f, at, options); });
  py::dict all;
  for (const Measure& m : report.measures) {
    all[py::str(m.key)] = result(py::dict("value"_a = m.number.value, "standard_error"_a = m.number.standard_error,
                                          "lower"_a = m.number.lower, "upper"_a = m.number.upper,
                                          "kind"_a = to_string(m.kind), "invariant"_a = m.invariant,
                                          "large_is_flat"_a = m.large_is_flat, "name"_a = m.name, "note"_a = m.note));
  }
  py::dict left_out;
  for (const LeftOut& left : report.left_out) left_out[py::str(left.name)] = left.why;
  return result(py::dict("measures"_a = all, "left_out"_a = left_out, "value"_a = report.value,
                         "gradient_norm"_a = report.gradient_norm, "is_finite"_a = report.is_finite,
                         "message"_a = report.message));
}

py::object check(const PythonObjective& self, const py::object& x, int directions, std::uint64_t seed) {
  DerivativeCheckOptions options;
  options.directions = directions;
  options.seed = seed;
  const Vector at = point_of(self, x);
  const DerivativeCheck found = work([&] { return check_derivatives(*self.f, at, options); });
  const auto rows = static_cast<Index>(found.sweep.size());
  Vector steps(rows), gradient_errors(rows), product_errors(rows);
  for (Index i = 0; i < rows; ++i) {
    const SweepPoint& point = found.sweep[static_cast<std::size_t>(i)];
    steps[i] = point.step;
    gradient_errors[i] = point.gradient_error;
    product_errors[i] = point.product_error;
  }
  return result(py::dict("good"_a = found.good(), "gradient_good"_a = found.gradient_good,
                         "product_good"_a = found.product_good, "symmetric"_a = found.symmetric,
                         "gradient_error"_a = found.gradient_error, "product_error"_a = found.product_error,
                         "asymmetry"_a = found.asymmetry, "worst_block"_a = found.worst_block, "steps"_a = steps,
                         "gradient_errors"_a = gradient_errors, "product_errors"_a = product_errors));
}

}  // namespace

void add_point_analyses(py::module_& module) {
  module.def("classify", &classify_point, "f"_a, "x"_a, py::kw_only(), "gradient_tolerance"_a = 1e-8,
             "dense_limit"_a = 2000, "inertia_limit"_a = 5000, "negative_directions"_a = 4, "eigen_tolerance"_a = 1e-6,
             "higher_order"_a = true, "seed"_a = 0,
             R"(What kind of point x (n,) is, by the exact Hessian of f there (docs/critical_points.md).

Result: kind "minimum", "saddle", "maximum", "degenerate", "not stationary", "undecided" or "non-finite"; certified,
message; index, positive and flat: eigenvalues below, above and within eigenvalue_error of 0; least_eigenvalue,
largest_eigenvalue, error (its parts), value, gradient_norm, kantorovich, ball_radius, newton_change,
escape_directions (n, k), products; higher_order where a certified point is degenerate. Raises hesse.Error where products
are differences.)");
  module.def(
      "find_stationary", &find, "f"_a, "x0"_a, py::kw_only(), "method"_a = "gradient-norm", "index"_a = 1,
      "gradient_tolerance"_a = 1e-10, "max_steps"_a = 200, "seed"_a = 0,
      R"(A critical point of whatever kind near x0 (n,): by the norm of the gradient, or method "follow" for a saddle of
this index.

Result: x (n,), status "arrived", "stalled", "step-limit" or "non-finite", message, value, gradient_norm, distance,
steps, gradients, products.)");
  module.def("sharpness", &sharpness, "f"_a, "x"_a, "measures"_a = std::vector<std::string>(),
             "curvature"_a = "hessian",
             R"(How flat f is at x (n,) by every measure that it has, or by those named (docs/sharpness.md).

Settings by name, with the defaults of `hesse sharpness`: max_products, probes, steps, delta, epsilon, subspace, rho,
adaptive_rho, eta, m, batches, sigma, adaptive_sigma, rise, gamma, samples, layer, iterations, starts, seed.

Result: measures {key: Result with value, standard_error, lower, upper, kind, invariant, large_is_flat, name, note},
left_out {name: why}, value, gradient_norm, is_finite, message.)");
  module.def("sharpness_measures", &sharpness_measures, "The names of all measures of sharpness.");
  module.def("check_derivatives", &check, "f"_a, "x"_a, py::kw_only(), "directions"_a = 3, "seed"_a = 0,
             R"(Gradient and Hessian products of f at x (n,) against central differences over a sweep of steps.

Result: good, gradient_good, product_good, symmetric; gradient_error, product_error, asymmetry; the sweep as arrays
steps, gradient_errors and product_errors; worst_block.)");
}

}  // namespace hesse::python
