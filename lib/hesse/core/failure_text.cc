#include "hesse/core/failure_text.h"

#include <new>

namespace hesse {

std::string failure_text(const std::exception& e) {
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    return "out of memory; try a smaller problem, batch or precision float";
  }
  return e.what();
}

}  // namespace hesse
