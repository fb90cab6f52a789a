#include "hesse/core/denormals.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace hesse {
namespace {

#if defined(__x86_64__)
constexpr std::uint64_t kDenormalsAsZero = 0x8040;  // flush to zero, and denormals are zero
#elif defined(__aarch64__)
constexpr std::uint64_t kDenormalsAsZero = std::uint64_t{1} << 24U;  // FZ
#else
constexpr std::uint64_t kDenormalsAsZero = 0;
#endif

}  // namespace

std::uint64_t floating_point_mode() {
#if defined(__x86_64__)
  // Without the flags of what has happened, which are no mode.
  return _mm_getcsr() & ~0x3FU;
#elif defined(__aarch64__)
  std::uint64_t mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

void set_floating_point_mode([[maybe_unused]] std::uint64_t mode) {
#if defined(__x86_64__)
  _mm_setcsr(static_cast<unsigned>(mode) | (_mm_getcsr() & 0x3FU));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(mode));
#endif
}

DenormalsAsZero::DenormalsAsZero() : before_(floating_point_mode()) {
  set_floating_point_mode(before_ | kDenormalsAsZero);
}

}  // namespace hesse
