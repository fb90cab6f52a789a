#include "hesse/curvature/critical_point.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Evaluating g adds a few roundings to that of x; a hundred units in the last place leave room for them.
constexpr double kGradientRoundings = 100;
constexpr double kValueRoundings = 100;

/// The Hessian as a matrix, made symmetric, and how far it was from it: a bound on |H - H'|_2.
struct DenseHessian {
  Matrix H;
  double asymmetry = 0;
};

DenseHessian dense_hessian(Objective& f, const Vector& x, CriticalPoint& point) {
  DenseHessian dense;
  const Matrix raw = to_dense(*f.curvature(x, Curvature::hessian));
  point.products += raw.cols();
  dense.H = 0.5 * (raw + raw.transpose());
  dense.asymmetry = (raw - dense.H).norm();
  return dense;
}

/// |A|_2 <= sqrt(|A|_1 |A|_inf), for a symmetric A the largest sum of a row.
double symmetric_norm_bound(const Matrix& A) { return A.cwiseAbs().rowwise().sum().maxCoeff(); }

/// Newton's step on the eigenvalues beyond their error; along the others it would be noise.
struct NewtonStep {
  Vector p;
  double change = 0;         ///< 1/2 g'|H|^-1 g
  double flat_gradient = 0;  ///< |g| along the others
};

NewtonStep newton_step(const Vector& g, const Vector& values, const Matrix& vectors, double error) {
  NewtonStep step;
  Vector coefficients = vectors.transpose() * g;
  for (Index i = 0; i < values.size(); ++i) {
    const double slope = coefficients[i];
    if (std::abs(values[i]) > error) {
      coefficients[i] = -slope / values[i];
      step.change += 0.5 * slope * slope / std::abs(values[i]);
    } else {
      coefficients[i] = 0;
      step.flat_gradient = std::hypot(step.flat_gradient, slope);
    }
  }
  step.p = vectors * coefficients;
  return step;
}

void set_escape(CriticalPoint& point, const Vector& v, const Vector& g) {
  point.escape_direction = dot(g, v) > 0 ? Vector(-v) : v;
}

/// The kind from how many eigenvalues lie beyond their error on either side.
CriticalKind kind_of(Index negative, Index positive, Index undecided) {
  if (negative > 0 && positive > 0) return CriticalKind::saddle;
  if (undecided > 0) return CriticalKind::degenerate;
  return negative > 0 ? CriticalKind::maximum : CriticalKind::minimum;
}

std::string describe(const CriticalPoint& p, Index n, Index undecided) {
  const std::string gradient = fmt::format("|g| = {:.3g}", p.gradient_norm);
  const std::string ends = fmt::format("eigenvalues from {:.6g} to {:.6g}, each within {:.2g}", p.least_eigenvalue,
                                       p.largest_eigenvalue, p.eigenvalue_error);
  const std::string found =
      p.certified ? fmt::format("{} of {} eigenvalues are negative", p.index, n)
                  : fmt::format("{} negative direction{} found, not certified", p.index, p.index == 1 ? "" : "s");
  switch (p.kind) {
    case CriticalKind::minimum:
      return fmt::format("a minimum{}: {}, {}", p.certified ? "" : " as far as was seen (not certified)", gradient,
                         ends);
    case CriticalKind::saddle: return fmt::format("a saddle: {}; {}, {}", found, gradient, ends);
    case CriticalKind::maximum: return fmt::format("a maximum: {}, {}", gradient, ends);
    case CriticalKind::degenerate:
      return p.index > 0 ? fmt::format("no minimum, and degenerate: {}, {} are 0 within their error; {}, {}", found,
                                       undecided, gradient, ends)
                         : fmt::format(
                               "degenerate: {} eigenvalue{} 0 within the error, so that terms of higher order decide; "
                               "{}, {}",
                               undecided, undecided == 1 ? " is" : "s are", gradient, ends);
    case CriticalKind::not_stationary:
      return fmt::format(
          "not stationary: {} > {:.3g}{}; {}, {}", gradient, p.gradient_tolerance,
          p.certified ? fmt::format(", and Newton's step would change f by {:.2g}", p.newton_change) : "", found, ends);
    case CriticalKind::undecided: return fmt::format("undecided: {}; {}, {}", found, gradient, ends);
    case CriticalKind::non_finite: break;
  }
  return "not finite";
}

CriticalPoint non_finite(CriticalPoint point, Objective& f, const Vector& x, const char* what) {
  point.kind = CriticalKind::non_finite;
  const std::string why = f.explain_non_finite(x);
  point.message = why.empty() ? what : why;
  return point;
}

CriticalPoint classify_dense(Objective& f, const Vector& x, const Vector& g, const ClassifyOptions& options,
                             CriticalPoint point) {
  const Index n = x.size();
  const DenseHessian at_x = dense_hessian(f, x, point);
  Vector values;
  Matrix vectors;
  if (!symmetric_eigen(at_x.H, values, vectors)) return non_finite(std::move(point), f, x, "the Hessian is not finite");
  point.certified = true;
  point.least_eigenvalue = values[0];
  point.largest_eigenvalue = values[n - 1];
  const double H_norm = values.cwiseAbs().maxCoeff();
  double error = (static_cast<double>(n) * kEpsilon + f.value_noise()) * H_norm + at_x.asymmetry;
  point.gradient_tolerance =
      std::max(options.gradient_tolerance, kGradientRoundings * kEpsilon * norm(at_x.H.cwiseAbs() * x.cwiseAbs()));
  const NewtonStep newton = newton_step(g, values, vectors, error);
  point.newton_change = newton.change;
  const bool unresolved = newton.change <= kValueRoundings * f.value_noise() * std::abs(point.value) &&
                          newton.flat_gradient <= point.gradient_tolerance;
  const bool stationary = point.gradient_norm <= point.gradient_tolerance || unresolved;
  if (stationary && point.gradient_norm > 0) {
    const Vector beyond = x + newton.p;
    const Matrix drift = dense_hessian(f, beyond, point).H - at_x.H;
    // Not finite beyond x: the region where f is smooth may end there, which leaves the eigenvalues at x as they are.
    if (drift.allFinite()) error += 2 * symmetric_norm_bound(drift);
  }
  point.eigenvalue_error = error;
  point.index = (values.array() < -error).count();
  const Index positive = (values.array() > error).count();
  const Index undecided = n - point.index - positive;
  if (point.index > 0) set_escape(point, vectors.col(0), g);
  point.kind = stationary ? kind_of(point.index, positive, undecided) : CriticalKind::not_stationary;
  point.message = describe(point, n, undecided);
  return point;
}

CriticalPoint classify_by_products(Objective& f, const Vector& x, const Vector& g, const ClassifyOptions& options,
                                   CriticalPoint point) {
  const Index n = x.size();
  point.newton_change = std::numeric_limits<double>::quiet_NaN();
  const auto H = f.curvature(x, Curvature::hessian);
  EigenOptions eigen;
  eigen.largest = 1;
  eigen.smallest = std::min(options.negative_directions, n);
  eigen.max_restarts = options.max_restarts;
  eigen.tolerance = options.eigen_tolerance;
  eigen.seed = options.seed;
  const EigenResult result = extreme_eigenpairs(*H, eigen);
  point.products += result.products;
  if (result.status == EigenStatus::non_finite) {
    return non_finite(std::move(point), f, x, "a product with the Hessian is not finite");
  }
  const Vector& low = result.smallest.values;
  if (low.size() == 0) {
    point.kind = CriticalKind::undecided;
    point.message = "undecided: no eigenvalue was found; " + result.message;
    return point;
  }
  const Index last = low.size() - 1;  // values descend
  point.least_eigenvalue = low[last];
  point.largest_eigenvalue = result.largest.values.size() > 0 ? result.largest.values[0] : low[0];
  const double rounding = (static_cast<double>(n) * kEpsilon + f.value_noise()) * result.norm;
  Index undecided = 0;
  double worst = 0;
  for (Index i = 0; i < low.size(); ++i) {
    // An eigenvalue of H lies within the residual of each Ritz value.
    const double error = rounding + result.smallest.residuals[i];
    worst = std::max(worst, error);
    if (low[i] < -error) ++point.index;
    if (std::abs(low[i]) <= error) ++undecided;
  }
  if (result.largest.residuals.size() > 0) worst = std::max(worst, rounding + result.largest.residuals[0]);
  point.eigenvalue_error = worst;
  // |H| |x| needs the entries of H; its norm is at most this.
  point.gradient_tolerance =
      std::max(options.gradient_tolerance, kGradientRoundings * kEpsilon * result.norm * norm(x));
  if (point.index > 0) set_escape(point, result.smallest.vectors.col(last), g);
  if (!(point.gradient_norm <= point.gradient_tolerance)) {
    point.kind = CriticalKind::not_stationary;
  } else if (point.index > 0 || result.status == EigenStatus::converged) {
    // Between the ends that were sought nothing is known, so a maximum needs the upper end below 0.
    const Index positive = point.largest_eigenvalue > worst ? 1 : 0;
    point.kind = kind_of(point.index, positive, positive == 0 && point.largest_eigenvalue >= -worst ? 1 : undecided);
  } else {
    point.kind = CriticalKind::undecided;
  }
  point.message = describe(point, n, undecided);
  if (!result.message.empty()) point.message += "; " + result.message;
  return point;
}

}  // namespace

const char* to_string(CriticalKind kind) {
  switch (kind) {
    case CriticalKind::minimum: return "minimum";
    case CriticalKind::saddle: return "saddle";
    case CriticalKind::maximum: return "maximum";
    case CriticalKind::degenerate: return "degenerate";
    case CriticalKind::not_stationary: return "not stationary";
    case CriticalKind::undecided: return "undecided";
    case CriticalKind::non_finite: return "not finite";
  }
  return "unknown";
}

CriticalPoint classify(Objective& f, const Vector& x, const ClassifyOptions& options) {
  if (x.size() != f.size()) fail("classify: a point of {} parameters for an objective of {}", x.size(), f.size());
  if (!(options.gradient_tolerance >= 0)) {
    fail("classify: a gradient tolerance of {} is not possible; give a number >= 0", options.gradient_tolerance);
  }
  if (options.negative_directions < 1) fail("classify: {} directions; seek at least 1", options.negative_directions);
  CriticalPoint point;
  Vector g;
  point.value = f.value_and_gradient(x, g);
  point.gradient_norm = norm(g);
  point.gradient_tolerance = options.gradient_tolerance;
  if (!all_finite(x) || !std::isfinite(point.value) || !std::isfinite(point.gradient_norm)) {
    return non_finite(std::move(point), f, x, "value or gradient is not finite");
  }
  return x.size() <= options.dense_limit ? classify_dense(f, x, g, options, std::move(point))
                                         : classify_by_products(f, x, g, options, std::move(point));
}

}  // namespace hesse
