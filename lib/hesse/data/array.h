/// \file
/// A numeric array of any rank as files hold it, laid out so that an array of samples is a data set's inputs already.
#pragma once

#include "hesse/core/types.h"

#include <string_view>
#include <vector>

namespace hesse {

/// Entries in row-major (C) order of `shape`, whatever the file's order was. The first index runs over the columns of
/// `values` and all others, flattened, over its rows: an array (samples, height, width) is the matrix
/// (height * width) x samples that Dataset::inputs wants. A scalar (rank 0) is 1 x 1.
struct Array {
  std::vector<Index> shape;
  Matrix values;

  /// The same numbers as a vector in row-major order.
  Eigen::Map<const Vector> flat() const { return {values.data(), values.size()}; }
};

/// An array of rank 1.
Array as_array(ConstVectorView v);

/// Product of a shape times the size of an element, in bytes. Throws Error, naming `where`, when a dimension is
/// negative or the product passes 2^62, even where another dimension is 0.
std::size_t checked_bytes(std::string_view where, const std::vector<Index>& shape, std::size_t element_size);

/// `values` with the columns and rows of a shape. Its entries are not set.
Matrix matrix_of_shape(const std::vector<Index>& shape);

}  // namespace hesse
