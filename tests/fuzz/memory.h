/// \file
/// The most memory that was held at once, by the C library's allocator or by AddressSanitizer's.
#pragma once

#include <cstddef>

namespace hesse::fuzz {

/// Forgets what was; from now on counts.
void start_counting_memory();

/// The most bytes that were held at a time since, beside those that were held then.
std::size_t most_memory();

}  // namespace hesse::fuzz
