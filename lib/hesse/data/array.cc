#include "hesse/data/array.h"

#include "hesse/core/error.h"

#include <cstddef>
#include <limits>

namespace hesse {

Array as_array(ConstVectorView v) { return {{v.size()}, v.transpose()}; }

std::size_t checked_bytes(std::string_view where, const std::vector<Index>& shape, std::size_t element_size) {
  constexpr std::size_t kLimit = std::size_t{1} << 62U;
  std::size_t product = element_size;
  bool empty = false;
  for (const Index size : shape) {
    if (size < 0) fail("{}: the size {} is negative; the file is damaged, write it again", where, size);
    if (size == 0) {
      empty = true;
      continue;
    }
    const auto factor = static_cast<std::size_t>(size);
    if (factor > kLimit / product) {
      fail("{}: the shape announces more than 2^62 bytes; the header is damaged, fetch or write the file again", where);
    }
    product *= factor;
  }
  return empty ? 0 : product;
}

Matrix matrix_of_shape(const std::vector<Index>& shape) {
  Index rows = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) rows *= shape[i];
  return Matrix(rows, shape.empty() ? 1 : shape[0]);
}

}  // namespace hesse
