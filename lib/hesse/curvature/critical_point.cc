#include "hesse/curvature/critical_point.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/inertia.h"
#include "hesse/linalg/minres.h"
#include "hesse/linalg/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Evaluating g adds a few roundings to that of x; a hundred units in the last place leave room for them.
constexpr double kGradientRoundings = 100;
constexpr double kValueRoundings = 100;
/// Half of what Kantorovich's theorem allows.
constexpr double kDriftFactor = 4;
constexpr const char* kUnknownDrift = "; the Hessian is not finite at x + p, so that this is said of x alone";

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

/// The first of the ascending eigenvectors, as many as are negative and wanted, each turned downhill.
void set_escape(CriticalPoint& point, const Matrix& ascending, const Vector& g, Index most) {
  point.escape_directions = ascending.leftCols(std::min({point.index, most, ascending.cols()}));
  for (auto v : point.escape_directions.colwise()) {
    if (dot(g, v) > 0) v = -v;
  }
}

/// The ball that the stationary point lies in, from Newton's step and the change of H over it. What the rounding of x
/// makes of g lengthens the step, and the error of the eigenvalues their inverse.
void set_ball(CriticalPoint& point, double least_magnitude, double step, double change, double gradient_rounding) {
  const double beta = 1 / (least_magnitude - point.eigenvalue_error);
  const double longest = step + beta * gradient_rounding;
  const double h = beta * (step > 0 ? change * (longest / step) : change);
  if (!(beta > 0) || !(h <= 0.5)) return;
  point.kantorovich = h;
  // (1 - sqrt(1 - 2h)) / h without cancellation.
  point.ball_radius = 2 * longest / (1 + std::sqrt(1 - 2 * h));
}

/// The kind from how many eigenvalues lie beyond their error on either side.
CriticalKind kind_of(Index negative, Index positive, Index undecided) {
  if (negative > 0 && positive > 0) return CriticalKind::saddle;
  if (undecided > 0) return CriticalKind::degenerate;
  return negative > 0 ? CriticalKind::maximum : CriticalKind::minimum;
}

/// What the third and fourth order said: a clause.
std::string describe(const HigherOrderTest& test) {
  const auto terms = fmt::format("third order {:.3g} within {:.1g}, fourth {:.3g} within {:.1g}", test.terms.third,
                                 test.terms.third_error, test.terms.fourth, test.terms.fourth_error);
  switch (test.verdict) {
    case HigherOrder::not_tested: return "";
    case HigherOrder::minimum:
      return fmt::format(" and make it a strict minimum unless a cubic term hides in its error ({})", terms);
    case HigherOrder::maximum:
      return fmt::format(" and make it a strict maximum unless a cubic term hides in its error ({})", terms);
    case HigherOrder::no_extremum: return fmt::format(" and make it no extremum ({})", terms);
    case HigherOrder::flat:
      return fmt::format(" and are 0 too within their errors along {} direction{}", test.directions,
                         test.directions == 1 ? "" : "s");
    case HigherOrder::undecided: return fmt::format(" and leave it open (at best {})", terms);
  }
  return "";
}

std::string describe(const CriticalPoint& p, Index n, Index undecided) {
  const std::string gradient = fmt::format("|g| = {:.3g}", p.gradient_norm);
  const auto end = [](double value) {
    return std::isnan(value) ? std::string("an end that is not known") : fmt::format("{:.6g}", value);
  };
  const std::string ends = fmt::format("eigenvalues from {} to {}, each within {:.2g}", end(p.least_eigenvalue),
                                       end(p.largest_eigenvalue), p.eigenvalue_error);
  const std::string found =
      p.certified ? fmt::format("{} of {} eigenvalues are negative", p.index, n)
                  : fmt::format("{} negative direction{} found, not certified", p.index, p.index == 1 ? "" : "s");
  switch (p.kind) {
    case CriticalKind::minimum:
      return fmt::format("a minimum{}: {}, {}", p.certified ? "" : " as far as was seen (not certified)", gradient,
                         ends);
    case CriticalKind::saddle: return fmt::format("a saddle: {}; {}, {}", found, gradient, ends);
    case CriticalKind::maximum:
      return fmt::format("a maximum{}: {}, {}", p.certified ? "" : " as far as was seen (not certified)", gradient,
                         ends);
    case CriticalKind::degenerate:
      return p.index > 0
                 ? fmt::format("no minimum, and degenerate: {}, {} are 0 within their error{}; {}, {}", found,
                               undecided, describe(p.higher_order), gradient, ends)
                 : fmt::format(
                       "degenerate: {} eigenvalue{} 0 within the error, so that terms of higher order decide{}; "
                       "{}, {}",
                       undecided, undecided == 1 ? " is" : "s are", describe(p.higher_order), gradient, ends);
    case CriticalKind::not_stationary:
      return fmt::format("not stationary: {} > {:.3g}{}; {}, {}", gradient, p.gradient_tolerance,
                         std::isfinite(p.newton_change)
                             ? fmt::format(", and Newton's step would change f by {:.2g}", p.newton_change)
                             : "",
                         found, ends);
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

/// |H(x + p) - H(x)|_2 from above; NaN where H is not finite beyond x: the region where f is smooth may end there,
/// which leaves the eigenvalues at x as they are.
double change_over_step(Objective& f, const Vector& beyond, const Matrix& H, CriticalPoint& point) {
  const Matrix change = dense_hessian(f, beyond, point).H - H;
  return change.allFinite() ? symmetric_norm_bound(change) : std::numeric_limits<double>::quiet_NaN();
}

/// The eigenvectors by whether their eigenvalues are within the error of 0.
SplitSpectrum split(const Vector& values, const Matrix& vectors, const CriticalPoint& point) {
  SplitSpectrum spectrum;
  const Index n = values.size();
  spectrum.flat = vectors.middleCols(point.index, point.flat);
  spectrum.curved.resize(n, n - point.flat);
  spectrum.curved << vectors.leftCols(point.index), vectors.rightCols(point.positive);
  spectrum.curvatures.resize(n - point.flat);
  spectrum.curvatures << values.head(point.index), values.tail(point.positive);
  spectrum.error = point.error.rounding + point.error.asymmetry;
  return spectrum;
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
  point.error.rounding = (static_cast<double>(n) * kEpsilon + f.value_noise()) * H_norm;
  point.error.asymmetry = at_x.asymmetry;
  const double x_rounding = kGradientRoundings * kEpsilon * norm(at_x.H.cwiseAbs() * x.cwiseAbs());
  point.gradient_tolerance = std::max(options.gradient_tolerance, x_rounding);
  const NewtonStep newton = newton_step(g, values, vectors, point.error.total());
  point.newton_change = newton.change;
  const bool unresolved = newton.change <= kValueRoundings * f.value_noise() * std::abs(point.value) &&
                          newton.flat_gradient <= point.gradient_tolerance;
  const bool stationary = point.gradient_norm <= point.gradient_tolerance || unresolved;
  const Vector beyond = x + newton.p;
  double change = 0;
  if (stationary && point.gradient_norm > 0) {
    change = change_over_step(f, beyond, at_x.H, point);
    point.drift_known = std::isfinite(change);
    if (point.drift_known) point.error.drift = kDriftFactor * change;
  }
  const double error = point.error.total();
  point.eigenvalue_error = error;
  point.index = (values.array() < -error).count();
  point.positive = (values.array() > error).count();
  point.flat = n - point.index - point.positive;
  set_escape(point, vectors, g, options.negative_directions);
  point.kind = stationary ? kind_of(point.index, point.positive, point.flat) : CriticalKind::not_stationary;
  if (stationary && point.flat == 0) set_ball(point, values.cwiseAbs().minCoeff(), norm(newton.p), change, x_rounding);
  if (options.higher_order && point.kind == CriticalKind::degenerate) {
    // At x + p, where what is left of the gradient lies along the flat directions.
    Vector g_beyond;
    f.value_and_gradient(beyond, g_beyond);
    SplitSpectrum spectrum = split(values, vectors, point);
    spectrum.gradient_error = x_rounding;
    point.higher_order = higher_order_test(f, beyond, g_beyond, spectrum, options.higher_order_options);
    point.products += point.higher_order.products;
  }
  point.message = describe(point, n, point.flat);
  if (!point.drift_known) point.message += kUnknownDrift;
  return point;
}

EigenOptions ends_wanted(const Objective& f, const ClassifyOptions& options) {
  EigenOptions eigen;
  eigen.largest = 1;
  eigen.smallest = std::min(options.negative_directions, f.size());
  eigen.max_restarts = options.max_restarts;
  eigen.tolerance = options.eigen_tolerance;
  eigen.asymmetry_tolerance = allowed_asymmetry(f.value_noise());
  eigen.seed = options.seed;
  return eigen;
}

/// By counts of signs: what all eigenvalues would say, at a twentieth of the price.
CriticalPoint classify_by_inertia(Objective& f, const Vector& x, const Vector& g, const ClassifyOptions& options,
                                  CriticalPoint point) {
  const Index n = x.size();
  point.newton_change = std::numeric_limits<double>::quiet_NaN();
  const DenseHessian at_x = dense_hessian(f, x, point);
  if (!at_x.H.allFinite()) return non_finite(std::move(point), f, x, "the Hessian is not finite");
  const OperatorPtr H = dense_operator(at_x.H);
  EigenOptions eigen = ends_wanted(f, options);
  // Products with the dense matrix are cheap.
  eigen.tolerance = std::min(options.eigen_tolerance, 1e-10);
  const EigenResult ends = extreme_eigenpairs(*H, eigen);
  const EigenPairs& low = ends.smallest;
  point.error.rounding = inertia_error(at_x.H) + f.value_noise() * ends.norm;
  // The counts go without them; what has not converged is held against the inertia below.
  for (const EigenPairs* pairs : {&ends.largest, &ends.smallest}) {
    for (const double residual : pairs->residuals) {
      if (residual <= eigen.tolerance * ends.norm) point.error.residual = std::max(point.error.residual, residual);
    }
  }
  point.error.asymmetry = at_x.asymmetry;
  point.gradient_tolerance =
      std::max(options.gradient_tolerance, kGradientRoundings * kEpsilon * norm(at_x.H.cwiseAbs() * x.cwiseAbs()));
  const bool stationary = point.gradient_norm <= point.gradient_tolerance;
  if (stationary && point.gradient_norm > 0) {
    Vector p;
    MinresWorkspace workspace;
    minres(*H, -g, p, {}, workspace);
    const double change = change_over_step(f, x + p, at_x.H, point);
    point.drift_known = std::isfinite(change);
    if (point.drift_known) point.error.drift = kDriftFactor * change;
  }
  point.eigenvalue_error = point.error.total();
  InertiaWorkspace workspace;
  const SignCount signs = count_signs(at_x.H, point.eigenvalue_error, workspace);
  // A Ritz value is the end of the spectrum where the inertia finds no eigenvalue beyond it.
  const double margin = 2 * point.eigenvalue_error;
  if (low.values.size() > 0 && inertia(at_x.H, low.values.minCoeff() - margin, workspace).negative == 0) {
    point.least_eigenvalue = low.values.minCoeff();
  }
  if (ends.largest.values.size() > 0 && inertia(at_x.H, ends.largest.values[0] + margin, workspace).positive == 0) {
    point.largest_eigenvalue = ends.largest.values[0];
  }
  point.certified = true;
  point.index = signs.negative;
  point.positive = signs.positive;
  point.flat = signs.within;
  // Values descend, and so do the vectors.
  if (low.values.size() > 0) set_escape(point, low.vectors.rowwise().reverse(), g, options.negative_directions);
  point.kind = stationary ? kind_of(point.index, point.positive, point.flat) : CriticalKind::not_stationary;
  point.message = describe(point, n, point.flat);
  if (!point.drift_known) point.message += kUnknownDrift;
  if (!ends.message.empty()) point.message += "; " + ends.message;
  return point;
}

CriticalPoint classify_by_products(Objective& f, const Vector& x, const Vector& g, const ClassifyOptions& options,
                                   CriticalPoint point) {
  const Index n = x.size();
  point.newton_change = std::numeric_limits<double>::quiet_NaN();
  const auto H = f.curvature(x, Curvature::hessian);
  EigenOptions eigen = ends_wanted(f, options);
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
  // Ritz values that have not converged lie inside the spectrum, as far as is known.
  const double wanted = options.eigen_tolerance * result.norm;
  if (result.smallest.residuals.maxCoeff() <= wanted) point.least_eigenvalue = low[low.size() - 1];  // values descend
  const double highest = result.largest.values.size() > 0 ? result.largest.values[0] : low[0];
  if (result.largest.values.size() > 0 && result.largest.residuals[0] <= wanted) point.largest_eigenvalue = highest;
  point.error.rounding = (static_cast<double>(n) * kEpsilon + f.value_noise()) * result.norm;
  for (Index i = 0; i < low.size(); ++i) {
    // An eigenvalue of H lies within the residual of each Ritz value.
    const double error = point.error.rounding + result.smallest.residuals[i];
    point.error.residual = std::max(point.error.residual, result.smallest.residuals[i]);
    if (low[i] < -error) ++point.index;
    if (low[i] > error) ++point.positive;
    if (std::abs(low[i]) <= error) ++point.flat;
  }
  const EigenPairs& high = result.largest;
  if (high.residuals.size() > 0) point.error.residual = std::max(point.error.residual, high.residuals[0]);
  const double worst = point.error.total();
  point.eigenvalue_error = worst;
  // The upper end is an eigenvalue of its own where it is larger than all of those by more than the errors.
  if (high.values.size() > 0 && high.values[0] > worst && high.values[0] - worst > low[0] + worst) ++point.positive;
  // |H| |x| needs the entries of H; its norm is at most this.
  point.gradient_tolerance =
      std::max(options.gradient_tolerance, kGradientRoundings * kEpsilon * result.norm * norm(x));
  set_escape(point, result.smallest.vectors.rowwise().reverse(), g, options.negative_directions);
  if (!(point.gradient_norm <= point.gradient_tolerance)) {
    point.kind = CriticalKind::not_stationary;
  } else if (point.index > 0 || result.status == EigenStatus::converged) {
    // Between the ends that were sought nothing is known, so a maximum needs the upper end below 0.
    const Index positive = highest > worst ? 1 : 0;
    point.kind = kind_of(point.index, positive, positive == 0 && highest >= -worst ? 1 : point.flat);
  } else {
    point.kind = CriticalKind::undecided;
  }
  point.message = describe(point, n, point.flat);
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
  point.kantorovich = point.ball_radius = std::numeric_limits<double>::quiet_NaN();
  Vector g;
  point.value = f.value_and_gradient(x, g);
  point.gradient_norm = norm(g);
  point.gradient_tolerance = options.gradient_tolerance;
  if (!all_finite(x) || !std::isfinite(point.value) || !std::isfinite(point.gradient_norm)) {
    return non_finite(std::move(point), f, x, "value or gradient is not finite");
  }
  if (x.size() <= options.dense_limit) return classify_dense(f, x, g, options, std::move(point));
  if (x.size() <= options.inertia_limit) return classify_by_inertia(f, x, g, options, std::move(point));
  return classify_by_products(f, x, g, options, std::move(point));
}

}  // namespace hesse
