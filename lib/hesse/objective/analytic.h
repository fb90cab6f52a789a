/// \file
/// The classical test functions as formulas for any scalar type, with their minimisers. Each is a
/// functor for FunctorObjective, AdolcObjective and Ceres alike.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// Rosenbrock (1960): (a - x)^2 + b (y - x^2)^2 in two variables; minimum 0 at (a, a^2).
struct Rosenbrock {
  double a = 1;
  double b = 100;
  template <class T>
  T operator()(const T* x) const {
    const T u = a - x[0];
    const T v = x[1] - x[0] * x[0];
    return u * u + b * (v * v);
  }
};

/// The chained form in n variables: sum_i b (x_{i+1} - x_i^2)^2 + (a - x_i)^2; with a = 1 the minimum
/// is 0 at (1, ..., 1). From n = 4 on there is a local minimum near (-1, 1, ..., 1).
struct ChainedRosenbrock {
  Index n = 2;
  double a = 1;
  double b = 100;
  template <class T>
  T operator()(const T* x) const {
    T sum = T(0.0);
    for (Index i = 0; i + 1 < n; ++i) {
      const T u = a - x[i];
      const T v = x[i + 1] - x[i] * x[i];
      sum = sum + u * u + b * (v * v);
    }
    return sum;
  }
};

/// Beale (1958): sum_i (c_i - x (1 - y^i))^2, c = 1.5, 2.25, 2.625; minimum 0 at (3, 1/2).
struct Beale {
  template <class T>
  T operator()(const T* x) const {
    const T y = x[1];
    const T u = 1.5 - x[0] * (1.0 - y);
    const T v = 2.25 - x[0] * (1.0 - y * y);
    const T w = 2.625 - x[0] * (1.0 - y * y * y);
    return u * u + v * v + w * w;
  }
};

/// Himmelblau (1972): (x^2 + y - 11)^2 + (x + y^2 - 7)^2; four minima of value 0.
struct Himmelblau {
  template <class T>
  T operator()(const T* x) const {
    const T u = x[0] * x[0] + x[1] - 11.0;
    const T v = x[0] + x[1] * x[1] - 7.0;
    return u * u + v * v;
  }
};

/// x^4 - 4 x^2 + x: two minima and a maximum, where Newton's plain iteration can be shown to fail.
struct DoubleWell {
  template <class T>
  T operator()(const T* x) const {
    const T square = x[0] * x[0];
    return square * square - 4.0 * square + x[0];
  }
};

/// Styblinski and Tang (1990): 1/2 sum_i (x_i^4 - 16 x_i^2 + 5 x_i); 2^n minima, the lowest at
/// -2.9035... in every coordinate.
struct StyblinskiTang {
  Index n = 2;
  template <class T>
  T operator()(const T* x) const {
    T sum = T(0.0);
    for (Index i = 0; i < n; ++i) {
      const T square = x[i] * x[i];
      sum = sum + 0.5 * (square * square - 16.0 * square + 5.0 * x[i]);
    }
    return sum;
  }
};

/// The global minimisers, to full double precision.
std::vector<Vector> himmelblau_minimisers();
/// Roots of 4 x^3 - 8 x + 1, ascending: minimum (global), maximum, minimum.
Vector double_well_stationary_points();
/// Roots of 4 x^3 - 32 x + 5, ascending, in one coordinate: minimum (global), maximum, minimum.
Vector styblinski_tang_stationary_points();

}  // namespace hesse
