/// \file
/// The algebra of symmetric operators: every function here makes an operator out of others, and every
/// result applies to blocks of vectors. Parts are held by shared_ptr, so a result stands on its own.
/// Workspace grows to the widest block and is then kept.
#pragma once

#include "hesse/linalg/linear_operator.h"

#include <functional>
#include <memory>
#include <vector>

namespace hesse {

using OperatorPtr = std::shared_ptr<const LinearOperator>;

/// A dense symmetric matrix. Throws Error unless it is square. 2 n^2 flops a vector.
OperatorPtr dense_operator(Matrix A);
/// diag(d).
OperatorPtr diagonal_operator(Vector d);
/// s I of size n.
OperatorPtr scaled_identity(Index n, double s);
/// s A.
OperatorPtr scaled(double s, OperatorPtr A);
/// A + s I: a spectrum moved by s.
OperatorPtr shifted(OperatorPtr A, double s);
/// sum_i w_i A_i. Throws Error when there is no term or sizes differ.
struct Term {
  double weight;
  OperatorPtr A;
};
OperatorPtr sum(std::vector<Term> terms);
/// U diag(d) U', U n x k: 4 n k flops a vector.
OperatorPtr low_rank(Matrix U, Vector d);
/// The rows and columns of A named by `indices` (each in [0, n), none twice): a product costs one with A.
OperatorPtr sub_block(OperatorPtr A, std::vector<Index> indices);
/// diag(A_1, A_2, ...).
OperatorPtr block_diagonal(std::vector<OperatorPtr> blocks);
/// (I - QQ') A (I - QQ') for Q with orthonormal columns: A seen off the subspace that Q spans.
OperatorPtr projected_off(OperatorPtr A, Matrix Q);
/// B' A B for a matrix B, A.size() x n: the congruence that keeps symmetry.
OperatorPtr congruence(OperatorPtr A, Matrix B);
/// diag(d) A diag(d): the curvature in the coordinates x / d, or a similarity of it with a metric in between.
OperatorPtr scaled_coordinates(OperatorPtr A, Vector d);
/// The diagonal blocks of A of these sizes, which add up to its size, and zeros off them. A product costs as many with
/// A as there are blocks.
OperatorPtr block_diagonal_part(OperatorPtr A, std::vector<Index> sizes);
/// A function that writes A X into Y; it must be linear and symmetric.
OperatorPtr function_operator(Index n, std::function<void(ConstMatrixView X, MatrixView Y)> apply);

}  // namespace hesse
