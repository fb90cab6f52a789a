#include "hesse/core/options.h"

#include "hesse/core/error.h"
#include "hesse/core/printable.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace hesse {
namespace {

std::string join_sizes(const std::vector<Index>& sizes) {
  std::string text;
  for (const Index size : sizes) text += fmt::format("{}{}", text.empty() ? "" : "-", size);
  return text;
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last.back();
}

}  // namespace

std::string Spec::text() const {
  std::string out = name;
  char separator = ':';
  for (const auto& [key, value] : arguments) {
    out += fmt::format("{}{}={}", separator, key, value);
    separator = ',';
  }
  return out;
}

Spec parse_spec(std::string_view text) {
  // What names things is quoted by whoever does not know them.
  if (!is_printable(text))
    fail("'{}': holds a control character; write name:key=value,... in one line", printable(text));
  Spec spec;
  const auto colon = text.find(':');
  spec.name = text.substr(0, colon);
  if (spec.name.empty()) fail("'{}': the name before the ':' is missing; write name:key=value,...", text);
  if (colon == std::string_view::npos) return spec;
  std::string_view rest = text.substr(colon + 1);
  for (;;) {
    const auto comma = rest.find(',');
    const std::string_view argument = rest.substr(0, comma);
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail("'{}': '{}' is not of the form key=value; write name:key=value,key=value", text, argument);
    }
    std::string key(argument.substr(0, equals));
    for (const auto& [known, value] : spec.arguments) {
      if (known == key) fail("'{}': '{}' is given twice; keep one of them", text, key);
    }
    spec.arguments.emplace_back(std::move(key), argument.substr(equals + 1));
    if (comma == std::string_view::npos) return spec;
    rest = rest.substr(comma + 1);
  }
}

std::string Interval::text() const {
  const bool below = std::isfinite(low);
  const bool above = std::isfinite(high);
  if (below && above) return fmt::format("{}{}, {}{}", low_open ? '(' : '[', low, high, high_open ? ')' : ']');
  if (below) return fmt::format("{} {}", low_open ? ">" : ">=", low);
  if (above) return fmt::format("{} {}", high_open ? "<" : "<=", high);
  return {};
}

double SearchRange::at(double u) const {
  const bool below_one = scale == Scale::below_one_logarithmic;
  const double from = std::log(below_one ? 1 - low : low);
  const double to = std::log(below_one ? 1 - high : high);
  const double x = std::exp(from + u * (to - from));
  return below_one ? 1 - x : x;
}

std::string SearchRange::text() const {
  return fmt::format("{:.4g} to {:.4g}{}", low, high,
                     scale == Scale::logarithmic ? ", logarithmic" : ", logarithmic in 1 - x");
}

Interval Interval::searched_around(double around) const {
  Interval out = *this;
  out.search = SearchRange{around / 100, around * 100, SearchRange::Scale::logarithmic};
  return out;
}

Interval Interval::searched_below_one(double low_end, double high_end) const {
  Interval out = *this;
  out.search = SearchRange{low_end, high_end, SearchRange::Scale::below_one_logarithmic};
  return out;
}

void OptionLister::option(std::string_view name, double& field, Interval range, std::string_view meaning) {
  options.push_back(
      {std::string(name), "number", fmt::format("{}", field), range.text(), std::string(meaning), range.search});
}
void OptionLister::option(std::string_view name, Index& field, Interval range, std::string_view meaning) {
  options.push_back({std::string(name), "whole number", fmt::format("{}", field), range.text(), std::string(meaning)});
}
void OptionLister::option(std::string_view name, bool& field, std::string_view meaning) {
  options.push_back({std::string(name), "switch", field ? "true" : "false", "true or false", std::string(meaning)});
}
void OptionLister::option(std::string_view name, std::string& field, std::string_view meaning) {
  options.push_back({std::string(name), "text", field, "", std::string(meaning)});
}
void OptionLister::option(std::string_view name, std::vector<Index>& field, std::string_view meaning) {
  options.push_back({std::string(name), "sizes", join_sizes(field), "sizes >= 1 joined by '-'", std::string(meaning)});
}
void OptionLister::option(std::string_view name, std::vector<std::string>& field, std::string_view meaning) {
  options.push_back({std::string(name), "texts", fmt::format("{}", fmt::join(field, " ")), "may be given several times",
                     std::string(meaning)});
}
std::size_t OptionLister::choose(std::string_view name, const std::vector<std::string>& names, std::size_t current,
                                 std::string_view meaning) {
  options.push_back(
      {std::string(name), "choice", names[current], fmt::format("{}", fmt::join(names, " | ")), std::string(meaning)});
  return current;
}

OptionReader::OptionReader(const Spec& spec) : spec_(spec), taken_(spec.arguments.size(), false) {}

const std::string* OptionReader::take(std::string_view name) {
  known_.emplace_back(name);
  for (std::size_t i = 0; i < spec_.arguments.size(); ++i) {
    if (spec_.arguments[i].first != name) continue;
    taken_[i] = true;
    return &spec_.arguments[i].second;
  }
  return nullptr;
}

void OptionReader::option(std::string_view name, double& field, Interval range, std::string_view) {
  if (const std::string* text = take(name)) {
    const std::string what = fmt::format("{}: option {}", spec_.name, name);
    const double value = parse_number(what, *text);
    if (!range.contains(value)) fail("{}: {} is out of range; give a number {}", what, *text, range.text());
    field = value;
  }
}
void OptionReader::option(std::string_view name, Index& field, Interval range, std::string_view) {
  if (const std::string* text = take(name)) {
    const std::string what = fmt::format("{}: option {}", spec_.name, name);
    const Index value = parse_whole_number(what, *text);
    if (!range.contains(static_cast<double>(value))) {
      fail("{}: {} is out of range; give a whole number {}", what, *text, range.text());
    }
    field = value;
  }
}
void OptionReader::option(std::string_view name, bool& field, std::string_view) {
  if (const std::string* text = take(name)) {
    if (*text != "true" && *text != "false") {
      fail("{}: option {}: '{}' is neither true nor false", spec_.name, name, *text);
    }
    field = *text == "true";
  }
}
void OptionReader::option(std::string_view name, std::string& field, std::string_view) {
  if (const std::string* text = take(name)) {
    if (text->empty()) fail("{}: option {} is empty; give it a value or leave it out", spec_.name, name);
    field = *text;
  }
}
void OptionReader::option(std::string_view name, std::vector<Index>& field, std::string_view) {
  if (const std::string* text = take(name)) {
    const std::string what = fmt::format("{}: option {}", spec_.name, name);
    std::vector<Index> sizes;
    std::string_view rest = *text;
    while (!rest.empty()) {
      const auto dash = rest.find('-');
      const Index size = parse_whole_number(what, rest.substr(0, dash));
      if (size < 1 || size > Index{1} << 32)
        fail("{}: the size {} is out of range; give sizes from 1 to 2^32", what, size);
      sizes.push_back(size);
      if (dash == std::string_view::npos) break;
      rest = rest.substr(dash + 1);
      if (rest.empty()) fail("{}: '{}' ends in '-'; write sizes like 128-64", what, *text);
    }
    field = std::move(sizes);
  }
}
void OptionReader::option(std::string_view name, std::vector<std::string>& field, std::string_view) {
  if (take(name) == nullptr) return;
  field.clear();
  for (std::size_t i = 0; i < spec_.arguments.size(); ++i) {
    if (spec_.arguments[i].first != name) continue;
    taken_[i] = true;
    if (spec_.arguments[i].second.empty())
      fail("{}: option {} is empty; give it a value or leave it out", spec_.name, name);
    field.push_back(spec_.arguments[i].second);
  }
}
std::size_t OptionReader::choose(std::string_view name, const std::vector<std::string>& names, std::size_t current,
                                 std::string_view) {
  if (const std::string* text = take(name)) {
    const auto at = std::find(names.begin(), names.end(), *text);
    if (at == names.end()) {
      fail("{}: option {}: there is no '{}'{}; choose one of {}", spec_.name, name, *text, suggestion(*text, names),
           fmt::join(names, ", "));
    }
    return static_cast<std::size_t>(at - names.begin());
  }
  return current;
}

void OptionReader::finish() const {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (taken_[i]) continue;
    const std::string& key = spec_.arguments[i].first;
    if (known_.empty()) fail("{} takes no options, but '{}' was given", spec_.name, key);
    fail("{} has no option '{}'{}; it has {}", spec_.name, key, suggestion(key, known_), fmt::join(known_, ", "));
  }
}

double parse_number(std::string_view what, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    fail("{}: '{}' is not a finite number", what, printable(text));
  }
  return value;
}

Index parse_whole_number(std::string_view what, std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    fail("{}: '{}' is not a whole number that fits in 64 bits", what, printable(text));
  }
  return value;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  // A third of the letters may be wrong; more than that suggests noise.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? std::string{} : fmt::format(" (did you mean '{}'?)", printable(best));
}

}  // namespace hesse
