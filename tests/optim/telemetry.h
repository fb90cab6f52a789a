/// \file
/// What a step told beside the common figures.
#pragma once

#include "hesse/optim/optimizer.h"

#include <catch2/catch.hpp>

#include <string>

namespace hesse {

inline double told(const StepReport& report, const std::string& name) {
  for (std::size_t i = 0; i < report.telemetry_count; ++i) {
    if (report.telemetry[i].name == name) return report.telemetry[i].value;
  }
  FAIL("no figure called " << name);
  return 0;
}

}  // namespace hesse
