#include "hesse/report/writing.h"

namespace hesse {
namespace {

bool& written() {
  static bool value = true;
  return value;
}

}  // namespace

bool writes_records() { return written(); }

void write_no_records() { written() = false; }

}  // namespace hesse
