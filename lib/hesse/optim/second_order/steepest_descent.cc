/// \file
/// Steepest descent as a direction, d = -g: what the others are measured against.
#include "hesse/core/options.h"
#include "hesse/optim/second_order/direction.h"

#include <algorithm>

namespace hesse {
namespace {

struct SteepestDescentOptions {};
void visit_options(SteepestDescentOptions&, OptionVisitor&) {}

class SteepestDescent final : public Direction {
 public:
  explicit SteepestDescent(const SteepestDescentOptions&) {}
  DirectionReport direction(const Point& at, Vector& d) override {
    d = -at.g;
    return {};
  }
  double first_step(const Point& at, const Vector&) const override { return std::min(1.0, 1 / at.gradient_norm); }
};

}  // namespace

DirectionEntry steepest_descent_entry() {
  return direction_entry<SteepestDescent, SteepestDescentOptions>(
      "steepest-descent", "Along the gradient, with a search for the step", "Cauchy (1847)", "more-thuente");
}

}  // namespace hesse
