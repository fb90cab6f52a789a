/// \file
/// What random products tell of a symmetric operator as a whole: its trace and its Frobenius norm, each with the
/// standard error of the estimate and an interval that covers the exact value in 95 of 100 cases.
///
///     hutchinson   the mean of z'A z over random signs z (Hutchinson 1990); variance 2 (|A|_F^2 - sum a_ii^2) a probe
///     hutch++      tr(Q'A Q) for a basis Q of A S, S random signs, exactly, and Hutchinson's estimate of what is off Q
///                  (Meyer, Musco, Musco and Woodruff 2021, Algorithm 1): error of order 1 / products
///     xtrace       the same with every test vector in both parts, left out of the basis in turn (Epperly, Tropp and
///                  Webber 2024, section 2): for each of k Gaussian vectors w, Q_w the basis of A times all others,
///
///                      tr(Q_w'A Q_w) + (n - k + 1) u'A u / |u|^2,   u = w - Q_w Q_w'w
///
///                  and their mean, which uses every product twice. The authors' error takes the k figures for
///                  independent, which they are not: over spectra from flat to k^-2, 120 to 1500 variables and 12 to 30
///                  vectors their mean varies by 1.02 to 1.50 times as much, and the intervals cover 90 to 95 in 100.
///                  The error here has a factor of sqrt(1.3), with which they cover 93 to 97
///
/// Intervals are Student's. Where n products are within the limit, both are formed exactly, with no error.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/probes.h"
#include "hesse/linalg/linear_operator.h"

namespace hesse {

enum class TraceMethod { hutchinson, hutch_pp, xtrace };

/// What estimate_trace() is asked for.
struct TraceOptions : EstimateOptions {
  TraceMethod method = TraceMethod::hutch_pp;
};

/// The trace of A. n (k + block) numbers of memory and 4 n k^2 flops for a basis of k vectors, a third
/// of the products with hutch++ and half of them with xtrace. Throws Error on impossible options.
Estimate estimate_trace(const LinearOperator& A, const TraceOptions& options);

/// |A|_F^2 = tr(A^2), as the mean of |A z|^2 over random signs z.
Estimate estimate_frobenius_square(const LinearOperator& A, const EstimateOptions& options);

}  // namespace hesse
