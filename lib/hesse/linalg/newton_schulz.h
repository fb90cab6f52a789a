/// \file
/// The polar factor U V' of X = U Sigma V' by products alone: each iteration maps every singular value by one odd
/// polynomial of degree five,
///
///     G = X X' or X'X, the smaller,   X <- (a I + b G + c G^2) X,   sigma <- a sigma + b sigma^3 + c sigma^5,
///
/// from X / (|X|_F + eps). Schedules of (a, b, c), the last of which repeats:
///
///     muon           (3.4445, -4.7750, 2.0315): K. Jordan (2024); slope 485 at 0 in five, but 1 is no fixed point
///     modular        (3, -16/5, 6/5): Bernstein and Newhouse (2024); 1 is an attracting fixed point, slope 243
///     classical      (15/8, -10/8, 3/8): Newton and Schulz; converges to 1 with order three, slope 23
///     dion           five that differ, by Jiacheng You, as in Ahn et al. (2025)
///     polar-express  eight that differ, each the best for the interval that the last left: Amsel et al. (2025),
///                    Algorithm 1, with its safety factor 1.01
///
/// What the five iterations of `muon` leave of sigma in [0.01, 1] is in [0.681, 1.135], of `dion` in [0.97, 1.04]; they
/// are no decomposition, and whoever needs U V' to rounding takes `classical` until it has converged. Where the share
/// of a singular value in |X|_F is below about 1/slope it stays below 1.
#pragma once

#include "hesse/core/types.h"

#include <span>
#include <vector>

namespace hesse {

/// a sigma + b sigma^3 + c sigma^5.
struct QuinticCoefficients {
  double a;
  double b;
  double c;
};

enum class PolarSchedule { muon, modular, classical, dion, polar_express };

/// The coefficients of iterations 1, 2, ...; the last repeats.
std::span<const QuinticCoefficients> polar_schedule(PolarSchedule schedule);

/// Which iteration, and how often.
struct NewtonSchulzOptions {
  PolarSchedule schedule = PolarSchedule::muon;
  Index steps = 5;    ///< >= 1
  double eps = 1e-7;  ///< added to the norm that X is divided by, >= 0; below it X is taken for 0
};

/// Kept between calls: two Gram matrices and one more X.
template <class T>
struct NewtonSchulzWorkspace {
  std::vector<T> gram;
  std::vector<T> polynomial;
  std::vector<T> product;
  void reserve(Index rows, Index columns);
};

/// Writes the approximate polar factor of A to X, both rows x columns, column-major and without gaps; X may be A where
/// T is double. That of 0 is 0. Products are made in T, float or double, whose rounding the schedule's slope
/// multiplies, and split over the threads. With r <= s the sides, 3 r^2 s + r^3 flops an iteration. False when A is not
/// finite, and then X is left as it is.
template <class T>
bool newton_schulz(Index rows, Index columns, const double* A, T* X, const NewtonSchulzOptions& options,
                   NewtonSchulzWorkspace<T>& workspace);

}  // namespace hesse
