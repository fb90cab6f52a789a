/// \file
/// Inverse roots X = (A + ridge I)^(-1/p) of a symmetric positive semidefinite matrix, each with the residual
/// max |X^p (A + ridge I) - I| of the root that is returned, formed from X and A alone.
///
///     eigen   A = Q Lambda Q', X = Q (Lambda + ridge)^(-1/p) Q'; any real p > 0
///     newton  the coupled Newton iteration of Iannazzo (2006), as Anil et al. (2020) use it, for whole p:
///
///             M_0 = z (A + ridge I), X_0 = z^(1/p) I, z = (1 + p) / (2 |A + ridge I|)
///             T = ((p + 1) I - M) / p,   X <- X T,   M <- T^p M
///
/// The iteration carries M = X^p A along as a quantity of its own, which rounding separates from X, so that M near I
/// proves nothing of X: published code has returned roots that were 19 % off while it reported 5e-7. A root by Newton
/// whose residual is above the bound is therefore replaced by that of the decomposition.
///
/// Rounding alone leaves a residual of up to about eps cond, since X^p spans the range of A^-1; the bound that a root
/// is held to is the tolerance, or 16 eps cond where that is more. Costs: 9 n^3 flops for the decomposition, n^3 for X
/// and about (1 + log2 p) n^3 for the residual; Newton takes some ln cond + 8 iterations of about (3 + log2 p) n^3, and
/// three to eight times as long as the decomposition for n of 50 to 500.
#pragma once

#include "hesse/linalg/eigen.h"

#include <string>

namespace hesse {

enum class RootMethod { eigen, newton };

/// How an inverse root is computed, and how exactly.
struct InverseRootOptions {
  RootMethod method = RootMethod::eigen;
  double ridge = 0;             ///< added to the diagonal, >= 0
  bool relative_ridge = false;  ///< times the largest eigenvalue (by Newton: its estimate from powers of A)
  double tolerance = 1e-8;      ///< on the residual, > 0
  Index max_iterations = 100;   ///< of Newton's
};

/// How the computation of a root ended.
enum class RootStatus {
  ok,          ///< the residual is within the bound
  inaccurate,  ///< it is not; X is the best that was found, and finite
  zero,        ///< A + ridge I is 0; X = I
  non_finite,  ///< A is not finite, or X leaves the range of doubles; X = I
};

/// What the computation of a root came to.
struct InverseRootReport {
  RootStatus status = RootStatus::ok;
  RootMethod method = RootMethod::eigen;  ///< that X comes from
  bool fallback = false;                  ///< Newton was asked for and failed
  double residual = 0;                    ///< max |X^p (A + ridge I) - I|; infinite where X is I for want of a root
  double bound = 0;                       ///< what the residual was held to
  double condition = 1;                   ///< of A + ridge I; an upper bound where the method is Newton
  double ridge = 0;                       ///< added to the diagonal
  Index iterations = 0;                   ///< of Newton's, whether it failed or not
};

/// One sentence with the numbers.
std::string describe(const InverseRootReport& report);

/// Kept between calls; after a root by decomposition its first n x n entries and n values are Q and the eigenvalues of
/// A + ridge I, ascending.
struct InverseRootWorkspace {
  std::vector<double> basis;
  std::vector<double> values;
  std::vector<double> squares[3];  ///< n x n each
  std::vector<double> newton[2];   ///< likewise, for Newton's method
  std::vector<double> product;     ///< a vector, likewise
  SymmetricEigenWorkspace eigen;
  /// Makes room for matrices of up to n x n; nothing is allocated for them afterwards.
  void reserve(Index n, RootMethod method);
};

/// Writes the root of A (both halves of it) into X. Throws Error on p <= 0, a p that is not whole with Newton's method,
/// or sizes that do not fit. Where p is not whole, the residual is that of the decomposition:
/// max |A Q - Q Lambda| / |A| + max |Q'Q - I|.
InverseRootReport inverse_root(ConstMatrixView A, double p, const InverseRootOptions& options, MatrixView X,
                               InverseRootWorkspace& workspace);
InverseRootReport inverse_root(ConstMatrixView A, double p, const InverseRootOptions& options, Matrix& X);

/// Eigenvalues of a positive semidefinite matrix made fit for inverse powers: what lies below 0 is rounding and set to
/// 0, then the ridge is added; none stays below n eps times the largest, which is what rounding tells from 0. Returns
/// the ridge in absolute terms.
double regularise(VectorView eigenvalues, double ridge, bool relative);

/// X = Q Lambda^(-1/p) Q', symmetric and semidefinite to the bit; `scratch` has room for n x n.
void compose_inverse_root(ConstMatrixView Q, ConstVectorView eigenvalues, double p, MatrixView X, double* scratch);

/// max |X^p (A + ridge I) - I| for p = 1, 2, ...
double inverse_root_residual(ConstMatrixView X, ConstMatrixView A, double ridge, Index p,
                             InverseRootWorkspace& workspace);

}  // namespace hesse
