/// \file
/// Numbers that were estimated from random vectors, with their errors.
#pragma once

#include "hesse/core/types.h"

#include <cmath>

namespace hesse {

/// A number that was estimated from random products.
struct Estimate {
  double value = 0;
  double standard_error = 0;
  double lower = 0;  ///< the interval
  double upper = 0;
  Index samples = 0;      ///< figures that the error is from
  Index products = 0;     ///< operator times vector
  bool reached = false;   ///< the tolerance, which ended it; else the products did
  bool is_exact = false;  ///< up to rounding: nothing was estimated
  bool is_finite = true;  ///< false when a product was not: then there is no value
};

/// The mean of independent figures, with its error.
class Mean {
 public:
  void add(double figure) {
    // Welford's update, which loses nothing to cancellation.
    ++n_;
    const double before = figure - mean_;
    mean_ += before / static_cast<double>(n_);
    squares_ += before * (figure - mean_);
  }
  Index count() const { return n_; }
  double value() const { return mean_; }
  double standard_error() const {
    const auto n = static_cast<double>(n_);
    return std::sqrt(squares_ / (n * (n - 1)));
  }

 private:
  Index n_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

/// `scale` (mean + `offset`) with Student's interval. `dependence` is what the mean of the figures varies by beside
/// that of independent ones.
Estimate interval_of(const Mean& mean, double offset = 0, double scale = 1, double dependence = 1);

/// What there is where a product was not finite: NaN throughout.
Estimate without_value(Index products);

}  // namespace hesse
