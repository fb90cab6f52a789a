/// \file
/// SHA-256 (NIST FIPS 180-4), by which downloaded files are told from damaged ones.
#pragma once

#include <string>
#include <string_view>

namespace hesse {

/// The digest of the bytes as 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace hesse
