/// \file
/// Every optimizer by name, and what goes around its step: an optimizer is written as a chain,
///
///     adam:lr=1e-3+clip-norm:max=1+warmup+cosine+ema
///
/// a method and its modifiers and schedules. Newton-type methods are a direction, and where it shall not be the one
/// that the direction has by itself, a globalisation:
///
///     newton+cubic    lbfgs:memory=20+hager-zhang    gauss-newton+levenberg-marquardt:update=nielsen
///
/// A new one of any kind is one file and one line in registry.cc.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

/// Where in the chain a modifier takes its place, whatever the order in which it is written; within a place, gradients
/// pass from left to right.
enum class ModifierPlace {
  gradient,    ///< changes the gradient that the method sees
  evaluation,  ///< computes that gradient, before anything changes it
  step,        ///< changes the step
  schedule,    ///< sets rate and momentum
  average,     ///< returns a mean of the iterates
};

/// What building a modifier needs besides its options.
struct ModifierContext {
  Objective& objective;
  std::uint64_t seed;
  std::unique_ptr<Optimizer> inner;
};

using ModifierRegistry = Registry<std::unique_ptr<Optimizer>, ModifierContext&>;
/// A modifier by name, with its place.
struct ModifierEntry {
  ModifierPlace place;
  ModifierRegistry::Entry entry;
};

/// Every modifier, the schedules among them.
const ModifierRegistry& modifiers();

/// Entry for a modifier from a builder (options, ModifierContext&).
template <class Options, class Builder>
ModifierEntry modifier_entry(ModifierPlace place, std::string name, std::string summary, std::string source,
                             Builder builder) {
  return {place, registry_entry<Options, std::unique_ptr<Optimizer>, ModifierContext&>(
                     std::move(name), std::move(summary), std::move(source), builder)};
}

/// A chain as it is written.
struct OptimizerSpec {
  Spec method;
  std::vector<Spec> modifiers;

  /// Back to the grammar.
  std::string text() const;
};

/// Throws Error on bad grammar. A '+' before a letter begins the next link; 1e+3 is a number.
OptimizerSpec parse_optimizer(std::string_view text);

/// The options of a modifier, a schedule or a globalisation. Throws Error when there is none of this name.
const std::vector<OptionInfo>& link_options(std::string_view name);

/// Throws Error on an unknown name, bad options, a link named twice, or one that does not fit the method.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, const OptimizerContext& context);
inline std::unique_ptr<Optimizer> make_optimizer(std::string_view text, const OptimizerContext& context) {
  return make_optimizer(parse_optimizer(text), context);
}

}  // namespace hesse
