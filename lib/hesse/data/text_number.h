/// \file
/// Numbers in text files, read the same under every locale.
#pragma once

#include <string>
#include <string_view>

namespace hesse {

/// Without blanks and tabs at either end.
std::string_view trimmed(std::string_view text);

/// The beginning of a text of unknown origin, fit for one line of an error text: at most 40 bytes, anything but
/// printable ASCII replaced by '?'.
std::string excerpt(std::string_view text);

/// What a field of a text file holds.
struct TextNumber {
  /// How reading a number ended.
  enum class Kind {
    finite,
    missing,     ///< empty, or one of NA, N/A, nan, null, none, ? in any case
    non_finite,  ///< infinity, or a number outside double's range
    text,        ///< anything else
  };
  Kind kind = Kind::text;
  double value = 0;  ///< when finite
};

/// Reads a whole field: an optional sign (also '+'), decimal digits, optional exponent; blanks around it are ignored.
TextNumber read_number(std::string_view field);

}  // namespace hesse
