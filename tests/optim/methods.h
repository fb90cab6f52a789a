/// \file
/// What the tests of "every optimizer" run over.
#pragma once

#include "hesse/optim/registry.h"

#include <string>
#include <vector>

namespace hesse {

/// Every optimizer, and every modifier and schedule around one with a momentum. `sums`: with those that need a mean
/// over samples.
inline std::vector<std::string> every_method(bool sums) {
  std::vector<std::string> all = optimizers().names();
  for (const auto& entry : modifiers().entries()) {
    if (entry.name == "accumulate" && !sums) continue;
    std::string text = "momentum+" + entry.name;
    for (const OptionInfo& option : entry.options) {
      if (option.name == "steps") text += ":steps=40";
    }
    all.push_back(text);
  }
  return all;
}

}  // namespace hesse
