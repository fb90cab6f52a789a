/// \file
/// How many eigenvalues of a symmetric matrix lie on either side of a number, without computing one of them: by
/// Sylvester's law the factorisation A - t I = L D L' with L unit lower triangular and D block diagonal has as many
/// negative and positive eigenvalues in D as A has below and above t.
///
/// The factorisation is LAPACK's dsytrf (Bunch and Kaufman 1977): n^3 / 3 flops, a twenty-seventh of what all
/// eigenvalues and vectors cost. It is exact for a matrix within c n eps |A| of A (Higham 2002, Theorem 11.4, with the
/// growth of the pivots in c), so that an eigenvalue nearer to t than that may be counted on either side.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// How many eigenvalues lie on either side of t.
struct Inertia {
  Index negative = 0;  ///< eigenvalues below t
  Index zero = 0;      ///< pivots that are exactly 0
  Index positive = 0;
  bool is_finite = true;  ///< false when the matrix is not: then nothing was counted
};

/// Workspace, kept between calls.
struct InertiaWorkspace {
  Matrix factor;
  std::vector<double> work;
  std::vector<int> pivots;
};

/// The inertia of A - t I from the lower triangle of A. Throws Error unless A is square. Runs on the calling thread.
Inertia inertia(const Matrix& A, double t, InertiaWorkspace& workspace);

/// How many eigenvalues lie below -tolerance, within it, and above it: two factorisations.
struct SignCount {
  Index negative = 0;
  Index within = 0;
  Index positive = 0;
  bool is_finite = true;
};
SignCount count_signs(const Matrix& A, double tolerance, InertiaWorkspace& workspace);

/// The bound on the backward error of the counts that Hesse goes by, 10 n eps times a bound on |A|: an eigenvalue is on
/// the side that the count says when it is farther than this from t.
double inertia_error(const Matrix& A);

}  // namespace hesse
