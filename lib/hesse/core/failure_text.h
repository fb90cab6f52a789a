/// \file
/// What a person is told of an exception.
#pragma once

#include <exception>
#include <string>

namespace hesse {

/// The exception's own text, or, of memory that could not be had, what to do: "out of memory; try ...".
std::string failure_text(const std::exception& e);

}  // namespace hesse
