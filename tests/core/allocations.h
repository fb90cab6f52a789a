/// \file
/// Counts calls of the C library's allocator: Eigen calls it directly and operator new through it. For one source of a
/// test program, which this header gives its own malloc. Sanitizers bring theirs, and then nothing is counted.
///
/// What OpenBLAS allocates inside a call is its own affair: its kernels for some processors take packing buffers anew
/// each time, and which it has depends on the machine.
#pragma once

#include <cstdlib>  // which says whether the library is glibc

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HESSE_COUNTS_ALLOCATIONS 1

#include <link.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

std::atomic<long> allocations{0};

/// Where OpenBLAS lies in memory; empty where it is not loaded or linked in.
struct BlasRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  BlasRange() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
          if (info->dlpi_name == nullptr || std::strstr(info->dlpi_name, "openblas") == nullptr) return 0;
          auto& range = *static_cast<BlasRange*>(data);
          range.begin = info->dlpi_addr;
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& segment = info->dlpi_phdr[i];
            const std::uintptr_t last = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
            if (segment.p_type == PT_LOAD && last > range.end) range.end = last;
          }
          return 1;
        },
        this);
  }
};
const BlasRange blas_range;

void count_allocation(const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  if (at >= blas_range.begin && at < blas_range.end) return;
  allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  count_allocation(__builtin_return_address(0));
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  count_allocation(__builtin_return_address(0));
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  count_allocation(__builtin_return_address(0));
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count_allocation(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
}

#endif
