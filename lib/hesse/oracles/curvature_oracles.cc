#include "hesse/curvature/critical_point.h"
#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/oracles/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

/// 60 eigenvalues +- 1 / sqrt(k), every third of them negative.
Matrix planted_matrix() {
  Vector values(60);
  for (Index i = 0; i < values.size(); ++i) {
    values[i] = (i % 3 == 2 ? -1 : 1) / std::sqrt(static_cast<double>(i + 1));
  }
  return planted_spectrum(values, 31);
}

constexpr Index kTrials = 2000;
/// A binomial share of 2000 at 0.95 has a standard deviation of 0.0049: four of them to either side.
constexpr double kLow = 0.93;
constexpr double kHigh = 0.97;
const char* const kWhy = "0.95 -+ 4 sqrt(0.95 0.05 / 2000)";

/// Half the interval planted: an error that is told half as large as it is.
bool covers(double exact, double value, double half, bool planted) {
  return std::abs(value - exact) <= (planted ? 0.5 : 1.0) * half;
}

std::vector<OracleFinding> trace_coverage(const OracleContext& context) {
  const Matrix M = planted_matrix();
  const OperatorPtr A = dense_operator(M);
  std::vector<OracleFinding> findings;
  for (const auto& [method, name] :
       {std::pair{TraceMethod::hutchinson, "Hutchinson"}, std::pair{TraceMethod::hutch_pp, "Hutch++"},
        std::pair{TraceMethod::xtrace, "XTrace"}}) {
    Index covered = 0;
    for (Index trial = 0; trial < kTrials; ++trial) {
      TraceOptions options;
      options.method = method;
      options.tolerance = 0;
      options.max_products = 42;
      options.seed = static_cast<std::uint64_t>(trial);
      const Estimate e = estimate_trace(*A, options);
      covered += covers(M.trace(), e.value, 0.5 * (e.upper - e.lower), context.planted) ? 1 : 0;
    }
    findings.push_back(between(fmt::format("share of 2000 intervals of {} that cover the trace", name),
                               static_cast<double>(covered) / kTrials, kLow, kHigh, kWhy));
  }
  return findings;
}

std::vector<OracleFinding> diagonal_coverage(const OracleContext& context) {
  const Matrix M = planted_matrix();
  const OperatorPtr A = dense_operator(M);
  // Student's 97.5 % point with as many degrees of freedom as there are independent probes but one.
  const auto coverage = [&](DiagonalMethod method, Index products, double quantile) {
    Index covered = 0;
    for (Index trial = 0; trial < kTrials; ++trial) {
      DiagonalOptions options;
      options.method = method;
      options.tolerance = 0;
      options.max_products = products;
      options.seed = static_cast<std::uint64_t>(trial);
      const EstimatedDiagonal e = estimate_diagonal(*A, options);
      // One entry a trial, so that the trials are independent.
      const Index i = trial % M.rows();
      covered += covers(M(i, i), e.values[i], quantile * e.standard_errors[i], context.planted) ? 1 : 0;
    }
    return static_cast<double>(covered) / kTrials;
  };
  return {between("share of 2000 intervals of Hutchinson that cover an entry of the diagonal",
                  coverage(DiagonalMethod::hutchinson, 40, 2.0227), kLow, kHigh, kWhy),
          between("the same of diag++", coverage(DiagonalMethod::diag_pp, 45, 2.1448), kLow, kHigh, kWhy)};
}

/// sum_i d_i (1 - cos y_i) + y_i^4 / 4, y = Q'x: a critical point at 0 with the Hessian Q diag(d) Q'.
struct PlantedPoint {
  Matrix Q;
  Vector d;
  template <class T>
  T operator()(const T* x) const {
    using std::cos;
    T sum = T(0.0);
    for (Index i = 0; i < d.size(); ++i) {
      T y = T(0.0);
      for (Index k = 0; k < d.size(); ++k) y = y + Q(k, i) * x[k];
      sum = sum + d[i] * (1.0 - cos(y)) + 0.25 * (y * y) * (y * y);
    }
    return sum;
  }
};

std::vector<OracleFinding> saddles(const OracleContext& context) {
  constexpr Index n = 10;
  Index right = 0;
  Index certified = 0;
  double error = 0;
  for (Index index = 0; index <= n; ++index) {
    Vector d = Vector::LinSpaced(n, 0.5, 2);
    d.head(index) *= -1;
    const Matrix Q = planted_basis(n, 40 + static_cast<std::uint64_t>(index));
    // The planted fault: a direction that goes up is said to go down.
    if (context.planted && index > 0) d[0] *= -1;
    FunctorObjective<PlantedPoint> f({Q, d}, n);
    // Near the point, as a run leaves it, and not on it.
    const Vector x = 1e-10 * planted_point(n, 50 + static_cast<std::uint64_t>(index));
    const CriticalPoint point = classify(f, x);
    const CriticalKind kind = index == 0   ? CriticalKind::minimum
                              : index == n ? CriticalKind::maximum
                                           : CriticalKind::saddle;
    right += point.kind == kind && point.index == index ? 1 : 0;
    certified += point.certified && point.kantorovich <= 0.5 ? 1 : 0;
    const double least = d.minCoeff();
    error = std::max({error, std::abs(point.least_eigenvalue - least) / point.eigenvalue_error,
                      std::abs(point.largest_eigenvalue - d.maxCoeff()) / point.eigenvalue_error});
  }
  return {equal_to("planted points of index 0 to 10 with kind and index told right", static_cast<double>(right), n + 1,
                   "all of them"),
          equal_to("those that are certified by Kantorovich's theorem", static_cast<double>(certified), n + 1,
                   "all of them"),
          at_most("extreme eigenvalues against the planted ones, over the error that is told", error, 1,
                  "Weyl's inequality")};
}

}  // namespace

std::vector<Oracle> curvature_oracles() {
  return {
      {"trace-coverage", "95 % intervals of the trace cover it in 95 of 100 trials", "intervals half as wide",
       trace_coverage},
      {"diagonal-coverage", "95 % intervals of the diagonal cover it in 95 of 100 trials", "intervals half as wide",
       diagonal_coverage},
      {"saddles", "planted minima, maxima and saddles of every index are told apart",
       "one downward direction turned up", saddles},
  };
}

}  // namespace hesse
