#include "hesse/report/json.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/printable.h"
#include "hesse/report/atomic_file.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

namespace hesse {

namespace {

constexpr int kMaxDepth = 64;

/// A character iterator that tells its position to whoever holds `reached`: the parser reports no
/// position to its callback, so it is read off here.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** reached;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *reached = ++at;
    return *this;
  }
  CountingIterator operator++(int) {
    const CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
  bool operator!=(const CountingIterator& other) const { return at != other.at; }
};

/// The parser's sentence without its "[json.exception.parse_error.101] parse error at line 1, column 2: ".
std::string complaint(const std::exception& error) {
  std::string text = error.what();
  if (const auto bracket = text.find("] "); text.starts_with('[') && bracket != std::string::npos) {
    text.erase(0, bracket + 2);
  }
  if (const auto colon = text.find(": "); text.starts_with("parse error") && colon != std::string::npos) {
    text.erase(0, colon + 2);
  }
  return text;
}

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"nan\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"inf\"" : "\"-inf\"";
  } else {
    const auto begin = out.size();
    fmt::format_to(std::back_inserter(out), "{}", value);
    // "1" would be read back as a whole number, and "-0" would lose its sign.
    if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
  }
}

void append(std::string& out, const Json& value, bool indented, int depth) {
  const auto line = [&](int level) {
    if (!indented) return;
    out += '\n';
    out.append(2 * static_cast<std::size_t>(level), ' ');
  };
  const auto plain = [](const Json& element) { return !element.is_structured(); };
  if (value.is_object()) {
    if (value.empty()) {
      out += "{}";
      return;
    }
    out += '{';
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      out += Json(key).dump();
      out += indented ? ": " : ":";
      append(out, member, indented, depth + 1);
    }
    line(depth);
    out += '}';
  } else if (value.is_array()) {
    // An array of plain values stays in one line.
    const bool flat = !indented || std::all_of(value.begin(), value.end(), plain);
    out += '[';
    bool first = true;
    for (const Json& element : value) {
      if (!std::exchange(first, false)) out += indented && flat ? ", " : ",";
      if (!flat) line(depth + 1);
      append(out, element, indented, depth + 1);
    }
    if (!flat) line(depth);
    out += ']';
  } else if (value.is_number_float()) {
    append_double(out, value.get<double>());
  } else {
    out += value.dump();
  }
}

}  // namespace

Json json_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

Json parse_json(std::string_view text, std::string_view file) {
  const char* reached = text.data();
  const auto refuse = [&](std::string_view what) {
    const auto byte = static_cast<std::size_t>(reached - text.data());
    fail("{}: byte {} (line {}): {}", file, byte, 1 + std::count(text.data(), reached, '\n'), printable(what));
  };
  std::vector<std::set<std::string>> keys;
  int depth = 0;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (++depth > kMaxDepth) refuse(fmt::format("values are nested deeper than {}", kMaxDepth));
    }
    if (event == Event::object_end || event == Event::array_end) --depth;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      refuse(fmt::format("the key '{}' is given twice in one object", parsed.get<std::string>()));
    }
    return true;
  };
  try {
    return Json::parse(CountingIterator{text.data(), &reached}, CountingIterator{text.data() + text.size(), &reached},
                       watch);
  } catch (const Json::exception& error) {
    refuse(complaint(error));
    throw;
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path, std::size_t{1} << 30), path.string());
}

std::string json_text(const Json& value, bool indented) {
  std::string out;
  append(out, value, indented, 0);
  if (indented) out += '\n';
  return out;
}

JsonView::JsonView(const Json& value, std::string file, std::string path)
    : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

void JsonView::refuse(std::string_view complaint) const {
  if (path_.empty()) fail("{}: {}", file_, printable(complaint));
  fail("{}: {}: {}", file_, printable(path_), printable(complaint));
}

void JsonView::expected(std::string_view what) const {
  std::string found = json_text(*value_, false);
  if (found.size() > 40) found = value_->type_name();
  refuse(fmt::format("expected {}, found {}", what, found));
}

bool JsonView::has(std::string_view key) const { return value_->is_object() && value_->contains(std::string(key)); }

JsonView JsonView::at(std::string_view key) const {
  if (!value_->is_object()) expected("an object");
  const auto found = value_->find(std::string(key));
  if (found == value_->end()) refuse(fmt::format("the key '{}' is missing", key));
  return {*found, file_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key)};
}

void JsonView::allow_only(std::initializer_list<std::string_view> keys) const {
  const std::vector<std::string> known(keys.begin(), keys.end());
  for (const auto& [key, member] : members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      refuse(fmt::format("the key '{}' is not known here{}", key, suggestion(key, known)));
    }
  }
}

std::vector<JsonView> JsonView::elements() const {
  if (!value_->is_array()) expected("an array");
  std::vector<JsonView> out;
  for (std::size_t i = 0; i < value_->size(); ++i)
    out.emplace_back((*value_)[i], file_, fmt::format("{}[{}]", path_, i));
  return out;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  if (!value_->is_object()) expected("an object");
  std::vector<std::pair<std::string, JsonView>> out;
  for (const auto& item : value_->items()) out.emplace_back(item.key(), at(item.key()));
  return out;
}

double JsonView::number() const {
  if (value_->is_number()) return value_->get<double>();
  if (value_->is_string()) {
    const auto& text = value_->get_ref<const std::string&>();
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
  }
  expected("a number, \"nan\", \"inf\" or \"-inf\"");
}

std::int64_t JsonView::integer() const {
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    expected("a whole number below 2^63");
  }
  if (!value_->is_number_integer()) expected("a whole number");
  return value_->get<std::int64_t>();
}

std::uint64_t JsonView::unsigned_integer() const {
  if (!value_->is_number_unsigned()) expected("a whole number >= 0");
  return value_->get<std::uint64_t>();
}

bool JsonView::boolean() const {
  if (!value_->is_boolean()) expected("true or false");
  return value_->get<bool>();
}

std::string JsonView::text() const {
  if (!value_->is_string()) expected("a text");
  return value_->get<std::string>();
}

}  // namespace hesse
