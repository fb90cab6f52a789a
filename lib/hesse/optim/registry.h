/// \file
/// Every optimizer by name. A new one is one file and one line in registry.cc.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <memory>

namespace hesse {

/// What building an optimizer needs besides its options. A method that needs structure (a finite
/// sum, Kronecker factors) looks for it in `objective` and throws Error when it is not there.
struct OptimizerContext {
  Objective& objective;
  std::uint64_t seed;
};

using OptimizerRegistry = Registry<std::unique_ptr<Optimizer>, const OptimizerContext&>;
using OptimizerEntry = OptimizerRegistry::Entry;

const OptimizerRegistry& optimizers();

/// Entry for an optimizer class constructed from its options alone.
template <class Method, class Options>
OptimizerEntry optimizer_entry(std::string name, std::string summary, std::string source, Options defaults = {}) {
  return registry_entry<Options, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      std::move(name), std::move(summary), std::move(source),
      [](const Options& options, const OptimizerContext&) -> std::unique_ptr<Optimizer> {
        return std::make_unique<Method>(options);
      },
      defaults);
}

}  // namespace hesse
