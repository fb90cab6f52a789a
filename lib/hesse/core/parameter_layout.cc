#include "hesse/core/parameter_layout.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <limits>

namespace hesse {

ParameterLayout::ParameterLayout(Index n) { add("x", {n}); }

Index ParameterLayout::add(std::string name, std::vector<Index> shape) {
  if (find(name) != nullptr) fail("parameter block '{}' is declared twice; give each block its own name", name);
  Index size = 1;
  for (const Index extent : shape) {
    if (extent < 0) fail("parameter block '{}' has the negative extent {}", name, extent);
    if (extent > 0 && size > (std::numeric_limits<Index>::max() - size_) / extent) {
      fail("parameter block '{}' is too large: its size overflows", name);
    }
    size *= extent;
  }
  blocks_.push_back({std::move(name), std::move(shape), size_, size});
  size_ += size;
  return static_cast<Index>(blocks_.size()) - 1;
}

const ParameterBlock* ParameterLayout::find(std::string_view name) const {
  const auto at = std::find_if(blocks_.begin(), blocks_.end(), [&](const ParameterBlock& b) { return b.name == name; });
  return at == blocks_.end() ? nullptr : &*at;
}

std::string ParameterLayout::describe_entry(Index i) const {
  if (i < 0 || i >= size_) fail("entry {} lies outside a parameter vector of size {}", i, size_);
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), i,
                                      [](Index value, const ParameterBlock& b) { return value < b.offset + b.size; });
  const ParameterBlock& block = *after;
  std::string indices;
  Index rest = i - block.offset;
  for (auto extent = block.shape.rbegin(); extent != block.shape.rend(); ++extent) {
    indices = fmt::format("{}{}{}", rest % *extent, indices.empty() ? "" : ",", indices);
    rest /= *extent;
  }
  return fmt::format("{}[{}]", block.name, indices);
}

}  // namespace hesse
