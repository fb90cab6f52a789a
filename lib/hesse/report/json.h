/// \file
/// JSON as records use it: strict, exact, and with errors that say where.
///
/// Doubles are written as the shortest text that reads back to the same bits; NaN and the infinities,
/// which JSON lacks, as the texts "nan", "inf" and "-inf", never as null. Repeated keys, comments,
/// trailing text and nesting deeper than 64 are refused.
///
/// This header brings in nlohmann-json; no other header of the library includes it.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {

/// Keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// A double as Json: a number, or "nan", "inf", "-inf".
Json json_number(double value);

/// Parses a whole text. `file` is named in errors, with the byte and the line.
Json parse_json(std::string_view text, std::string_view file);

/// Reads and parses a file of at most 1 GiB.
Json read_json(const std::filesystem::path& path);

/// The text of `value`; indented by two spaces and ended by a newline, or in one line.
std::string json_text(const Json& value, bool indented = true);

/// A value of a parsed file together with where it came from, so that a wrong type or a missing key
/// is reported as "run.json: verdict.cost.values: expected a whole number, found null".
class JsonView {
 public:
  JsonView(const Json& value, std::string file, std::string path = {});

  /// A member of an object; throws Error when it is missing.
  JsonView at(std::string_view key) const;
  bool has(std::string_view key) const;
  /// Throws Error on a member that is none of these, with a suggestion.
  void allow_only(std::initializer_list<std::string_view> keys) const;
  std::vector<JsonView> elements() const;                         ///< of an array
  std::vector<std::pair<std::string, JsonView>> members() const;  ///< of an object, in order

  double number() const;  ///< a number, or "nan", "inf", "-inf"
  std::int64_t integer() const;
  std::uint64_t unsigned_integer() const;
  bool boolean() const;
  std::string text() const;

  bool is_null() const { return value_->is_null(); }
  /// Throws Error: "file: path: complaint".
  [[noreturn]] void refuse(std::string_view complaint) const;

 private:
  [[noreturn]] void expected(std::string_view what) const;

  const Json* value_;
  std::string file_;
  std::string path_;
};

}  // namespace hesse
