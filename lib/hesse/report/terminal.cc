#include "hesse/report/terminal.h"

#include "hesse/core/options.h"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>

namespace hesse {

namespace {

std::string_view environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

bool names_utf8(std::string_view locale) {
  for (const char* spelling : {"UTF-8", "utf-8", "UTF8", "utf8"}) {
    if (locale.find(spelling) != std::string_view::npos) return true;
  }
  return false;
}

/// The character at the front of `text` and its number of bytes; a broken sequence counts as one byte.
struct Character {
  std::uint32_t code;
  std::size_t bytes;
};
Character front(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t bytes = first < 0x80   ? 1
                            : first < 0xC0 ? 0
                            : first < 0xE0 ? 2
                            : first < 0xF0 ? 3
                            : first < 0xF8 ? 4
                                           : 0;
  if (bytes == 0 || bytes > text.size()) return {first, 1};
  std::uint32_t code = bytes == 1 ? first : first & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {first, 1};
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  return {code, bytes};
}

Index width_of(std::uint32_t code) {
  const auto in = [code](std::uint32_t low, std::uint32_t high) { return code >= low && code <= high; };
  if (code < 0x20 || in(0x7F, 0x9F) || in(0x300, 0x36F) || in(0x200B, 0x200F) || in(0x20D0, 0x20FF) ||
      in(0xFE00, 0xFE0F)) {
    return 0;
  }
  const bool wide = in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) || in(0xF900, 0xFAFF) ||
                    in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) || in(0x1F300, 0x1FAFF) ||
                    in(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

TerminalStyle terminal_style(std::FILE* stream) {
  TerminalStyle style;
  const int descriptor = ::fileno(stream);
  style.interactive = descriptor >= 0 && ::isatty(descriptor) == 1 && environment("TERM") != "dumb";
  style.color = style.interactive && environment("NO_COLOR").empty();
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (const std::string_view locale = environment(name); !locale.empty()) {
      style.unicode = names_utf8(locale);
      break;
    }
  }
  style.width = 0;
  if (style.interactive) {
    struct winsize size {};
    const std::string_view columns = environment("COLUMNS");
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      style.width = size.ws_col;
    } else if (std::from_chars(columns.data(), columns.data() + columns.size(), style.width).ec != std::errc{} ||
               style.width < 1) {
      style.width = 80;
    }
  }
  return style;
}

Index display_width(std::string_view text) {
  Index width = 0;
  while (!text.empty()) {
    const Character next = front(text);
    width += width_of(next.code);
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::string fit(std::string_view text, Index width, bool unicode) {
  if (display_width(text) <= width) return std::string(text);
  const std::string_view ellipsis = unicode ? "…" : "~";
  if (width < 1) return {};
  std::string out;
  Index used = 1;  // the ellipsis
  while (!text.empty()) {
    const Character next = front(text);
    used += width_of(next.code);
    if (used > width) break;
    out += text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
  }
  return out + std::string(ellipsis);
}

namespace {

/// How much of `word` goes on a line of `width` columns: all, up to a mark, or as many whole characters as fit.
std::size_t bytes_that_fit(std::string_view word, Index width) {
  Index used = 0;
  std::size_t bytes = 0;
  std::size_t behind_mark = 0;
  while (bytes < word.size()) {
    const Character next = front(word.substr(bytes));
    used += width_of(next.code);
    if (used > width) break;
    bytes += next.bytes;
    if (2 * used > width && std::string_view(",:;|+=/_-").find(word[bytes - 1]) != std::string_view::npos) {
      behind_mark = bytes;
    }
  }
  if (bytes == word.size()) return bytes;
  // A line that is narrower than one character takes it all the same.
  return behind_mark > 0 ? behind_mark : bytes > 0 ? bytes : front(word).bytes;
}

}  // namespace

std::vector<std::string> wrapped_lines(std::string_view text, Index width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const auto space = text.find(' ');
    std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (!line.empty() && display_width(line) + 1 + display_width(word) <= width) {
      line += ' ';
      line += word;
      continue;
    }
    if (!line.empty()) lines.push_back(std::move(line));
    for (auto count = bytes_that_fit(word, width); count < word.size(); count = bytes_that_fit(word, width)) {
      lines.emplace_back(word.substr(0, count));
      word.remove_prefix(count);
    }
    line = word;
  }
  if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string wrapped(std::string_view text, Index width, Index indent) {
  if (width == 0) return std::string(text) + '\n';
  // The first line has more room than those that are moved in; a blank start takes it up for all.
  const std::string blank(static_cast<std::size_t>(indent), ' ');
  std::string out;
  for (const std::string& line : wrapped_lines(text, std::max<Index>(1, width - indent))) {
    out += fmt::format("{}{}\n", out.empty() ? "" : blank, line);
  }
  return out;
}

}  // namespace hesse
