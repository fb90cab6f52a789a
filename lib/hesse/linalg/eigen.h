/// \file
/// Eigenpairs of a symmetric operator, each with its residual |A v - lambda v| recomputed outside the
/// solver.
///
/// Large operators go through the implicitly restarted Lanczos method of Spectra (Sorensen 1992).
/// A Krylov method may lose copies of a multiple eigenvalue and still report success, so the wanted
/// end is searched again with the pairs found so far moved out of the way, from another start, until a
/// search brings nothing new; only then is the multiplicity certified in this sense. `single_search` leaves that out.
///
/// Where the operator may be formed (`inertia_limit`) a proof takes the place of that search's word: orthonormal Ritz
/// vectors with the residual matrix R have as many eigenvalues of A of their own, each within |R|_2 of its Ritz value
/// (Kahan 1967; Parlett 1998, Theorem 11.5.1). Let b lie |R|_2 above the least of them at the upper end: when A has no
/// more eigenvalues above b, by its inertia, than there are Ritz values above b + |R|_2, all of these are taken and
/// none is missing; when it has more than there are Ritz values above b - |R|_2, some are. Between the two nothing is
/// said. Likewise below.
///
/// Small ones are formed and solved densely.
#pragma once

#include "hesse/linalg/linear_operator.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

/// Which eigenpairs, and how exactly.
struct EigenOptions {
  Index largest = 1;        ///< how many from the upper end, >= 0
  Index smallest = 0;       ///< how many from the lower end, >= 0
  double tolerance = 1e-8;  ///< on |A v - lambda v| / |A|, with EigenResult::norm for |A|
  Index max_restarts = 300;
  Index dense_limit = 256;  ///< operators up to this size are formed and solved densely
  /// Larger operators up to this size are formed, n products, and what was found is certified by their inertia, 2/3 n^3
  /// flops (linalg/inertia.h).
  Index inertia_limit = 0;
  /// One search of each end by block Lanczos in place of Spectra's and of the second one: a fifth of the products at a
  /// loose tolerance. The block is as wide as pairs are wanted, which finds their copies, but nothing certifies it; its
  /// products alone tell whether the operator is symmetric.
  bool single_search = false;
  /// On |u'Av - v'Au| / (|u| |v| |A|), for three random pairs; of single_search for all pairs of its basis.
  double asymmetry_tolerance = 1e-6;
  std::uint64_t seed = 0;  ///< of the start vectors
};

/// How the search for eigenpairs ended.
enum class EigenStatus {
  converged,      ///< every wanted pair within the tolerance
  not_converged,  ///< some residuals exceed it; what there is is returned
  non_finite,     ///< a product was not finite
};

/// Eigenpairs with their residuals.
struct EigenPairs {
  Vector values;     ///< descending
  Matrix vectors;    ///< one column each, orthonormal
  Vector residuals;  ///< |A v - lambda v|_2
};

/// The eigenpairs of both ends, and what is known of those between.
struct EigenResult {
  EigenStatus status = EigenStatus::converged;
  EigenPairs largest;
  EigenPairs smallest;
  bool multiplicity_certified = false;  ///< proved, or the search for lost copies came to its end
  bool proved = false;                  ///< by a dense solve, or by inertia
  double norm = 0;                      ///< |A|: the largest |lambda| found and |A v| / |v| met on the way to it
  Index products = 0;
  std::string message;  ///< what did not converge or was not finite
};

/// Throws Error on impossible options (more pairs than the size) and when the operator is not
/// symmetric to its tolerance.
EigenResult extreme_eigenpairs(const LinearOperator& A, const EigenOptions& options);

/// Whether n pairs are found by forming A, and else how many vectors Spectra's basis for `pairs` at one end has.
bool solved_densely(Index n, const EigenOptions& options);
Index search_basis(Index n, Index pairs);

/// What to allow of asymmetry() where products round to `noise`, relative: a hundred of their roundings, and 1e-10 in
/// double, which leaves room for cancellation.
double allowed_asymmetry(double noise);

/// max |u'Av - v'Au| / (|u| |v| |A|) over three random pairs, with |A| estimated from |Au| / |u|;
/// rounding alone gives about the precision of a product. NaN when a product is not finite.
double asymmetry(const LinearOperator& A, std::uint64_t seed);

/// LAPACK's workspace, kept between calls.
struct SymmetricEigenWorkspace {
  std::vector<double> work;
  std::vector<int> integers;
  /// Makes room for matrices of up to n x n.
  void reserve(Index n);
};

/// All eigenvalues, ascending, and orthonormal eigenvectors of a dense symmetric matrix (its lower
/// triangle) by LAPACK's dsyevd. 9 n^3 flops. False when A is not finite. Throws Error beyond n = 32766, where the size
/// of LAPACK's workspace is no integer of 32 bits.
bool symmetric_eigen(const Matrix& A, Vector& values, Matrix& vectors);
/// The same, allocating nothing once it has been called with this size.
bool symmetric_eigen(const Matrix& A, Vector& values, Matrix& vectors, SymmetricEigenWorkspace& workspace);
/// The same with the eigenvectors written over A.
bool symmetric_eigen_in_place(MatrixView A, VectorView values, SymmetricEigenWorkspace& workspace);

/// A as a dense matrix by products with the identity. Throws Error, before the first of them, where `copies` matrices
/// of its size are more than the memory that there is.
Matrix to_dense(const LinearOperator& A, double copies = 1);

}  // namespace hesse
