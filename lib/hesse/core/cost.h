/// \file
/// What a run has spent, in the units in which methods are compared.
#pragma once

#include <cstdint>

namespace hesse {

/// Price of one call in gradient equivalents: the cost of value and gradient together on the same
/// samples is 1. A network gives its exact ratios of multiplications; the defaults are those of a
/// generic function under automatic differentiation.
struct CostWeights {
  double value = 0.5;
  double gradient = 1.0;
  double hessian_product = 2.0;       ///< one vector, once linearised
  double gauss_newton_product = 2.0;  ///< likewise; Fisher products cost the same
};

/// Calls, each also weighted by the samples it touched.
struct Cost {
  std::int64_t values = 0;
  std::int64_t gradients = 0;
  std::int64_t linearisations = 0;
  std::int64_t products = 0;  ///< operator times vector; a block of k vectors counts k
  double value_samples = 0;
  double gradient_samples = 0;
  double product_samples = 0;
  /// Sum of weight * samples / total samples over all calls: full-data gradients' worth of work, so
  /// one epoch of stochastic gradients costs 1 however small its batches are.
  double gradient_equivalents = 0;
};

}  // namespace hesse
