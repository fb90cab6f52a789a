/// \file
/// A table of things that are built by name: what `hesse list` prints, `hesse describe` explains and
/// the command line builds. One entry holds all three, so none can drift from the others.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/options.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// `Product` is what is built; `Context` is what building needs besides the options.
template <class Product, class Context>
struct RegistryEntry {
  std::string name;
  std::string summary;  ///< one sentence
  std::string source;   ///< author, year, equation or algorithm number
  std::vector<OptionInfo> options;
  std::function<Product(const Spec&, Context)> make;
};

/// Entry for an options struct with `visit_options` and a builder from (options, context).
template <class Options, class Product, class Context, class Builder>
RegistryEntry<Product, Context> registry_entry(std::string name, std::string summary, std::string source,
                                               Builder builder, Options defaults = {}) {
  return {std::move(name), std::move(summary), std::move(source), list_options(defaults),
          [builder, defaults](const Spec& spec, Context context) -> Product {
            return builder(read_options<Options>(spec, defaults), context);
          }};
}

/// For things that need nothing but their options.
struct NoContext {};

/// Entries by name, in the order in which they are listed.
template <class Product, class Context>
class Registry {
 public:
  using Entry = RegistryEntry<Product, Context>;

  /// `kind` names the things in error texts: "optimizer".
  Registry(std::string kind, std::vector<Entry> entries) : kind_(std::move(kind)), entries_(std::move(entries)) {}

  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& kind() const { return kind_; }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Entry& entry : entries_) out.push_back(entry.name);
    return out;
  }

  /// Null when there is none of this name.
  const Entry* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  /// Throws Error with a suggestion when there is none of this name.
  const Entry& at(std::string_view name) const {
    if (const Entry* entry = find(name)) return *entry;
    fail("there is no {} called '{}'{}; 'hesse list' shows all", kind_, name, suggestion(name, names()));
  }

  /// Builds from a specification; throws Error on an unknown name or bad options.
  Product make(const Spec& spec, Context context) const { return at(spec.name).make(spec, context); }

 private:
  std::string kind_;
  std::vector<Entry> entries_;
};

}  // namespace hesse
