/// \file
/// Damped least squares with variables that can be eliminated, by the Schur complement (Brown 1958; Triggs, McLauchlan,
/// Hartley and Fitzgibbon 2000, section 6.1). With J = [C E], E'E block diagonal, the normal equations
///
///     [ C'C + lambda Dc^2        C'E         ] [ c ]     [ C'r ]
///     [       E'C          E'E + lambda De^2 ] [ e ] = - [ E'r ]
///
/// become S c = -(C'r - C'E V^-1 E'r) with V the lower right block and S = C'C + lambda Dc^2 - C'E V^-1 E'C, a dense
/// matrix of the variables that stay, and e = -V^-1 (E'r + E'C c).
#pragma once

#include "hesse/linalg/block_jacobian.h"

#include <Eigen/Cholesky>

#include <vector>

namespace hesse {

/// With b variables a block eliminated and each seen by d residual blocks, a solution costs O(sum d^2) small products
/// and k^3 / 3 flops for the k variables that stay; k^2 numbers of memory. The sums over eliminated blocks are taken in
/// a fixed number of parts, so the bits do not depend on the threads.
class SchurComplement {
 public:
  /// Variables that stay, at most: S takes 8 bytes for each pair of them.
  static constexpr Index kMostRemaining = 20000;

  /// Throws Error when more variables than that stay, or when none can be eliminated. Cheap where the structure is that
  /// of the last call.
  void bind(const BlockJacobian& J);

  /// s = argmin |J s + r|^2 + lambda |D s|^2, D the diagonal of `scale` (> 0). False when the matrix is not positive
  /// definite to working precision.
  bool solve(const Vector& r, double lambda, const Vector& scale, Vector& s);

 private:
  /// One part of the eliminated blocks: what it subtracts from S and from the right-hand side, and room for one block.
  struct Part {
    Matrix S;
    Vector b;
    Vector Y;  // L^-1 E'C of one eliminated block, its columns those of its residual blocks side by side
    Vector y;  // L^-1 E'r
    Vector residual;
    bool definite = true;
  };

  void eliminate(Part& part, Index begin, Index end, const Vector& r, double lambda, const Vector& scale);
  /// Rows and columns in a residual block's Jacobian: of its eliminated variables, and of those that stay.
  struct Columns {
    Index eliminated = -1;  // first column
    Index remaining = 0;    // number of the others
  };
  Columns columns_of(Index block) const;

  const BlockJacobian* J_ = nullptr;
  BlockStructure prepared_;        // the structure that the rest is for
  Index remaining_ = 0;            // variables that stay
  std::vector<Index> seen_begin_;  // residual blocks that use each eliminated block
  std::vector<Index> seen_;
  std::vector<Part> parts_;
  std::vector<Index> factor_begin_;
  Vector factors_;  // L of V, an eliminated block each
  Matrix S_;
  Vector b_;
  Vector c_;
  Eigen::LLT<Matrix> cholesky_;
};

}  // namespace hesse
