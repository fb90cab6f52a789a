/// \file
/// Backtracking from a first step until f has fallen enough (Armijo 1966),
///
///     f(x + a d) <= R + ftol a g'd,
///
/// the next step by the minimiser of the quadratic, then of the cubic through what is known, kept within [1/10, 1/2] of
/// the last (Dennis and Schnabel 1983, Algorithm A6.3.1). R is f(x), or in the non-monotone forms the greatest of the
/// last M values (Grippo, Lampariello and Lucidi 1986) or their running mean with weight eta of the past (Zhang and
/// Hager 2004, eq. (1.6)). Where the decrease drowns in the rounding of f, slopes decide as in line_search.h. Each
/// trial costs one value and gradient, so that the accepted point is evaluated once.
#pragma once

#include "hesse/optim/globalization/line_search.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

/// R, the value from which a decrease is asked for.
class NonmonotoneReference {
 public:
  /// `memory` M >= 1: the greatest of the last M values, f(x) itself for 1; with eta > 0 instead the mean of Zhang and
  /// Hager.
  NonmonotoneReference(Index memory, double eta) : eta_(eta), recent_(Vector::Zero(memory)) {}

  /// R at a point of value f, which the last accepted step led to unless another value is known of it.
  double at(double f);
  /// Told of the value at the next point.
  void accept(double f);
  StateView state() {
    return {
        {"recent_values", &recent_}, {"accepted_steps", &count_}, {"mean_value", &mean_}, {"mean_weight", &weight_}};
  }

 private:
  double eta_;
  Vector recent_;           // a ring
  std::int64_t count_ = 0;  // values told so far
  double mean_ = 0;         // C of Zhang and Hager
  double weight_ = 0;       // Q
};

/// When a step is short enough.
struct BacktrackingOptions {
  double ftol = 1e-4;  ///< sufficient decrease, (0, 1/2)
  Index max_evaluations = 60;
};

/// Searches from x along d, where f, slope = g'd < 0 and the reference R are known; see line_search().
LineSearchResult backtrack(Objective& f, const Vector& x, const Vector& d, double value, double slope, double reference,
                           double first_step, const BacktrackingOptions& options, Vector& x_new, Vector& g_new);

}  // namespace hesse
