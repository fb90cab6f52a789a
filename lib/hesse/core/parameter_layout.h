/// \file
/// How a flat vector of parameters is made of named blocks with shapes.
#pragma once

#include "hesse/core/types.h"

#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// One tensor inside the flat vector, stored row-major (the last index runs fastest), as NumPy,
/// PyTorch and safetensors store it.
struct ParameterBlock {
  std::string name;          ///< unique within the layout, for example "layer1.weight"
  std::vector<Index> shape;  ///< empty for a scalar
  Index offset = 0;          ///< of the first entry in the flat vector
  Index size = 0;            ///< product of the shape
};

/// The blocks that a vector x in R^n is made of, in order and without gaps.
class ParameterLayout {
 public:
  ParameterLayout() = default;
  /// One block called "x" of n entries: the layout of an objective without structure.
  explicit ParameterLayout(Index n);

  /// Appends a block and returns its position. Throws Error on a repeated name, a negative extent,
  /// or a size that overflows.
  Index add(std::string name, std::vector<Index> shape);

  Index size() const { return size_; }
  const std::vector<ParameterBlock>& blocks() const { return blocks_; }
  /// The block of this name, or null.
  const ParameterBlock* find(std::string_view name) const;
  /// Name of the block that holds entry i and the entry's multi-index: "layer1.weight[3,7]".
  std::string describe_entry(Index i) const;

 private:
  std::vector<ParameterBlock> blocks_;
  Index size_ = 0;
};

}  // namespace hesse
