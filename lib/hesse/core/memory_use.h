/// \file
/// The memory of this process, as the system counts it.
#pragma once

namespace hesse {

constexpr double kMebibyte = 1048576.0;
constexpr double kGibibyte = 1073741824.0;

/// Bytes in memory now; 0 where the system does not tell.
double memory_in_use();
/// The most that there were so far.
double peak_memory();
/// Bytes that may still be taken: what the system has free or can free, and no more than what the limits on the address
/// space and on the control group leave. Infinite where nothing tells.
double available_memory();

}  // namespace hesse
