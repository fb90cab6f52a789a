/// \file
/// The one exception type of Hesse. It is thrown for wrong use and bad input, and its text is one
/// sentence for a person: what is wrong, where, why, and what to do. A numerical outcome (not
/// converged, indefinite, non-finite) is never an exception: it is a field of a result.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace hesse {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with a formatted sentence: `fail("{}: expected {} bytes, found {}", path, a, b)`.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hesse
