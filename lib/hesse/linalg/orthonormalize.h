/// \file
/// Q of the QR decomposition by Householder reflections, with R's diagonal made non-negative, so that Q is a continuous
/// function of a matrix of full rank and equals it where that is orthonormal already.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// LAPACK's workspace, kept between calls.
struct OrthonormalizeWorkspace {
  std::vector<double> work;
  std::vector<double> scalars;  ///< of the reflections
  std::vector<double> signs;
  /// Makes room for up to n columns.
  void reserve(Index n);
};

/// Overwrites the columns of A (m x n, m >= n) by orthonormal ones that span the same spaces, first to last; where A
/// has not full rank, those that are missing are some orthonormal completion. By dgeqrf and dorgqr, 8/3 n^3 flops for
/// m = n. False when A is not finite. Throws Error when n > m.
bool orthonormalize(MatrixView A, OrthonormalizeWorkspace& workspace);

}  // namespace hesse
