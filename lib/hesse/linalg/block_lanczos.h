/// \file
/// Eigenpairs at the upper end of a symmetric operator by block Lanczos with full reorthogonalisation (Golub and
/// Underwood 1977; Parlett 1998, section 13.10) and thick restarts (Wu and Simon 2000): products with blocks of
/// vectors, copies of an eigenvalue up to the width of the block found together, and a start from vectors that are
/// close already, such as those of a point nearby.
///
/// From an orthonormal block Q_1 each step multiplies the last block by A, takes off what lies in the blocks so far,
/// twice, and orthonormalises what is left; Rayleigh and Ritz on all blocks give pairs. Their residuals follow from
/// what was taken off last, and are formed in full before a result is returned. When `depth` blocks are full the
/// better half of the Ritz vectors stays, with their products, and the next block follows them.
///
/// Beside its products a step costs four sweeps over the basis, 8 n (pairs + guard) columns flops.
#pragma once

#include "hesse/linalg/eigen.h"
#include "hesse/linalg/linear_operator.h"

#include <cstdint>

namespace hesse {

/// Which pairs, and how wide and deep the blocks are.
struct BlockLanczosOptions {
  Index pairs = 1;             ///< wanted from the upper end, >= 1
  Index guard = 2;             ///< vectors of the block beyond those, >= 0: the more, the wider a cluster may be
  Index depth = 12;            ///< blocks until a restart, >= 2; 3 n (pairs + guard) depth numbers of memory
  Index max_products = 10000;  ///< operator times vector
  double tolerance = 1e-6;     ///< on |A v - lambda v| / |A|, |A| the largest |Ritz value| met
  std::uint64_t seed = 0;      ///< of the vectors that fill up the first block
};

/// The pairs that were found.
struct BlockLanczosResult {
  EigenStatus status = EigenStatus::converged;
  EigenPairs pairs;  ///< of the largest eigenvalues, descending; residuals formed from products with the Ritz vectors
  double norm = 0;   ///< largest |Ritz value| met
  Index products = 0;
  /// Of A as far as the products show it: max |q_i'A q_j - q_j'A q_i| / |A| over the columns of the basis.
  double asymmetry = 0;
};

/// What `EigenOptions::single_search` asks of it for `pairs` at one end.
BlockLanczosOptions single_search(Index pairs, const EigenOptions& options);

/// `start` (n x any width, may be empty; need not be orthonormal) begins the first block, random vectors complete it.
/// Throws Error on impossible options.
BlockLanczosResult block_lanczos(const LinearOperator& A, const Matrix& start, const BlockLanczosOptions& options);

}  // namespace hesse
