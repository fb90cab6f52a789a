/// \file
/// What a page of HTML has to keep: tags that are balanced, and an embedded JSON text that reads back.
#pragma once

#include "hesse/report/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace hesse::test {

/// The first thing that is wrong with the tags of a page, or nothing. Reads as a browser does: the text of <script> and
/// <style> ends at their end tag alone, quotes hold attributes together.
inline std::string tag_trouble(std::string_view page) {
  constexpr std::array<std::string_view, 5> kVoid = {"meta", "img", "br", "link", "hr"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at)) {
    if (page.substr(at, 2) == "<!") {
      at = page.find('>', at);
      continue;
    }
    const bool closes = page.substr(at + 1, 1) == "/";
    std::size_t end = at + (closes ? 2 : 1);
    std::string name;
    while (end < page.size() && std::isalnum(static_cast<unsigned char>(page[end])) != 0) name += page[end++];
    if (name.empty()) return fmt::format("a bare '<' at byte {}: {}", at, page.substr(at, 40));
    char quote = 0;
    while (end < page.size() && (quote != 0 || page[end] != '>')) {
      if (quote != 0) {
        if (page[end] == quote) quote = 0;
      } else if (page[end] == '"' || page[end] == '\'') {
        quote = page[end];
      } else if (page[end] == '<') {
        return fmt::format("a '<' inside the tag {} at byte {}", name, at);
      }
      ++end;
    }
    if (end >= page.size()) return fmt::format("the tag {} at byte {} does not end", name, at);
    at = end + 1;
    if (closes) {
      if (open.empty() || open.back() != name) {
        return fmt::format("</{}> closes {}", name, open.empty() ? "nothing" : open.back());
      }
      open.pop_back();
      continue;
    }
    if (std::find(kVoid.begin(), kVoid.end(), name) != kVoid.end()) continue;
    open.push_back(name);
    if (name == "script" || name == "style") {
      at = page.find("</" + name, at);
      if (at == std::string_view::npos) return fmt::format("{} has no end", name);
    }
  }
  return open.empty() ? "" : fmt::format("{} is not closed", open.back());
}

/// How often `what` stands in `text`.
inline int count_of(std::string_view text, std::string_view what) {
  int count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

}  // namespace hesse::test
