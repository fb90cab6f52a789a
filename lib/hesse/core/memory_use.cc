#include "hesse/core/memory_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace hesse {

double memory_in_use() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double peak_memory() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return 1024 * static_cast<double>(usage.ru_maxrss);
}

}  // namespace hesse
