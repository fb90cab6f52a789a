#include "hesse/core/memory_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The number behind `key` in a file of lines, in bytes where the file counts in kB; `otherwise` where there is none.
double kilobytes_of(const char* file, std::string_view key, double otherwise) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) return 1024 * std::stod(line.substr(key.size()));
  }
  return otherwise;
}

/// The number that a file consists of; infinite where it is "max" or there is no file.
double number_in(const char* file) {
  double number = 0;
  return std::ifstream(file) >> number ? number : kInfinity;
}

}  // namespace

double memory_in_use() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double peak_memory() {
  // Of this program alone: what getrusage() tells outlives an exec.
  return kilobytes_of("/proc/self/status", "VmHWM:", 0);
}

double available_memory() {
  double available = kilobytes_of("/proc/meminfo", "MemAvailable:", kInfinity);
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const double taken = kilobytes_of("/proc/self/status", "VmSize:", 0);
    available = std::min(available, static_cast<double>(limit.rlim_cur) - taken);
  }
  // Of the group of a container, which sees itself as the root.
  available = std::min(available, number_in("/sys/fs/cgroup/memory.max") - number_in("/sys/fs/cgroup/memory.current"));
  return std::max(available, 0.0);
}

}  // namespace hesse
