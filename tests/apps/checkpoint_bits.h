/// \file
/// What of a run's checkpoint must be the same in two runs that are the same.
#pragma once

#include "hesse/report/safetensors.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace hesse::test {

/// Bits of every tensor of a checkpoint but the clock's.
inline std::string checkpoint_bits(const std::filesystem::path& folder) {
  const SafetensorsFile file(folder / "checkpoint.safetensors");
  std::string text;
  for (const auto& tensor : file.tensors()) {
    if (tensor.name.find("seconds") != std::string::npos) continue;
    text += tensor.name + ":";
    if (tensor.type == TensorType::i64) {
      for (const auto n : file.whole_numbers(tensor)) text += fmt::format("{},", n);
    } else {
      for (const double x : file.numbers(tensor)) text += fmt::format("{:a},", x);
    }
  }
  return text;
}

}  // namespace hesse::test
