/// \file
/// The diagonal of a symmetric operator from random products, each entry with its standard error.
///
///     hutchinson   the mean of z * (A z), entry by entry, over random signs z (Bekas, Kokiopoulou and Saad 2007),
///                  which is unbiased; variance sum_{j != i} a_ij^2 a probe, so exact for a diagonal A
///     diag++       exactly on a basis Q of A S, S random signs, and Hutchinson's estimate of what is off Q on both
///     sides
///
///                      diag(P A) + diag(A P) - diag(P A P) + mean of z * ((I - P) A (I - P) z),   P = QQ'
///
///                  for further vectors z of signs (after Baston and Nakatsukasa 2022, who leave the right side as it
///                  is), which is unbiased too, and the better the faster the eigenvalues decay
///
/// The z are independent of Q and of each other, so that Student's intervals hold. XDiag (Epperly, Tropp and Webber
/// 2024), which uses every product twice, is no more accurate: with eigenvalues k^-1/2, k^-1 and k^-2, 400 variables
/// and 100 products its errors are 1.2, 1.05 and 0.8 times those of diag++, and its figures depend on each other, so
/// that its own errors are too small by up to a third.
#pragma once

#include "hesse/curvature/probes.h"
#include "hesse/linalg/linear_operator.h"

namespace hesse {

/// By which estimator.
enum class DiagonalMethod { hutchinson, diag_pp };

/// Tolerances are on |standard errors|_2, relative to |diagonal|_2 or as it is.
struct DiagonalOptions : EstimateOptions {
  DiagonalMethod method = DiagonalMethod::diag_pp;
};

/// Every entry of a diagonal with its error.
struct EstimatedDiagonal {
  Vector values;
  Vector standard_errors;
  Index products = 0;
  bool reached = false;   ///< the tolerance, which ended it; else the products did
  bool is_exact = false;  ///< up to rounding
  bool is_finite = true;  ///< false when a product was not
};

/// diag(A) by n products with unit vectors, `block` >= 1 at a time.
EstimatedDiagonal exact_diagonal(const LinearOperator& A, Index block = 10);

/// diag(A). Where n products are within the limit, exactly. 4 n numbers of memory beside a block's, with diag++ 3 n k
/// and 12 n k^2 flops. Throws Error on impossible options.
EstimatedDiagonal estimate_diagonal(const LinearOperator& A, const DiagonalOptions& options);

}  // namespace hesse
