#include "hesse/curvature/estimate.h"

#include <boost/math/distributions/students_t.hpp>

#include <limits>

namespace hesse {

Estimate interval_of(const Mean& mean, double offset, double scale, double dependence) {
  Estimate estimate;
  estimate.value = scale * (offset + mean.value());
  estimate.standard_error = std::abs(scale) * std::sqrt(dependence) * mean.standard_error();
  estimate.samples = mean.count();
  const boost::math::students_t distribution(static_cast<double>(mean.count() - 1));
  const double half = boost::math::quantile(distribution, 0.975) * estimate.standard_error;
  estimate.lower = estimate.value - half;
  estimate.upper = estimate.value + half;
  return estimate;
}

Estimate without_value(Index products) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Estimate estimate;
  estimate.value = estimate.standard_error = estimate.lower = estimate.upper = nan;
  estimate.products = products;
  estimate.is_finite = false;
  return estimate;
}

}  // namespace hesse
