/// \file
/// From a column of label values to classes or real targets, by one rule for all text formats.
#pragma once

#include "hesse/data/dataset.h"

#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// What the label column means.
enum class LabelKind {
  automatic,  ///< classes if all values are whole numbers, at most 100 different ones, two samples each on average
  classes,    ///< every different value is a class
  real,       ///< a real target
};

/// Sets `labels` and `class_count`, classes numbered by ascending value (so -1, +1 become 0, 1 and 0..C-1 stay), or
/// `targets` (1 x samples). Throws Error, naming `path`, when classes are asked for and there are more than 2^16.
void assign_labels(const std::string& path, const std::vector<double>& values, LabelKind kind, Dataset& dataset);

}  // namespace hesse
