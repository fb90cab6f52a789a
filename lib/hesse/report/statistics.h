/// \file
/// Median and quartiles of a few runs, with failures in plain sight.
#pragma once

#include "hesse/core/types.h"

#include <span>
#include <vector>

namespace hesse {

/// The p-quantile of sorted numbers by definition 7 of Hyndman and Fan (1996), the default of R and
/// NumPy: linear between the order statistics at h = (n - 1) p. NaN when there are none. A quantile
/// between a finite number and an infinity is that infinity.
double quantile(std::span<const double> sorted, double p);

/// What to do with a run that ended in NaN or infinity.
enum class Failures {
  as_worst,  ///< it ranks as +infinity, so that a method that fails half the time has an infinite median
  excluded,  ///< the quantiles are those of the other runs; the count still shows it
};

/// A sample of runs.
struct SampleSummary {
  Index n = 0;         ///< all runs, failures included
  Index failures = 0;  ///< those that are NaN or infinite
  double median = 0;   ///< NaN, as all below, when nothing is left to rank
  double lower_quartile = 0;
  double upper_quartile = 0;
  double least = 0;
  double greatest = 0;
};

/// Summarises figures of which smaller is better, or greater when `higher_is_better`: a failure then
/// ranks as -infinity.
SampleSummary summarise(std::span<const double> values, Failures failures = Failures::as_worst,
                        bool higher_is_better = false);

}  // namespace hesse
