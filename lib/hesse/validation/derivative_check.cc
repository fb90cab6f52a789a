#include "hesse/validation/derivative_check.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

/// An error relative to `norm`, absolute at a stationary or flat point, and infinite where it is not a number.
double relative(double error, double norm) {
  const double ratio = norm > 0 ? error / norm : error;
  return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
}

}  // namespace

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
  for (std::size_t d = 0; d < count; ++d) {
    RandomStream(options.seed, Purpose::probe, d).fill_normal(v);
    v /= norm(v);
    H->apply(v, Hv);
    const double slope = dot(g, v);
    const double Hv_norm = norm(Hv);
    double best_gradient = std::numeric_limits<double>::infinity();
    double best_product = best_gradient;
    std::string worst_block;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const double h = steps[i] * scale;
      trial = x + h * v;
      const double f_plus = f.value_and_gradient(trial, plus);
      trial = x - h * v;
      const double f_minus = f.value_and_gradient(trial, minus);
      const double central = (f_plus - f_minus) / (2 * h);
      difference = (plus - minus) / (2 * h) - Hv;
      gradient_errors[i][d] = relative(std::abs(central - slope), g_norm);
      product_errors[i][d] = relative(norm(difference), Hv_norm);
      best_gradient = std::min(best_gradient, gradient_errors[i][d]);
      if (product_errors[i][d] < best_product) {
        best_product = product_errors[i][d];
        double largest_part = -1;
        for (const ParameterBlock& block : f.layout().blocks()) {
          const double part = difference.segment(block.offset, block.size).norm();
          if (part > largest_part) {
            largest_part = part;
            worst_block = block.name;
          }
        }
      }
    }
    check.gradient_error = std::max(check.gradient_error, best_gradient);
    if (!(best_product <= check.product_error) || d == 0) {
      check.product_error = best_product;
      check.worst_block = worst_block;
    }
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
