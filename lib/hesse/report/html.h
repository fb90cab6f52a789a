/// \file
/// The smallest pieces of an HTML page, with everything escaped that reaches it.
#pragma once

#include "hesse/report/table.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {

/// A text as content of an element or inside a quoted attribute: & < > " ' become entities; controls that HTML forbids
/// become U+FFFD.
std::string html_text(std::string_view text);

/// A JSON text that may stand in a script element: angle brackets, ampersands and the line separators U+2028 and
/// U+2029, which occur in texts of JSON alone, become escapes, so that nothing in it ends the element or begins
/// another.
std::string html_script_json(std::string_view json);

/// A paragraph, with the text escaped; `css_class` may be empty.
std::string html_paragraph(std::string_view text, std::string_view css_class = {});

/// A list of names and what they are, as a description list.
std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts);

/// A table whose columns sort on a click on their heads. Emphasised cells are bold; the title is its caption.
std::string html_table(const Table& table);

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

}  // namespace hesse
