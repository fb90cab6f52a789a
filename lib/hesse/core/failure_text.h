/// \file
/// What a person is told of an exception.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace hesse {

/// What is told where memory cannot be had.
inline constexpr std::string_view kOutOfMemory = "out of memory; try a smaller problem, batch or precision float";

/// The exception's own text, or, of memory that could not be had, kOutOfMemory.
std::string failure_text(const std::exception& e);

}  // namespace hesse
