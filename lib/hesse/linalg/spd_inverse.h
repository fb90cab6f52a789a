/// \file
/// Inverses of damped symmetric positive semidefinite matrices, as preconditioners need them.
#pragma once

#include "hesse/core/types.h"
#include "hesse/linalg/eigen.h"

#include <vector>

namespace hesse {

/// How an inversion ended.
enum class InverseStatus {
  by_cholesky,
  by_eigenvalues,  ///< the Cholesky factorisation broke down: eigenvalues below the rounding of the largest are lifted
  non_finite,      ///< the matrix was not finite; the inverse is unchanged
};

/// What an inversion came to.
struct InverseReport {
  InverseStatus status = InverseStatus::by_cholesky;
  double condition = 0;  ///< |M|_1 |M^-1|_1 of the damped matrix, which bounds its condition in the 2-norm
};

/// Workspace, kept between calls.
struct InverseWorkspace {
  std::vector<double> matrix;
  std::vector<double> values;
  SymmetricEigenWorkspace eigen;
};

/// Writes (A + shift I)^-1, all of it, from the upper triangle of A, shift >= 0. n^3 flops by Cholesky's factorisation
/// (LAPACK's dpotrf and dpotri); where that meets a pivot that is not positive, 9 n^3 and more by eigenvalues, of which
/// those below n eps |A| count as n eps |A|, so that no inverse is ever infinite or indefinite. Runs on the calling
/// thread, and allocates nothing once it has been called with this size or a larger one.
InverseReport spd_inverse(const Matrix& A, double shift, Matrix& inverse, InverseWorkspace& workspace);

}  // namespace hesse
