// Preloaded into a program, makes one of its calls of the system fail: HESSE_FAIL=KIND:N, the N-th call after main has
// begun. Kinds are malloc (any allocation), write, fsync and rename, of files and not of the terminal. The program's
// own children are left alone.
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

enum class Kind { none, malloc, write, fsync, rename };
Kind kind = Kind::none;
long wanted = 0;
bool armed = false;
std::atomic<long> calls{0};

bool fails(Kind called) { return armed && called == kind && ++calls == wanted; }

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Main = int(int, char**, char**);
Main* real_main = nullptr;

int armed_main(int argc, char** argv, char** environment) {
  const char* const text = std::getenv("HESSE_FAIL");
  if (text != nullptr) {
    const char* const names[] = {"none", "malloc", "write", "fsync", "rename"};
    for (int i = 1; i < 5; ++i) {
      const std::size_t length = std::strlen(names[i]);
      if (std::strncmp(text, names[i], length) != 0 || text[length] != ':') continue;
      kind = static_cast<Kind>(i);
      wanted = std::atol(text + length + 1);
    }
  }
  ::unsetenv("LD_PRELOAD");
  armed = true;
  const int status = real_main(argc, argv, environment);
  armed = false;
  return status;
}

}  // namespace

extern "C" {

int __libc_start_main(Main* main, int argc, char** argv, void (*init)(), void (*fini)(), void (*rtld_fini)(),
                      void* end) {
  real_main = main;
  auto* const start = next<int(Main*, int, char**, void (*)(), void (*)(), void (*)(), void*)>("__libc_start_main");
  return start(&armed_main, argc, argv, init, fini, rtld_fini, end);
}

void* malloc(std::size_t size) {
  if (!fails(Kind::malloc)) return __libc_malloc(size);
  errno = ENOMEM;
  return nullptr;
}

void* calloc(std::size_t count, std::size_t size) {
  if (!fails(Kind::malloc)) return __libc_calloc(count, size);
  errno = ENOMEM;
  return nullptr;
}

void* realloc(void* old, std::size_t size) {
  if (!fails(Kind::malloc)) return __libc_realloc(old, size);
  errno = ENOMEM;
  return nullptr;
}

int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  if (fails(Kind::malloc)) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out != nullptr ? 0 : ENOMEM;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  if (!fails(Kind::malloc)) return __libc_memalign(alignment, size);
  errno = ENOMEM;
  return nullptr;
}

ssize_t write(int file, const void* bytes, std::size_t size) {
  if (file > 2 && fails(Kind::write)) {
    errno = EIO;
    return -1;
  }
  static auto* const real = next<ssize_t(int, const void*, std::size_t)>("write");
  return real(file, bytes, size);
}

int fsync(int file) {
  if (fails(Kind::fsync)) {
    errno = EIO;
    return -1;
  }
  static auto* const real = next<int(int)>("fsync");
  return real(file);
}

int rename(const char* from, const char* to) {
  if (fails(Kind::rename)) {
    errno = EIO;
    return -1;
  }
  static auto* const real = next<int(const char*, const char*)>("rename");
  return real(from, to);
}

}  // extern "C"
