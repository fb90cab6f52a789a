#include "hesse/core/memory_use.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace hesse {

double memory_in_use() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double peak_memory() {
  // Of this program alone: what getrusage() tells outlives an exec.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::stod(line.substr(6));
  }
  return 0;
}

}  // namespace hesse
