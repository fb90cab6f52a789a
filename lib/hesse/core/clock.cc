#include "hesse/core/clock.h"

#include <chrono>
#include <utility>

namespace hesse {
namespace {

std::function<double()>& chosen() {
  static std::function<double()> clock;
  return clock;
}

}  // namespace

double decision_clock() {
  if (const std::function<double()>& clock = chosen()) return clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void set_decision_clock(std::function<double()> clock) { chosen() = std::move(clock); }

}  // namespace hesse
