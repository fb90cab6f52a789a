/// \file
/// The second half of a Newton-type method: how far to go along a direction, or how to minimise the model in a region
/// where it is trusted, so that the method converges from any start. See second_order/direction.h for the first half.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/second_order/direction.h"

#include <memory>
#include <string>

namespace hesse {

/// The point after a step; workspace of the search until then.
struct Trial {
  Vector x;
  Vector g;
  double value = 0;
};

/// Decides how far to go from a point on what a direction suggests.
class Globalization {
 public:
  virtual ~Globalization() = default;

  /// Makes a step of f from `at`, where `direction` has been prepared. On status ok `trial` holds the new point with
  /// its value and gradient, which were evaluated there; otherwise it holds nothing of use. Fills step size, inner
  /// iterations and telemetry of the report.
  virtual StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) = 0;

  /// What it needs of a direction and this one lacks ("levenberg-marquardt needs residuals"), or empty.
  virtual std::string misfit(const Direction& /*direction*/) const { return {}; }

  /// Names every number that the next steps depend on.
  virtual StateView state() { return {}; }
};

using GlobalizationRegistry = Registry<std::unique_ptr<Globalization>, NoContext>;
using GlobalizationEntry = GlobalizationRegistry::Entry;

template <class Method, class Options>
GlobalizationEntry globalization_entry(std::string name, std::string summary, std::string source) {
  return registry_entry<Options, std::unique_ptr<Globalization>, NoContext>(
      std::move(name), std::move(summary), std::move(source),
      [](const Options& options, NoContext) -> std::unique_ptr<Globalization> {
        return std::make_unique<Method>(options);
      });
}

/// Every globalisation.
const GlobalizationRegistry& globalizations();

}  // namespace hesse
