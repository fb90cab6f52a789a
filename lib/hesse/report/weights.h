/// \file
/// The weights of a network that was trained elsewhere: tensors under the names of PyTorch's state_dict, in a
/// safetensors file or as a folder of NPY files, found the places that they have in the parameters here.
///
/// Nothing is transposed: a dense layer is outputs x inputs and a convolution outputs x channels x height x width here
/// as there, and every shape must agree exactly. What could be read in two ways is refused.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/core/types.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// Name and shape of a tensor in a file.
struct NamedShape {
  std::string name;
  std::vector<Index> shape;
};

/// For each block of the layout, in order, the position of its tensor. Where all of the layout's own names are there,
/// they decide. Else tensors `PREFIX.weight` and `PREFIX.bias` (the gain of a normalisation is its weight) are layers,
/// and layers whose prefixes differ in numbers alone are in the order of those: `net.2` before `net.10`. Several such
/// sequences, as `features.0`, `features.3` and `classifier.0`, are merged by the shapes: the next layer is the one
/// sequence's whose next layer has them.
///
/// Throws Error in one sentence that starts with `file` and names the tensor, its shape and what was expected: where no
/// layer or several have the shapes, where a tensor is left over (a checkpoint's `optimizer.*` and `progress.*`
/// excepted), on tensors that are neither weight nor bias, and on the running statistics of a batch normalisation,
/// which here takes those of the samples at hand. Cost O(tensors x (sequences + blocks)).
std::vector<std::size_t> match_weights(std::span<const NamedShape> tensors, const ParameterLayout& layout,
                                       std::string_view file);

/// Parameters, and where they come from.
struct Weights {
  Vector x;
  std::vector<std::string> names;  ///< of the tensors, one for each block of the layout
};

/// Reads a safetensors file (F64, or F32, widened) or a folder with a file NAME.npy for each tensor, matched as above.
/// The checksum of a checkpoint is checked. Throws Error as above and as the readers do: entries of any other type are
/// refused by its name, BF16 and F16 among them, and so are zip archives (.npz, .pt).
Weights load_weights(const std::filesystem::path& path, const ParameterLayout& layout);

/// "net.2" < "net.10": runs of digits compare as numbers of any length, all else by bytes.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace hesse
