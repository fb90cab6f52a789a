/// \file
/// Texts of unknown origin in error texts, which are one line each.
#pragma once

#include <string>
#include <string_view>

namespace hesse {

/// The text with every control character (a byte below 0x20, or 0x7F) as '?': it starts no new line and sends nothing
/// to a terminal.
std::string printable(std::string_view text);

/// Whether there is nothing to replace.
bool is_printable(std::string_view text);

}  // namespace hesse
