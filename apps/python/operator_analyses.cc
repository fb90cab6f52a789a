#include "analyses.h"
#include "operators.h"

#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/estimate.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/cg.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/inertia.h"
#include "hesse/linalg/minres.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace hesse::python {
namespace {

py::dict fields_of(const Estimate& e) {
  return py::dict("value"_a = e.value, "standard_error"_a = e.standard_error, "lower"_a = e.lower, "upper"_a = e.upper,
                  "is_exact"_a = e.is_exact, "is_finite"_a = e.is_finite, "reached"_a = e.reached,
                  "samples"_a = e.samples, "products"_a = e.products);
}

py::object result_of(const Estimate& e) { return result(fields_of(e)); }

py::object result_of(const Band95& band) {
  return result(py::dict("value"_a = band.value, "lower"_a = band.lower, "upper"_a = band.upper));
}

const char* to_text(EigenStatus status) {
  switch (status) {
    case EigenStatus::converged: return "converged";
    case EigenStatus::not_converged: return "not-converged";
    case EigenStatus::non_finite: return "non-finite";
  }
  return "unknown";
}

py::object eigenpairs(const py::object& operand, Index largest, Index smallest, bool all, double tolerance,
                      bool certify, bool single_search, Index max_restarts, Index dense_limit, std::uint64_t seed) {
  const Operator self = operator_of(operand);
  const Index n = self.A->size();
  EigenOptions options;
  options.largest = all ? n : largest;
  options.smallest = all ? 0 : smallest;
  options.tolerance = tolerance;
  options.max_restarts = max_restarts;
  options.dense_limit = all ? n : dense_limit;
  options.inertia_limit = certify ? n : 0;
  options.single_search = single_search;
  options.seed = seed;
  const EigenResult found = work([&] { return extreme_eigenpairs(*self.A, options); });

  // Descending; where the two ends meet, no pair twice.
  const Index upper = found.largest.values.size();
  const Index lower = std::min(found.smallest.values.size(), n - upper);
  Vector values(upper + lower);
  Matrix vectors(n, upper + lower);
  Vector residuals(upper + lower);
  for (const auto& [pairs, at, count] :
       {std::tuple(&found.largest, Index{0}, upper), {&found.smallest, upper, lower}}) {
    if (count == 0) continue;
    values.segment(at, count) = pairs->values.tail(count);
    vectors.middleCols(at, count) = pairs->vectors.rightCols(count);
    residuals.segment(at, count) = pairs->residuals.tail(count);
  }
  // The ends are views of these.
  const py::object all_values = py::cast(std::move(values));
  const py::object all_vectors = py::cast(std::move(vectors));
  const py::object all_residuals = py::cast(std::move(residuals));
  const auto columns = [&](Index begin, Index end) {
    const py::slice range(begin, end, 1);
    return result(py::dict("values"_a = all_values[range],
                           "vectors"_a = all_vectors[py::make_tuple(py::ellipsis(), range)],
                           "residuals"_a = all_residuals[range]));
  };
  const Index count = upper + lower;
  return result(py::dict("values"_a = all_values, "vectors"_a = all_vectors, "residuals"_a = all_residuals,
                         "status"_a = to_text(found.status), "proved"_a = found.proved,
                         "multiplicity_certified"_a = found.multiplicity_certified, "norm"_a = found.norm,
                         "products"_a = found.products, "message"_a = found.message, "largest"_a = columns(0, upper),
                         "smallest"_a = columns(count - found.smallest.values.size(), count)));
}

DiagonalMethod diagonal_method(const std::string& name) {
  if (name == "hutchinson") return DiagonalMethod::hutchinson;
  if (name == "diag++") return DiagonalMethod::diag_pp;
  fail("diagonal: there is no method '{}'; there are 'hutchinson' and 'diag++'", name);
}

TraceMethod trace_method(const std::string& name) {
  for (const auto& [text, method] : {std::pair("hutchinson", TraceMethod::hutchinson),
                                     {"hutch++", TraceMethod::hutch_pp},
                                     {"xtrace", TraceMethod::xtrace}}) {
    if (name == text) return method;
  }
  fail("trace: there is no method '{}'; there are 'hutchinson', 'hutch++' and 'xtrace'", name);
}

void fill(EstimateOptions& options, double tolerance, double absolute_tolerance, Index max_products, Index block,
          std::uint64_t seed) {
  options.tolerance = tolerance;
  options.absolute_tolerance = absolute_tolerance;
  options.max_products = max_products;
  options.block = block;
  options.seed = seed;
}

/// tr f(A) for a Python f, which is called once with all nodes: array (m,) -> array (m,).
Estimate sum_over(const SpectralDensity& density, const py::object& f) {
  Index count = 0;
  for (const Quadrature& probe : density.probes) count += probe.nodes.size();
  Vector nodes(count);
  Index at = 0;
  for (const Quadrature& probe : density.probes) {
    nodes.segment(at, probe.nodes.size()) = probe.nodes;
    at += probe.nodes.size();
  }
  Vector figures(count);
  read_vector(f(py::cast(nodes)), figures, "spectral sum: what the function returned for the array of all nodes");
  std::map<double, double> of;
  for (Index i = 0; i < count; ++i) of[nodes[i]] = figures[i];
  return spectral_sum(density, [&](double node) { return of.at(node); });
}

/// log det(A + damping I), or no value where an eigenvalue of it is not positive.
Estimate log_determinant(const Operator& self, double damping, Index probes, Index steps, Index dense_limit,
                         std::uint64_t seed) {
  const auto term = [damping](double lambda) {
    const double x = lambda + damping;
    return x > 0 ? std::log(x) : std::numeric_limits<double>::quiet_NaN();
  };
  const Index n = self.A->size();
  if (n <= dense_limit) {
    Matrix A = to_dense(*self.A);
    A = 0.5 * (A + A.transpose()).eval();
    Vector values;
    Matrix vectors;
    if (!symmetric_eigen(A, values, vectors)) return without_value(n);
    Estimate exact;
    for (const double lambda : values) exact.value += term(lambda);
    exact.lower = exact.upper = exact.value;
    exact.products = n;
    exact.is_exact = true;
    return std::isfinite(exact.value) ? exact : without_value(n);
  }
  return spectral_sum(spectral_density(*self.A, {probes, steps, seed}), term);
}

/// KPM with its interval, found first where none is given.
ChebyshevMoments moments_of(const Operator& self, const std::optional<std::pair<double, double>>& interval,
                            const ChebyshevOptions& options) {
  if (interval) return chebyshev_moments(*self.A, interval->first, interval->second, options);
  EigenOptions ends;
  ends.largest = ends.smallest = 1;
  ends.tolerance = 1e-3;
  ends.seed = options.seed;
  const EigenResult found = extreme_eigenpairs(*self.A, ends);
  if (found.status == EigenStatus::non_finite || found.largest.values.size() == 0 ||
      found.smallest.values.size() == 0) {
    ChebyshevMoments none;
    none.products = found.products;
    none.is_finite = false;
    return none;
  }
  const double high = found.largest.values[0];
  const double low = found.smallest.values[0];
  // Beyond what a residual leaves open, and off the ends, where the map to [-1, 1] is singular.
  const double margin = std::max(0.02 * (high - low), 1e-8 * std::max({std::abs(high), std::abs(low), 1e-300}));
  ChebyshevMoments moments = chebyshev_moments(*self.A, low - margin, high + margin, options);
  moments.products += found.products;
  return moments;
}

py::object solve(const py::object& operand, const py::object& b, const std::string& method, double tolerance,
                 Index max_iterations) {
  const Operator self = operator_of(operand);
  const Vector right = vector_of(b, self.A->size(), "solve: b");
  Vector x = Vector::Zero(right.size());
  if (method == "cg") {
    CgWorkspace workspace;
    CgOptions options;
    options.relative_tolerance = tolerance;
    options.max_iterations = max_iterations;
    const CgResult found = work([&] { return cg(*self.A, right, x, options, workspace); });
    const char* status = "non-finite";
    switch (found.exit) {
      case CgExit::converged: status = "converged"; break;
      case CgExit::negative_curvature: status = "negative-curvature"; break;
      case CgExit::iteration_limit: status = "iteration-limit"; break;
      case CgExit::stagnated: status = "stagnated"; break;
      case CgExit::breakdown: status = "breakdown"; break;
      case CgExit::non_finite: break;
    }
    return result(
        py::dict("x"_a = x, "residual"_a = found.residual, "status"_a = status, "iterations"_a = found.iterations));
  }
  if (method != "minres") fail("solve: there is no method '{}'; there are 'cg' and 'minres'", method);
  MinresWorkspace workspace;
  MinresOptions options;
  options.tolerance = tolerance;
  options.max_iterations = max_iterations;
  const MinresResult found = work([&] { return minres(*self.A, right, x, options, workspace); });
  const char* status = "non-finite";
  switch (found.exit) {
    case MinresExit::converged: status = "converged"; break;
    case MinresExit::least_squares: status = "least-squares"; break;
    case MinresExit::iteration_limit: status = "iteration-limit"; break;
    case MinresExit::stagnated: status = "stagnated"; break;
    case MinresExit::breakdown: status = "breakdown"; break;
    case MinresExit::non_finite: break;
  }
  return result(
      py::dict("x"_a = x, "residual"_a = found.residual, "status"_a = status, "iterations"_a = found.iterations));
}

}  // namespace

void add_operator_analyses(py::module_& module) {
  module.def("eigenpairs", &eigenpairs, "A"_a, py::kw_only(), "largest"_a = 1, "smallest"_a = 0, "all"_a = false,
             "tolerance"_a = 1e-8, "certify"_a = false, "single_search"_a = false, "max_restarts"_a = 300,
             "dense_limit"_a = 256, "seed"_a = 0,
             R"(Eigenpairs of a symmetric operator, each with its residual |A v - lambda v|, formed anew.

largest, smallest: how many from either end; all=True: every one, from the dense matrix (n products, 9 n^3 flops)
tolerance: on residuals, relative to |A|
certify: proves by the inertia of the dense matrix that none is missing (n products, n^3 flops); up to dense_limit
         variables all is dense and proved anyway
single_search: one search of each end and none for what it may have missed: fewer products, multiplicity not certified

Result: values (k,) descending, vectors (n, k), residuals (k,), the same of the ends as largest and smallest; status
"converged", "not-converged" or "non-finite", message; proved, multiplicity_certified, norm, products.)");

  module.def(
      "trace",
      [](const py::object& operand, const std::string& method, double tolerance, double absolute_tolerance,
         Index max_products, Index block, std::uint64_t seed) {
        const Operator self = operator_of(operand);
        TraceOptions options;
        fill(options, tolerance, absolute_tolerance, max_products, block, seed);
        options.method = trace_method(method);
        return result_of(work([&] { return estimate_trace(*self.A, options); }));
      },
      "A"_a, py::kw_only(), "method"_a = "hutch++", "tolerance"_a = 0.01, "absolute_tolerance"_a = 0.0,
      "max_products"_a = 100, "block"_a = 10, "seed"_a = 0,
      R"(tr A by random products: method "hutchinson", "hutch++" or "xtrace"; exact where n <= max_products.

Result: value, standard_error, lower and upper (95 %), is_exact, is_finite, reached (the tolerance on half the interval),
samples, products.)");

  module.def(
      "frobenius_square",
      [](const py::object& operand, double tolerance, double absolute_tolerance, Index max_products, Index block,
         std::uint64_t seed) {
        const Operator self = operator_of(operand);
        EstimateOptions options;
        fill(options, tolerance, absolute_tolerance, max_products, block, seed);
        return result_of(work([&] { return estimate_frobenius_square(*self.A, options); }));
      },
      "A"_a, py::kw_only(), "tolerance"_a = 0.01, "absolute_tolerance"_a = 0.0, "max_products"_a = 100, "block"_a = 10,
      "seed"_a = 0, "|A|_F^2 = tr A^2; a Result as that of trace.");

  module.def(
      "diagonal",
      [](const py::object& operand, const std::string& method, double tolerance, double absolute_tolerance,
         Index max_products, Index block, std::uint64_t seed) {
        const Operator self = operator_of(operand);
        DiagonalOptions options;
        fill(options, tolerance, absolute_tolerance, max_products, block, seed);
        options.method = diagonal_method(method);
        const EstimatedDiagonal found = work([&] { return estimate_diagonal(*self.A, options); });
        return result(py::dict("values"_a = found.values, "standard_errors"_a = found.standard_errors,
                               "is_exact"_a = found.is_exact, "is_finite"_a = found.is_finite,
                               "reached"_a = found.reached, "products"_a = found.products));
      },
      "A"_a, py::kw_only(), "method"_a = "diag++", "tolerance"_a = 0.01, "absolute_tolerance"_a = 0.0,
      "max_products"_a = 100, "block"_a = 10, "seed"_a = 0,
      R"(diag A by random products, entry by entry unbiased: method "hutchinson" or "diag++"; exact where n <= max_products.

Result: values (n,), standard_errors (n,), is_exact, is_finite, reached (the tolerance on the norm of the errors), products.)");

  module.def(
      "log_determinant",
      [](const py::object& operand, double damping, Index probes, Index steps, Index dense_limit, std::uint64_t seed) {
        const Operator self = operator_of(operand);
        return result_of(work([&] { return log_determinant(self, damping, probes, steps, dense_limit, seed); }));
      },
      "A"_a, py::kw_only(), "damping"_a = 0.0, "probes"_a = 10, "steps"_a = 80, "dense_limit"_a = 256, "seed"_a = 0,
      R"(log det(A + damping I), A + damping I positive definite; else there is no value (nan, is_finite False).

From all eigenvalues up to dense_limit variables, else by stochastic Lanczos quadrature: what its steps do not resolve
is not in the interval. A Result as that of trace.)");

  py::class_<SpectralDensity>(module, "SpectralDensity",
                              "Nodes and weights of every probe of a Lanczos quadrature; see spectral_density.")
      .def_readonly("size", &SpectralDensity::size, "n")
      .def_readonly("products", &SpectralDensity::products)
      .def_readonly("is_finite", &SpectralDensity::is_finite)
      .def_readonly("least", &SpectralDensity::least, "of all nodes")
      .def_readonly("greatest", &SpectralDensity::greatest, "of all nodes")
      .def_property_readonly(
          "nodes",
          [](const SpectralDensity& self) {
            std::vector<Vector> all;
            for (const Quadrature& probe : self.probes) all.push_back(probe.nodes);
            return all;
          },
          "An array (m,) for each probe, ascending.")
      .def_property_readonly(
          "weights",
          [](const SpectralDensity& self) {
            std::vector<Vector> all;
            for (const Quadrature& probe : self.probes) all.push_back(probe.weights);
            return all;
          },
          "An array (m,) for each probe, >= 0, with sum 1.")
      .def(
          "at",
          [](const SpectralDensity& self, const Vector& lambdas, double sigma) {
            return result_of(density_at(self, lambdas, sigma));
          },
          "lambdas"_a, "sigma"_a,
          "The share of eigenvalues around each lambda, blurred by a normal distribution of deviation sigma: Result "
          "with "
          "value, lower and upper (95 %), arrays like lambdas.")
      .def(
          "sum", [](const SpectralDensity& self, const py::object& f) { return result_of(sum_over(self, f)); }, "f"_a,
          "tr f(A), f: array (m,) -> array (m,), called once with all nodes. A Result as that of trace.")
      .def(
          "count",
          [](const SpectralDensity& self, double low, double high) {
            return result_of(spectral_sum(self, [=](double x) { return low <= x && x <= high ? 1.0 : 0.0; }));
          },
          "low"_a = -std::numeric_limits<double>::infinity(), "high"_a = std::numeric_limits<double>::infinity(),
          "The number of eigenvalues in [low, high]. A Result as that of trace.")
      .def("__repr__", [](const SpectralDensity& self) {
        return fmt::format("hesse.SpectralDensity(size={}, probes={}, from {:.6g} to {:.6g})", self.size,
                           self.probes.size(), self.least, self.greatest);
      });
  module.def(
      "spectral_density",
      [](const py::object& operand, Index probes, Index steps, std::uint64_t seed) {
        const Operator self = operator_of(operand);
        return work([&] { return spectral_density(*self.A, {probes, steps, seed}); });
      },
      "A"_a, py::kw_only(), "probes"_a = 8, "steps"_a = 80, "seed"_a = 0,
      "The whole spectrum by stochastic Lanczos quadrature: a SpectralDensity, from probes * steps products.");

  py::class_<ChebyshevMoments>(module, "ChebyshevMoments",
                               "Moments of every probe by the kernel polynomial method; see chebyshev_moments.")
      .def_readonly("low", &ChebyshevMoments::low)
      .def_readonly("high", &ChebyshevMoments::high)
      .def_readonly("products", &ChebyshevMoments::products)
      .def_readonly("is_finite", &ChebyshevMoments::is_finite)
      .def_readonly("probes", &ChebyshevMoments::probes, "An array (degree + 1,) of moments for each probe.")
      .def(
          "at",
          [](const ChebyshevMoments& self, const Vector& lambdas) { return result_of(density_at(self, lambdas)); },
          "lambdas"_a,
          "The density with Jackson's kernel: Result with value, lower and upper (95 %), arrays like lambdas.")
      .def("__repr__", [](const ChebyshevMoments& self) {
        return fmt::format("hesse.ChebyshevMoments(on [{:.6g}, {:.6g}], probes={})", self.low, self.high,
                           self.probes.size());
      });
  module.def(
      "chebyshev_moments",
      [](const py::object& operand, const std::optional<std::pair<double, double>>& interval, Index probes,
         Index degree, std::uint64_t seed) {
        const Operator self = operator_of(operand);
        return work([&] { return moments_of(self, interval, {probes, degree, seed}); });
      },
      "A"_a, "interval"_a = py::none(), py::kw_only(), "probes"_a = 8, "degree"_a = 160, "seed"_a = 0,
      R"(The whole spectrum by the kernel polynomial method: ChebyshevMoments, from probes * degree / 2 products.

interval: (low, high) that holds the spectrum; None: the extreme eigenvalues, sought first, and 2 % beyond.)");

  module.def(
      "inertia",
      [](const py::object& operand, double shift) {
        const Operator self = operator_of(operand);
        double error = 0;
        const Inertia found = work([&] {
          Matrix A = to_dense(*self.A);
          A = 0.5 * (A + A.transpose()).eval();
          error = inertia_error(A);
          InertiaWorkspace workspace;
          return inertia(A, shift, workspace);
        });
        return result(py::dict("below"_a = found.negative, "at"_a = found.zero, "above"_a = found.positive,
                               "error"_a = error, "is_finite"_a = found.is_finite));
      },
      "A"_a, "shift"_a = 0.0,
      R"(How many eigenvalues lie below and above shift, by L D L' of the dense matrix: n products, n^3 / 3 flops.

Result: below, at (pivots that are 0), above; error: eigenvalues nearer to shift than this may be on either side.)");

  module.def("solve", &solve, "A"_a, "b"_a, py::kw_only(), "method"_a = "cg", "tolerance"_a = 1e-8,
             "max_iterations"_a = 0,
             R"(A x = b by conjugate gradients ("cg", A positive definite) or "minres".

Result: x (n,), residual |b - A x| formed anew, status, iterations. max_iterations 0: ten times n.)");
}

}  // namespace hesse::python
