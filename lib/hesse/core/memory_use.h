/// \file
/// The memory of this process, as the system counts it.
#pragma once

namespace hesse {

constexpr double kMebibyte = 1048576.0;

/// Bytes in memory now; 0 where the system does not tell.
double memory_in_use();
/// The most that there were so far.
double peak_memory();

}  // namespace hesse
