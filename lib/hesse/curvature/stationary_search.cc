#include "hesse/curvature/stationary_search.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/minres.h"
#include "hesse/linalg/operators.h"
#include "hesse/linalg/steihaug.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

constexpr double kSufficient = 1e-4;  // Armijo's rho
constexpr double kShortest = 1e-12;   // step length, of p or relative to max(1, |x|)
/// Of the gradient's prediction: |g(x + p) - g - Hp| / max(|Hp|, |g|).
constexpr double kGood = 0.1;
constexpr double kBad = 0.5;

/// Where the search stands.
struct Point {
  Vector x;
  Vector g;
  double value = 0;
  double gradient_norm = 0;

  bool evaluate(Objective& f, SearchResult& result) {
    value = f.value_and_gradient(x, g);
    ++result.gradients;
    gradient_norm = norm(g);
    return std::isfinite(value) && std::isfinite(gradient_norm);
  }
};

/// What one step came to.
enum class Advance { moved, arrived, stalled, non_finite, limit };

class NewtonMR {
 public:
  NewtonMR(const SearchOptions& options, double first_norm) : options_(options), first_norm_(first_norm) {}

  Advance operator()(Objective& f, Point& at, SearchResult& result) {
    if (at.gradient_norm <= options_.gradient_tolerance) return Advance::arrived;
    if (result.steps == options_.max_steps) return Advance::limit;
    const auto H = f.curvature(at.x, Curvature::hessian);
    MinresOptions inner;
    inner.max_iterations = options_.max_inner_iterations > 0 ? options_.max_inner_iterations : at.x.size();
    // Superlinear: the residual falls faster than |g|.
    inner.tolerance = std::clamp(0.1 * at.gradient_norm / first_norm_, 1e-12, 0.1);
    const MinresResult solved = minres(*H, -at.g, p_, inner, workspace_);
    result.products += solved.iterations + 1;
    if (solved.exit == MinresExit::non_finite || !all_finite(p_)) return Advance::non_finite;
    Hp_.resize(at.x.size());
    H->apply(p_, Hp_);
    ++result.products;
    const double slope = dot(Hp_, at.g);
    if (!(slope < 0)) return Advance::stalled;
    const double square = at.gradient_norm * at.gradient_norm;
    for (double t = 1; t >= kShortest; t /= 2) {
      trial_.x = at.x + t * p_;
      if (!trial_.evaluate(f, result)) continue;
      if (trial_.gradient_norm * trial_.gradient_norm <= square + 2 * kSufficient * t * slope) {
        std::swap(at, trial_);
        return Advance::moved;
      }
    }
    return Advance::stalled;
  }

 private:
  const SearchOptions& options_;
  double first_norm_;
  MinresWorkspace workspace_;
  Vector p_, Hp_;
  Point trial_;
};

class EigenvectorFollowing {
 public:
  explicit EigenvectorFollowing(const SearchOptions& options) : options_(options) {}

  Advance operator()(Objective& f, Point& at, SearchResult& result) {
    const Index n = at.x.size();
    const Index k = options_.index;
    if (radius_ == 0) radius_ = 0.1 * std::max(1.0, norm(at.x));
    const auto H = f.curvature(at.x, Curvature::hessian);
    EigenOptions eigen;
    eigen.largest = 0;
    eigen.smallest = std::min(k + 1, n);
    eigen.tolerance = options_.eigen_tolerance;
    eigen.seed = options_.seed;
    eigen.asymmetry_tolerance = allowed_asymmetry(f.value_noise());
    const EigenResult found = extreme_eigenpairs(*H, eigen);
    result.products += found.products;
    if (found.status == EigenStatus::non_finite) return Advance::non_finite;
    const EigenPairs& low = found.smallest;  // values descend
    if (low.values.size() < std::min(k + 1, n)) return Advance::stalled;
    const Matrix V = low.vectors.rightCols(k);
    const Vector lambda = low.values.tail(k);
    const bool right_index = (k == 0 || lambda.maxCoeff() < 0) && (k == n || low.values[0] >= 0);
    const bool stationary = at.gradient_norm <= options_.gradient_tolerance;
    if (stationary && right_index) return Advance::arrived;
    if (result.steps == options_.max_steps) return Advance::limit;

    // Uphill along V.
    Vector a = (V.transpose() * at.g).eval();
    const double least = 1e-12 * std::max(found.norm, 1e-300);
    for (Index i = 0; i < k; ++i) a[i] /= std::max(std::abs(lambda[i]), least);
    const Vector up = V * a;
    // Downhill off V.
    Vector down = Vector::Zero(n);
    if (k < n) {
      const Vector g_off = at.g - V * (V.transpose() * at.g);
      SteihaugOptions inner;
      inner.trust_radius = radius_;
      inner.tolerance = 0.1 * std::min(1.0, at.gradient_norm) * norm(g_off);
      inner.max_iterations = options_.max_inner_iterations > 0 ? options_.max_inner_iterations : n;
      const auto off = projected_off(H, V);
      const SteihaugResult solved = steihaug(*off, g_off, inner, down, workspace_);
      result.products += solved.iterations;
      if (solved.exit == SteihaugExit::non_finite) return Advance::non_finite;
    }
    Vector p = up + down;
    // At a critical point of another index there is no way but the one that the eigenvectors point.
    if (stationary && k > 0) p = radius_ * low.vectors.col(low.vectors.cols() - k);
    if (!all_finite(p)) return Advance::non_finite;
    if (!(norm(p) > 0)) return Advance::stalled;
    if (norm(p) > radius_) p *= radius_ / norm(p);
    Vector Hp(n);
    H->apply(p, Hp);
    ++result.products;
    for (;;) {
      const double step = norm(p);
      if (!(step > kShortest * std::max(1.0, norm(at.x)) * 1e-4)) return Advance::stalled;
      trial_.x = at.x + p;
      const bool finite = trial_.evaluate(f, result);
      const double off_by = finite ? norm(trial_.g - at.g - Hp) / std::max(norm(Hp), at.gradient_norm) : 1e300;
      if (off_by <= kBad) {
        if (off_by <= kGood) radius_ = std::max(radius_, 2 * step);
        std::swap(at, trial_);
        return Advance::moved;
      }
      radius_ = 0.25 * step;
      p *= 0.25;
      Hp *= 0.25;
    }
  }

 private:
  const SearchOptions& options_;
  double radius_ = 0;
  SteihaugWorkspace workspace_;
  Point trial_;
};

template <class Step>
SearchStatus search(Objective& f, Point& at, Step step, SearchResult& result) {
  for (;;) {
    switch (step(f, at, result)) {
      case Advance::moved: ++result.steps; break;
      case Advance::arrived: return SearchStatus::arrived;
      case Advance::stalled: return SearchStatus::stalled;
      case Advance::non_finite: return SearchStatus::non_finite;
      case Advance::limit: return SearchStatus::step_limit;
    }
  }
}

}  // namespace

const char* to_string(SearchStatus status) {
  switch (status) {
    case SearchStatus::arrived: return "arrived";
    case SearchStatus::stalled: return "stalled";
    case SearchStatus::step_limit: return "step limit";
    case SearchStatus::non_finite: return "not finite";
  }
  return "unknown";
}

SearchResult find_stationary(Objective& f, Vector& x, const SearchOptions& options) {
  if (x.size() != f.size()) {
    fail("search for a critical point: a point of {} parameters for an objective of {}", x.size(), f.size());
  }
  if (options.method == SearchMethod::follow && (options.index < 0 || options.index > x.size())) {
    fail("search for a critical point: an index of {} is not possible with {} variables", options.index, x.size());
  }
  if (!(options.gradient_tolerance >= 0)) {
    fail("search for a critical point: a gradient tolerance of {} is not possible; give a number >= 0",
         options.gradient_tolerance);
  }
  SearchResult result;
  Point at;
  at.x = x;
  if (!all_finite(x) || !at.evaluate(f, result)) {
    result.status = SearchStatus::non_finite;
    const std::string why = f.explain_non_finite(x);
    result.message = why.empty() ? "f or its gradient is not finite at the start" : why;
    return result;
  }
  const double first_norm = at.gradient_norm;
  result.status = options.method == SearchMethod::gradient_norm ? search(f, at, NewtonMR(options, first_norm), result)
                                                                : search(f, at, EigenvectorFollowing(options), result);
  result.value = at.value;
  result.gradient_norm = at.gradient_norm;
  result.distance = distance(at.x, x);
  result.message =
      fmt::format("{} after {} steps: |g| from {:.3g} to {:.3g}, moved by {:.3g}; {} gradients, {} products",
                  to_string(result.status), result.steps, first_norm, at.gradient_norm, result.distance,
                  result.gradients, result.products);
  x = at.x;
  return result;
}

}  // namespace hesse
