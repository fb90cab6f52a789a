/// \file
/// Parameter blocks as tensors, for methods that keep one matrix for each index ("mode") of a block.
///
/// A block of shape d_1 x ... x d_k, row-major, is seen from mode i as `before` matrices of d_i x `after`, before and
/// after being the products of the extents on either side. T_(i) is the d_i x (n / d_i) matrix of all of them.
#pragma once

#include "hesse/core/blas.h"
#include "hesse/core/parallel.h"
#include "hesse/core/parameter_layout.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>
#include <vector>

namespace hesse {

using TensorShape = std::vector<Index>;

/// The shape without extents of 1, its neighbours merged from the last index on while their product is at most `merge`
/// (Anil et al. 2020, section 4.3) and at least two modes stay: a kernel of out x in x 3 x 3 becomes out x 9 in. A
/// block of less than two entries has one mode.
TensorShape merged_shape(const std::vector<Index>& shape, Index merge);

/// A = alpha T_(i) T_(i)' + beta A, d_i x d_i and symmetric to the bit, S float or double. n d_i flops.
template <class S>
void mode_gram(const TensorShape& shape, std::size_t mode, const S* T, std::type_identity_t<S> alpha,
               std::type_identity_t<S> beta, S* A);
/// The same added up in double, with the product in S: that of floats is made in `spare` (d_i x d_i), which double
/// leaves alone.
template <class S>
void mode_gram(const TensorShape& shape, std::size_t mode, const S* T, double alpha, double beta, double* A, S* spare);

/// out_(i) = op(P) T_(i) with P d_i x d_i, column-major, S float or double. `out` must not overlap T. 2 n d_i flops.
template <class S>
void mode_product(const TensorShape& shape, std::size_t mode, const S* T, Transpose op, const S* P, S* out);

/// T_(i) <- U^-T T_(i) with U d_i x d_i upper triangular, column-major. n d_i flops.
void mode_solve_transposed(const TensorShape& shape, std::size_t mode, const double* U, double* T);

/// T_(i) <- diag(scale) T_(i).
template <class S>
void mode_scale(const TensorShape& shape, std::size_t mode, const double* scale, S* T);

/// a <- alpha diag(T_(i) T_(i)') + beta a.
template <class S>
void mode_squares(const TensorShape& shape, std::size_t mode, const S* T, double alpha, double beta, double* a);

/// out_(i) = rows order[0], order[1], ... of T_(i). `out` must not overlap T.
void mode_permute(const TensorShape& shape, std::size_t mode, const double* T, const Index* order, double* out);

/// Calls body(i) for i in [0, work.size()): the items whose work, in flops, is a large part of what falls to a thread
/// one after the other, so that their products are split, the rest in one parallel loop. Bits do not depend on the
/// order.
template <class Body>
void for_each_item(const std::vector<double>& work, Body&& body) {
  constexpr double kLeast = 2e7;  // a millisecond or so
  const double all = std::accumulate(work.begin(), work.end(), 0.0);
  const double alone = std::max(kLeast, all / (8.0 * threads()));
  const auto n = static_cast<Index>(work.size());
  for (Index i = 0; i < n; ++i) {
    if (work[static_cast<std::size_t>(i)] > alone) body(i);
  }
  parallel_for(n, [&](Index i) {
    if (!(work[static_cast<std::size_t>(i)] > alone)) body(i);
  });
}

/// A power of two that brings vectors of this norm to about 1 where squares of their entries might leave the range of
/// S; 1 for double.
template <class S>
double into_range(double norm) {
  if (std::is_same_v<S, double> || !(norm > 0) || !std::isfinite(norm)) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(norm), -400, 400));
}

/// to[i] = factor from[i] rounded to the type of `to`, by fixed blocks in parallel.
template <class From, class To>
void convert(Index n, const From* from, To* to, double factor = 1) {
  constexpr Index kBlock = 16384;
  parallel_for(block_count(n, kBlock), [&](Index task) {
    const Range r = block_range(n, kBlock, task);
    for (Index i = r.begin; i < r.end; ++i) to[i] = static_cast<To>(factor * static_cast<double>(from[i]));
  });
}

/// The numbers themselves where S is double, or else `factor` times them in S at `room`.
template <class S>
const S* in_type(Index n, const double* from, S* room, double factor = 1) {
  if constexpr (std::is_same_v<S, double>) {
    return from;
  } else {
    convert(n, from, room, factor);
    return room;
  }
}

/// True when these are the blocks of the layout.
bool same_blocks(const std::vector<ParameterBlock>& blocks, const ParameterLayout& layout);

}  // namespace hesse
