#include "hesse/curvature/spectrum.h"

#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

TEST_CASE("the extreme spectrum of a rotated quadratic is the one that was chosen") {
  const Vector values = logarithmic_spectrum(400, 1e3);
  Quadratic f(values, Vector::Ones(400), 4, 3);
  SpectrumOptions options;
  options.eigen.largest = 3;
  options.eigen.smallest = 1;
  options.eigen.tolerance = 1e-6;
  options.eigen.max_restarts = 2000;
  const Spectrum spectrum = extreme_spectrum(f, Vector::Zero(400), options);
  CAPTURE(spectrum.eigen.message);
  CHECK(spectrum.eigen.status == EigenStatus::converged);
  for (Index i = 0; i < 3; ++i) {
    CHECK(std::abs(spectrum.eigen.largest.values[i] - values[399 - i]) <= spectrum.eigen.largest.residuals[i] + 1e-14);
  }
  CHECK(std::abs(spectrum.eigen.smallest.values[0] - values[0]) <= spectrum.eigen.smallest.residuals[0] + 1e-14);
  CHECK(spectrum.value == Approx(f.value(Vector::Zero(400))));
}

TEST_CASE("a point that is not finite is named") {
  FunctorObjective<Rosenbrock> f({}, 2);
  const Spectrum spectrum = extreme_spectrum(f, Eigen::Vector2d(std::nan(""), 1), {});
  CHECK(spectrum.eigen.status == EigenStatus::non_finite);
  CHECK(spectrum.eigen.message == "parameter x[0] is nan");
}
