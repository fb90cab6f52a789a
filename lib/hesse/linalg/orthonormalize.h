/// \file
/// Q of the QR decomposition by Householder reflections, with R's diagonal made non-negative, so that Q is a continuous
/// function of a matrix of full rank and equals it where that is orthonormal already.
#pragma once

#include "hesse/core/types.h"

#include <type_traits>
#include <vector>

namespace hesse {

/// LAPACK's workspace, kept between calls.
template <class T>
struct OrthonormalizeWorkspace {
  std::vector<T> work;
  std::vector<T> scalars;  ///< of the reflections
  std::vector<T> signs;
  std::vector<T> panels;  ///< of a tall matrix: each panel's factor, scalars, workspace and product
  /// Makes room for up to n columns of a matrix that is not tall.
  void reserve(Index n);
};

/// Overwrites the columns of A (of float or double, m x n, m >= n) by orthonormal ones that span the same spaces, first
/// to last; where A has not full rank, those that are missing are some orthonormal completion. By LAPACK's geqrf and
/// orgqr, 8/3 n^3 flops for m = n. Tall ones, of at least 8192 rows and 8 n of them, by panels of rows over the threads
/// and the decomposition of what the panels leave (TSQR: Demmel, Grigori, Hoemmen and Langou 2012), 6 m n^2 flops and m
/// n numbers of memory. False when A is not finite. Throws Error when n > m.
template <class T>
bool orthonormalize(std::type_identity_t<Eigen::Ref<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>> A,
                    OrthonormalizeWorkspace<T>& workspace);

}  // namespace hesse
