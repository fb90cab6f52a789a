#include "hesse/optim/constrained/projected.h"

#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

namespace hesse {
namespace {

/// Shifted until it is positive definite: the direction -(H + tau I)^-1 g.
Vector newton_direction(Matrix H, const Vector& g) {
  const double size = std::max(1e-12, H.cwiseAbs().maxCoeff());
  double shift = 0;
  const double least = H.diagonal().minCoeff();
  if (least <= 0) shift = -least + 1e-3 * size;
  for (;;) {
    const Eigen::LLT<Matrix> factor(H + shift * Matrix::Identity(H.rows(), H.cols()));
    if (factor.info() == Eigen::Success) {
      Vector d = -factor.solve(g);
      if (d.allFinite()) return d;
    }
    // Nocedal and Wright (2006), Algorithm 3.3.
    shift = std::max(2 * shift, 1e-3 * size);
  }
}

/// The two-loop recursion on the free variables alone.
Vector lbfgs_direction(const std::deque<std::pair<Vector, Vector>>& pairs, const Vector& g,
                       const std::vector<bool>& held) {
  const auto masked = [&](Vector v) {
    for (Index i = 0; i < v.size(); ++i) {
      if (held[static_cast<std::size_t>(i)]) v[i] = 0;
    }
    return v;
  };
  Vector q = masked(g);
  std::vector<double> alphas(pairs.size(), 0);
  double scale = 1;
  for (std::size_t k = pairs.size(); k-- > 0;) {
    const Vector s = masked(pairs[k].first);
    const Vector y = masked(pairs[k].second);
    const double sy = s.dot(y);
    if (!(sy > 1e-10 * s.norm() * y.norm())) continue;
    if (scale == 1) scale = sy / y.squaredNorm();
    alphas[k] = s.dot(q) / sy;
    q -= alphas[k] * y;
  }
  q *= scale;
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const Vector s = masked(pairs[k].first);
    const Vector y = masked(pairs[k].second);
    const double sy = s.dot(y);
    if (!(sy > 1e-10 * s.norm() * y.norm())) continue;
    q += (alphas[k] - y.dot(q) / sy) * s;
  }
  return -q;
}

}  // namespace

const char* to_string(ConstrainedStatus status) {
  switch (status) {
    case ConstrainedStatus::converged: return "converged";
    case ConstrainedStatus::rounding: return "rounding";
    case ConstrainedStatus::iterations: return "iterations";
    case ConstrainedStatus::failed: return "failed";
  }
  return "unknown";
}

ProjectedResult projected_gradient(Objective& f, const Projection& project, Vector& x,
                                   const ProjectedOptions& options) {
  // gamma, alpha_min, alpha_max, sigma1, sigma2 of the paper.
  constexpr double kDecrease = 1e-4;
  constexpr double kLeast = 1e-30;
  constexpr double kMost = 1e30;
  ProjectedResult result;
  project(x);
  Vector g;
  Vector next_gradient;
  double value = f.value_and_gradient(x, g);
  result.evaluations = 1;
  std::deque<double> recent = {value};
  Vector best = x;
  double best_value = value;
  const auto optimality_at = [&](const Vector& point, const Vector& gradient) {
    Vector p = point - gradient;
    project(p);
    return (p - point).cwiseAbs().maxCoeff();
  };
  result.optimality = optimality_at(x, g);
  double alpha = result.optimality > 0 ? std::clamp(1 / result.optimality, kLeast, kMost) : 1.0;
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    if (!std::isfinite(value) || !g.allFinite()) {
      result.status = ConstrainedStatus::failed;
      result.message = "the value or the gradient is not finite";
      break;
    }
    if (result.optimality <= options.tolerance) {
      result.status = ConstrainedStatus::converged;
      break;
    }
    Vector d = x - alpha * g;
    project(d);
    d -= x;
    const double slope = g.dot(d);
    const double ceiling = *std::max_element(recent.begin(), recent.end());
    double lambda = 1;
    double trial = 0;
    Vector candidate = x;
    bool accepted = false;
    for (int search = 0; search < 60 && !accepted; ++search) {
      candidate = x + lambda * d;
      trial = f.value_and_gradient(candidate, next_gradient);
      ++result.evaluations;
      // Near the end the decrease is below the rounding of f; the slack is that rounding.
      accepted = trial <= ceiling + kDecrease * lambda * slope + f.value_noise() * std::abs(value);
      if (!accepted) {
        const double quadratic = -0.5 * lambda * lambda * slope / (trial - value - lambda * slope);
        lambda = quadratic >= 0.1 * lambda && quadratic <= 0.9 * lambda ? quadratic : 0.5 * lambda;
      }
    }
    if (!accepted || candidate == x) {
      result.status = ConstrainedStatus::rounding;
      result.message = "no decrease can be told from rounding";
      break;
    }
    const Vector s = candidate - x;
    const Vector y = next_gradient - g;
    x = candidate;
    value = trial;
    std::swap(g, next_gradient);
    if (value < best_value) {
      best_value = value;
      best = x;
    }
    recent.push_back(value);
    if (static_cast<Index>(recent.size()) > std::max<Index>(1, options.memory)) recent.pop_front();
    const double sy = s.dot(y);
    result.optimality = optimality_at(x, g);
    // The paper takes the greatest rate where the curvature is not positive. Where the set is not bounded no search
    // comes back from such a step; this one is as long as the iterate.
    alpha = sy > 0 ? s.squaredNorm() / sy : std::max(1.0, x.cwiseAbs().maxCoeff()) / result.optimality;
    alpha = std::clamp(alpha, kLeast, kMost);
  }
  if (result.status != ConstrainedStatus::converged && best_value < value) {
    x = best;
    value = f.value_and_gradient(x, g);
    result.optimality = optimality_at(x, g);
  }
  result.value = value;
  return result;
}

ProjectedResult projected_newton(Objective& f, const Vector& lower, const Vector& upper, Vector& x,
                                 const ProjectedOptions& options) {
  constexpr double kDecrease = 1e-4;
  const Projection project = box_projection(lower, upper);
  const Index n = x.size();
  const bool newton = !options.quasi_newton && n <= options.dense_limit;
  ProjectedResult result;
  project(x);
  Vector g;
  double value = f.value_and_gradient(x, g);
  result.evaluations = 1;
  std::deque<std::pair<Vector, Vector>> pairs;
  std::vector<bool> held(static_cast<std::size_t>(n));
  const auto optimality_at = [&] {
    Vector p = x - g;
    project(p);
    return (p - x).cwiseAbs().maxCoeff();
  };
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    if (!std::isfinite(value) || !g.allFinite()) {
      result.status = ConstrainedStatus::failed;
      result.message = "the value or the gradient is not finite";
      break;
    }
    result.optimality = optimality_at();
    if (result.optimality <= options.tolerance) {
      result.status = ConstrainedStatus::converged;
      break;
    }
    // Variables near a bound that the gradient pushes against are held, lest the step zigzag along it.
    const double near = std::min(1e-3, result.optimality);
    std::vector<Index> free;
    for (Index i = 0; i < n; ++i) {
      const bool at_lower = x[i] <= lower[i] + near && g[i] > 0;
      const bool at_upper = x[i] >= upper[i] - near && g[i] < 0;
      held[static_cast<std::size_t>(i)] = at_lower || at_upper;
      if (!held[static_cast<std::size_t>(i)]) free.push_back(i);
    }
    Vector d = -g;
    if (!free.empty()) {
      if (newton) {
        const Matrix H = to_dense(*f.curvature(x, Curvature::hessian));
        d(free) = newton_direction(H(free, free), g(free));
      } else {
        const Vector step = lbfgs_direction(pairs, g, held);
        d(free) = step(free);
      }
    }
    const double free_slope = free.empty() ? 0.0 : Vector(g(free)).dot(Vector(d(free)));
    double alpha = 1;
    double trial = 0;
    Vector candidate;
    Vector next_gradient;
    bool accepted = false;
    for (int search = 0; search < 60 && !accepted; ++search, alpha *= 0.5) {
      candidate = x + alpha * d;
      project(candidate);
      trial = f.value_and_gradient(candidate, next_gradient);
      ++result.evaluations;
      double held_fall = 0;
      for (Index i = 0; i < n; ++i) {
        if (held[static_cast<std::size_t>(i)]) held_fall += g[i] * (x[i] - candidate[i]);
      }
      accepted = value - trial >= kDecrease * (held_fall - alpha * free_slope) - f.value_noise() * std::abs(value);
    }
    if (!accepted || candidate == x) {
      result.status = ConstrainedStatus::rounding;
      result.message = "no decrease can be told from rounding";
      break;
    }
    if (!newton) {
      pairs.emplace_back(candidate - x, next_gradient - g);
      if (static_cast<Index>(pairs.size()) > std::max<Index>(1, options.memory)) pairs.pop_front();
    }
    x = candidate;
    value = trial;
    std::swap(g, next_gradient);
  }
  result.value = value;
  result.optimality = optimality_at();
  return result;
}

}  // namespace hesse
