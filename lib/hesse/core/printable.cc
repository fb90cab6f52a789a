#include "hesse/core/printable.h"

#include <algorithm>

namespace hesse {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), is_control, '?');
  return out;
}

bool is_printable(std::string_view text) { return std::none_of(text.begin(), text.end(), is_control); }

}  // namespace hesse
