#include "hesse/core/blas_kernels.h"

#include "hesse/core/blas.h"

#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace hesse {

const char* better_blas_kernels() {
#if defined(__x86_64__)
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return nullptr;
  if (std::strstr(blas_description(), "Prescott") == nullptr) return nullptr;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (avx512) return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

void restart_with_better_blas_kernels(char** argv) {
  const char* const kernels = better_blas_kernels();
  if (kernels == nullptr || ::setenv("OPENBLAS_CORETYPE", kernels, 1) != 0) return;
  // BLAS runs on the thread that calls it (core/blas.h). The threads that OpenBLAS starts of its own would have nothing
  // to do, and where memory is short it waits for them for ever at the end.
  ::setenv("OPENBLAS_NUM_THREADS", "1", 0);
  // By its own path, of which the name of the process is made, unless that leads elsewhere by now.
  std::array<char, PATH_MAX + 1> program{};
  if (::readlink("/proc/self/exe", program.data(), PATH_MAX) > 0) ::execv(program.data(), argv);
  ::execv("/proc/self/exe", argv);
  ::unsetenv("OPENBLAS_CORETYPE");
}

}  // namespace hesse
