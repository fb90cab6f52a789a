#include "hesse/core/failure_text.h"

#include <new>

namespace hesse {

std::string failure_text(const std::exception& e) {
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) return std::string(kOutOfMemory);
  return e.what();
}

}  // namespace hesse
