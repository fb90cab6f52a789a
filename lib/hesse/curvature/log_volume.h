/// \file
/// How much room a minimum has: the volume of the ellipsoid in which f, to second order, rises by no more than c.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/spectral_density.h"

namespace hesse {

/// What one eigenvalue adds to log det(H_+ + delta I), H_+ the positive part of H: log(max(lambda, 0) + delta).
///
/// The ellipsoid { z : 1/2 z'(H_+ + delta I) z <= c } in R^n has the volume V with
///
///     log V = log V_n + n/2 log(2 c) - 1/2 log det(H_+ + delta I),   V_n = pi^(n/2) / Gamma(n/2 + 1)
///
/// of which the last term is what depends on the point. delta > 0 sets what counts as flat: without it one eigenvalue
/// of 0 makes the volume infinite. Along a direction with lambda << delta the half-axis is sqrt(2 c / delta) whatever
/// lambda, so that small eigenvalues and their errors hardly count, and those of negative curvature, along which the
/// set is not bounded at all, count as flat; with lambda >> delta it is that of H. Volumes compare only at one delta,
/// and for one n.
double log_determinant_term(double lambda, double delta);

/// -1/2 log det(H_+ + delta I) from quadratures of H, with Student's interval over the probes; what their steps do not
/// resolve is not in it. Throws Error unless delta > 0.
Estimate log_volume(const SpectralDensity& density, double delta);
/// The same, exactly, from all eigenvalues.
Estimate log_volume(const Vector& eigenvalues, double delta);

}  // namespace hesse
