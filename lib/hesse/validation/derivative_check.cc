#include "hesse/validation/derivative_check.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

DerivativeCheck check_derivatives(Objective& f, const Vector& x, const DerivativeCheckOptions& options) {
  if (options.directions < 1) fail("derivative check: {} directions; give at least 1", options.directions);
  if (x.size() != f.size())
    fail("derivative check: a point of {} parameters for an objective of {}", x.size(), f.size());
  const Index n = x.size();
  Vector g, plus, minus, difference(n), Hv(n), v(n), trial(n);
  f.value_and_gradient(x, g);
  const auto H = f.curvature(x, Curvature::hessian);
  const double g_norm = norm(g);
  const double scale = std::max(1.0, norm(x));

  DerivativeCheck check;
  std::vector<double> steps;
  for (double h = 1e-1; h > 0.9e-13; h /= 10) steps.push_back(h);
  const auto count = static_cast<std::size_t>(options.directions);
  std::vector<std::vector<double>> gradient_errors(steps.size(), std::vector<double>(count));
  std::vector<std::vector<double>> product_errors = gradient_errors;
  double largest_discrepancy = -1;
  for (std::size_t d = 0; d < count; ++d) {
    RandomStream(options.seed, Purpose::probe, d).fill_normal(v);
    v /= norm(v);
    H->apply(v, Hv);
    const double slope = dot(g, v);
    const double Hv_norm = norm(Hv);
    double best_gradient = std::numeric_limits<double>::infinity();
    double best_product = best_gradient;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const double h = steps[i] * scale;
      trial = x + h * v;
      const double f_plus = f.value_and_gradient(trial, plus);
      trial = x - h * v;
      const double f_minus = f.value_and_gradient(trial, minus);
      const double central = (f_plus - f_minus) / (2 * h);
      difference = (plus - minus) / (2 * h) - Hv;
      // Errors are relative to |g| and |Hv|; at a stationary or flat point they are absolute.
      gradient_errors[i][d] = std::abs(central - slope) / (g_norm > 0 ? g_norm : 1);
      product_errors[i][d] = norm(difference) / (Hv_norm > 0 ? Hv_norm : 1);
      best_gradient = std::min(best_gradient, gradient_errors[i][d]);
      if (product_errors[i][d] < best_product) {
        best_product = product_errors[i][d];
        for (const ParameterBlock& block : f.layout().blocks()) {
          const double part = difference.segment(block.offset, block.size).norm();
          if (part > largest_discrepancy) {
            largest_discrepancy = part;
            check.worst_block = block.name;
          }
        }
      }
    }
    check.gradient_error = std::max(check.gradient_error, best_gradient);
    check.product_error = std::max(check.product_error, best_product);
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto median = [](std::vector<double>& errors) {
      std::sort(errors.begin(), errors.end());
      return errors[errors.size() / 2];
    };
    check.sweep.push_back({steps[i], median(gradient_errors[i]), median(product_errors[i])});
  }
  check.asymmetry = asymmetry(*H, options.seed);
  check.gradient_good = check.gradient_error <= options.gradient_threshold;
  check.product_good = check.product_error <= options.product_threshold;
  check.symmetric = check.asymmetry <= options.symmetry_threshold;
  return check;
}

}  // namespace hesse
