#include "hesse/data/text_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace hesse {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string excerpt(std::string_view text) {
  std::string out(text.substr(0, 40));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

TextNumber read_number(std::string_view field) {
  std::string_view text = trimmed(field);
  if (text.empty()) return {TextNumber::Kind::missing, 0};
  // from_chars takes no '+', which LIBSVM's labels carry.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end == text.data() + text.size()) {
    if (error == std::errc::result_out_of_range || std::isinf(value)) return {TextNumber::Kind::non_finite, 0};
    if (error == std::errc{} && std::isfinite(value)) return {TextNumber::Kind::finite, value};
  }
  if (text.size() <= 5) {
    if (text[0] == '-') text.remove_prefix(1);
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    for (const char* missing : {"na", "n/a", "nan", "null", "none", "?"}) {
      if (lower == missing) return {TextNumber::Kind::missing, 0};
    }
  }
  return {};
}

}  // namespace hesse
