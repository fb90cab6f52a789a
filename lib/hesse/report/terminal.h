/// \file
/// What a terminal can show: asked once, and passed on to whatever writes to it.
#pragma once

#include "hesse/core/types.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// What the terminal can show.
struct TerminalStyle {
  bool interactive = false;  ///< a person watches: lines may be redrawn
  bool color = false;
  bool unicode = false;
  Index width = 80;  ///< columns; 0 means no limit
};

/// Style of a stream: interactive when it is a terminal (and TERM is not "dumb"), its width asked of the terminal
/// (COLUMNS where that fails, no limit for files and pipes), colour unless NO_COLOR is set to
/// anything but the empty text, Unicode when LC_ALL, LC_CTYPE or LANG, the first that is set, names UTF-8.
TerminalStyle terminal_style(std::FILE* stream);

/// Columns that a UTF-8 text takes: 2 for wide characters of East Asia and emoji, 0 for combining marks.
Index display_width(std::string_view text);

/// The text cut to at most `width` columns, its end replaced by an ellipsis; never cuts a character.
std::string fit(std::string_view text, Index width, bool unicode);

/// The text in lines of at most `width` >= 1 columns, broken at spaces; a word that is longer than a line is broken
/// behind a mark (one of ,:;|+=/_-) in the line's second half where there is one, else where the line ends. At least
/// one line.
std::vector<std::string> wrapped_lines(std::string_view text, Index width);

/// The same as one text, each line ended by a newline and those after the first moved in by `indent`; in one line where
/// `width` is 0 (no limit).
std::string wrapped(std::string_view text, Index width, Index indent = 0);

}  // namespace hesse
