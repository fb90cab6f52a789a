#include "memory.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>  // which says whether the library is glibc

namespace hesse::fuzz {
namespace {

std::atomic<std::ptrdiff_t> held{0};
std::atomic<std::ptrdiff_t> most{0};
std::atomic<std::ptrdiff_t> before{0};

void took(std::size_t size) {
  const std::ptrdiff_t now = held.fetch_add(static_cast<std::ptrdiff_t>(size)) + static_cast<std::ptrdiff_t>(size);
  std::ptrdiff_t seen = most.load();
  while (now > seen && !most.compare_exchange_weak(seen, now)) {
  }
}

void gave(std::size_t size) { held.fetch_sub(static_cast<std::ptrdiff_t>(size)); }

}  // namespace

void start_counting_memory() {
  before = held.load();
  most = held.load();
}

std::size_t most_memory() { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, most - before)); }

}  // namespace hesse::fuzz

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HESSE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HESSE_SANITIZED 1
#endif

#if defined(HESSE_SANITIZED)

// <sanitizer/allocator_interface.h>, which GCC's has too.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                              void (*on_free)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void* p);
}

namespace {
[[maybe_unused]] const int installed =
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t size) { hesse::fuzz::took(size); },
                                              [](const volatile void* p) {
                                                if (p != nullptr) hesse::fuzz::gave(__sanitizer_get_allocated_size(p));
                                              });
}  // namespace

#elif defined(__GLIBC__)

#include <malloc.h>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  void* const p = __libc_malloc(size);
  if (p != nullptr) hesse::fuzz::took(malloc_usable_size(p));
  return p;
}
void* calloc(std::size_t count, std::size_t size) {
  void* const p = __libc_calloc(count, size);
  if (p != nullptr) hesse::fuzz::took(malloc_usable_size(p));
  return p;
}
void* realloc(void* old, std::size_t size) {
  const std::size_t old_size = old == nullptr ? 0 : malloc_usable_size(old);
  void* const p = __libc_realloc(old, size);
  if (p != nullptr) {
    hesse::fuzz::took(malloc_usable_size(p));
    hesse::fuzz::gave(old_size);
  }
  return p;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  void* const p = __libc_memalign(alignment, size);
  if (p != nullptr) hesse::fuzz::took(malloc_usable_size(p));
  return p;
}
void free(void* p) {
  if (p != nullptr) hesse::fuzz::gave(malloc_usable_size(p));
  __libc_free(p);
}
}

#endif
