/// \file
/// Inverses of symmetric positive definite operators, as operators: by conjugate gradients to a tolerance, by a Neumann
/// series, or exactly where the operator is a shift of one of low rank.
#pragma once

#include "hesse/linalg/operators.h"

#include <memory>

namespace hesse {

/// What solving has come to since the operator was made; an operator has no other way to say that a product is not what
/// it should be.
struct InverseAccuracy {
  Index solves = 0;
  Index failures = 0;         ///< solves that did not reach the tolerance
  double worst_residual = 0;  ///< largest |b - A x| / |b|
  Index products = 0;         ///< with A
};

/// How exactly each solve is made.
struct CgInverseOptions {
  double tolerance = 1e-10;  ///< on |b - A x| / |b|; the product is symmetric to about this
  Index max_iterations = 0;  ///< of each solve; 0: ten times the size
};

/// A^-1 by conjugate gradients, one solve a vector; A has to be positive definite. Where a solve fails (A indefinite,
/// the limit met) the best iterate is the product and `accuracy`, if given, counts it.
OperatorPtr cg_inverse(OperatorPtr A, const CgInverseOptions& options = {},
                       std::shared_ptr<InverseAccuracy> accuracy = nullptr);

/// The Neumann series s sum_{k=0}^{terms} (I - s A)^k, which comes to A^-1 for a positive definite A and 0 < s < 2 /
/// |A| with the error (1 - s lambda)^(terms + 1) on an eigenvalue (relative to 1 / lambda): `terms` products a vector.
/// Throws Error unless s > 0 and terms >= 0.
OperatorPtr neumann_inverse(OperatorPtr A, double s, Index terms);

/// (U diag(d) U' + shift I)^-1 for U with orthonormal columns, exactly (Woodbury): 4 n k flops a vector. Throws Error
/// when an eigenvalue, shift or d_i + shift, is 0 or U is not orthonormal.
OperatorPtr low_rank_shift_inverse(Matrix U, Vector d, double shift);

}  // namespace hesse
