/// \file
/// Matrix products of which one operand is small: the weights of a layer against many samples.
///
/// A general BLAS copies both operands into the order in which its kernel reads them. Where one side
/// of the product is only a few hundred long, the copy of the large operand is not repaid: it costs up
/// to a fifth of the product, more when the operand is not in cache. Here the small operand alone is copied
/// ("packed"), and the large one is read where it lies, once.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// An operand as rows x depth: entry (i, k) at data[i * row_stride + k * depth_stride], where one of
/// the strides is 1. A product sums over the depth.
template <class T>
struct ProductOperand {
  const T* data;
  Index rows;
  Index row_stride;
  Index depth_stride;
};

/// Whether this machine has AVX-512, which panel_product is written for. With AVX2 alone OpenBLAS
/// reaches the same speed.
bool panel_product_available();

/// C(i, j) = sum_k packed(i, k) streamed(j, k), plus what C held if `add`; C(i, j) is at
/// C[i * packed_stride + j * streamed_stride], where one of the strides is 1; depth >= 1.
/// 2 * packed.rows * streamed.rows * depth flops on the calling thread; the packed operand should be
/// the one with fewer rows. The order of the sums depends on the shapes alone. Throws Error unless
/// panel_product_available().
void panel_product(const ProductOperand<float>& packed, const ProductOperand<float>& streamed, Index depth, bool add,
                   float* C, Index packed_stride, Index streamed_stride);
void panel_product(const ProductOperand<double>& packed, const ProductOperand<double>& streamed, Index depth, bool add,
                   double* C, Index packed_stride, Index streamed_stride);

}  // namespace hesse
