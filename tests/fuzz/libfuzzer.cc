/// \file
/// The entry points of libFuzzer. HESSE_FUZZ_FORMAT names the format.
#include "fuzz.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

namespace {

const hesse::fuzz::Format* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("HESSE_FUZZ_FORMAT");
  for (const auto& format : hesse::fuzz::formats()) {
    if (name != nullptr && std::string_view(name) == format.name) chosen = &format;
  }
  if (chosen == nullptr) {
    fmt::print(stderr, "HESSE_FUZZ_FORMAT has to name a format:");
    for (const auto& format : hesse::fuzz::formats()) fmt::print(stderr, " {}", format.name);
    fmt::print(stderr, "\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hesse::fuzz::run(*chosen, {reinterpret_cast<const char*>(data), size});
  return 0;
}
