#include "formats.h"

#include "hesse/data/npy.h"
#include "hesse/report/weights.h"

#include <bit>
#include <cstdint>

namespace hesse::fuzz {

/// As an array, and as the only tensor of a folder of weights.
void read_npy_bytes(const Input& input) {
  place("layer1.weight.npy", input.bytes);
  ParameterLayout layout;
  layout.add("layer1.weight", {2, 3});
  value_or_error(folder(), [&] { require(load_weights(folder(), layout).x.size() == 6, "weights have another size"); });
  Array array;
  const bool read = value_or_error(input.path, [&] {
    array = read_npy(input.path);
    Index size = 1;
    for (const Index extent : array.shape) size *= extent;
    require(size == array.values.size(), "the shape is not that of the values");
  });
  if (!read) return;
  const std::string file = folder() + "/again.npy";
  value_or_error(file, [&] {
    write_npy(file, array);
    const Array again = read_npy(file);
    require(again.shape == array.shape, "an array that was written has another shape");
    for (Index i = 0; i < array.values.size(); ++i) {
      require(
          std::bit_cast<std::uint64_t>(again.values.data()[i]) == std::bit_cast<std::uint64_t>(array.values.data()[i]),
          "an array that was written has another entry");
    }
  });
}

}  // namespace hesse::fuzz
