/// \file
/// The one grammar in which problems, optimizers and analyses are named with their settings, on the
/// command line, in specification files and in records alike:
///
///     name                     adam
///     name:key=value,...       adam:lr=1e-3,beta1=0.9      mlp:data=digits,hidden=128-64
///
/// and the one description of those settings: each options struct has a function
/// `void visit_options(Options&, OptionVisitor&)` that names every field once, with its meaning and
/// range. Reading a specification, listing defaults and recording what was used all go through it.
#pragma once

#include "hesse/core/types.h"

#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {

/// A parsed `name:key=value,...`.
struct Spec {
  std::string name;
  std::vector<std::pair<std::string, std::string>> arguments;

  /// Back to the grammar.
  std::string text() const;
};

/// Throws Error on an empty name, an argument without '=', or a repeated key.
Spec parse_spec(std::string_view text);

/// Where tuning looks for a number, and on which scale it draws it.
struct SearchRange {
  /// On which scale tuning draws a number.
  enum class Scale {
    logarithmic,            ///< rates, dampings
    below_one_logarithmic,  ///< momenta and decays: 1 - x is drawn on a logarithmic scale
  };
  double low = 0;
  double high = 0;
  Scale scale = Scale::logarithmic;

  /// The point at share u of the range, u in [0, 1].
  double at(double u) const;
  /// "1e-05 to 0.1, logarithmic".
  std::string text() const;
};

/// Where a number may lie. An open end excludes its bound.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = true;
  bool high_open = true;
  std::optional<SearchRange> search = {};  ///< set for what tuning varies

  bool contains(double x) const { return (low_open ? x > low : x >= low) && (high_open ? x < high : x <= high); }
  /// "(0, 1]", "> 0", ">= 1", or "any finite number".
  std::string text() const;

  /// The same, tuned on a logarithmic scale: a hundred times below `around` to a hundred times above.
  Interval searched_around(double around) const;
  /// The same, tuned between low and high < 1, with 1 - x on a logarithmic scale.
  Interval searched_below_one(double low_end, double high_end) const;

  static Interval any() { return {}; }
  static Interval positive() { return {0.0, std::numeric_limits<double>::infinity(), true, true, {}}; }
  static Interval non_negative() { return {0.0, std::numeric_limits<double>::infinity(), false, true, {}}; }
  static Interval at_least(double low) { return {low, std::numeric_limits<double>::infinity(), false, true, {}}; }
  static Interval closed(double low, double high) { return {low, high, false, false, {}}; }
  static Interval open(double low, double high) { return {low, high, true, true, {}}; }
  static Interval left_open(double low, double high) { return {low, high, true, false, {}}; }  ///< (low, high]
  static Interval half_open(double low, double high) { return {low, high, false, true, {}}; }  ///< [low, high)
};

/// One setting as `hesse describe` prints it.
struct OptionInfo {
  std::string name;
  std::string type;   ///< "number", "whole number", "switch", "text", "sizes", "texts", "choice"
  std::string value;  ///< the default, or the value in use
  std::string range;  ///< empty where every value of the type will do
  std::string meaning;
  std::optional<SearchRange> search = {};  ///< what tuning tries for it
};

/// Visits the fields of an options struct. `meaning` is one phrase with the paper's symbol.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;

  virtual void option(std::string_view name, double& field, Interval range, std::string_view meaning) = 0;
  virtual void option(std::string_view name, Index& field, Interval range, std::string_view meaning) = 0;
  virtual void option(std::string_view name, bool& field, std::string_view meaning) = 0;
  virtual void option(std::string_view name, std::string& field, std::string_view meaning) = 0;
  /// Sizes separated by '-': "128-64"; each >= 1, the empty text means none.
  virtual void option(std::string_view name, std::vector<Index>& field, std::string_view meaning) = 0;
  /// A text that may be given several times: on the command line and in specification files.
  virtual void option(std::string_view name, std::vector<std::string>& field, std::string_view meaning) = 0;

  /// An enumeration by the names of its values.
  template <class Enum>
  void choice(std::string_view name, Enum& field, std::initializer_list<std::pair<const char*, Enum>> values,
              std::string_view meaning) {
    std::vector<std::string> names;
    std::size_t at = 0;
    for (const auto& [text, value] : values) {
      if (value == field) at = names.size();
      names.emplace_back(text);
    }
    at = choose(name, names, at, meaning);
    field = (values.begin() + at)->second;
  }

 protected:
  /// Returns the position of the chosen name; `current` is the one in use.
  virtual std::size_t choose(std::string_view name, const std::vector<std::string>& names, std::size_t current,
                             std::string_view meaning) = 0;
};

/// Lists every option of `options` with its current value: visit_options found by argument-dependent
/// lookup.
class OptionLister final : public OptionVisitor {
 public:
  void option(std::string_view name, double& field, Interval range, std::string_view meaning) override;
  void option(std::string_view name, Index& field, Interval range, std::string_view meaning) override;
  void option(std::string_view name, bool& field, std::string_view meaning) override;
  void option(std::string_view name, std::string& field, std::string_view meaning) override;
  void option(std::string_view name, std::vector<Index>& field, std::string_view meaning) override;
  void option(std::string_view name, std::vector<std::string>& field, std::string_view meaning) override;

  std::vector<OptionInfo> options;

 protected:
  std::size_t choose(std::string_view name, const std::vector<std::string>& names, std::size_t current,
                     std::string_view meaning) override;
};

/// Writes the arguments of a specification into the fields. Numbers must be finite, whole, and in
/// range as declared; `finish` throws Error on an argument that no field took, with a suggestion.
class OptionReader final : public OptionVisitor {
 public:
  explicit OptionReader(const Spec& spec);

  void option(std::string_view name, double& field, Interval range, std::string_view meaning) override;
  void option(std::string_view name, Index& field, Interval range, std::string_view meaning) override;
  void option(std::string_view name, bool& field, std::string_view meaning) override;
  void option(std::string_view name, std::string& field, std::string_view meaning) override;
  void option(std::string_view name, std::vector<Index>& field, std::string_view meaning) override;
  void option(std::string_view name, std::vector<std::string>& field, std::string_view meaning) override;

  void finish() const;

 protected:
  std::size_t choose(std::string_view name, const std::vector<std::string>& names, std::size_t current,
                     std::string_view meaning) override;

 private:
  const std::string* take(std::string_view name);

  const Spec& spec_;
  std::vector<bool> taken_;
  std::vector<std::string> known_;
};

template <class Options>
std::vector<OptionInfo> list_options(Options options) {
  OptionLister lister;
  visit_options(options, lister);
  return std::move(lister.options);
}

template <class Options>
Options read_options(const Spec& spec, Options options = {}) {
  OptionReader reader(spec);
  visit_options(options, reader);
  reader.finish();
  return options;
}

/// A whole text as a finite number or whole number; throws Error naming `what`.
double parse_number(std::string_view what, std::string_view text);
Index parse_whole_number(std::string_view what, std::string_view text);

/// The candidate nearest to `word` by edit distance, or empty when none is near enough to suggest.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// ` (did you mean "adam"?)` or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace hesse
