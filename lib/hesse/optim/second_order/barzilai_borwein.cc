#include "hesse/optim/second_order/barzilai_borwein.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>

namespace hesse {

void visit_options(BarzilaiBorweinOptions& o, OptionVisitor& v) {
  v.choice(
      "step", o.step,
      {{"long", TwoPointStep::longer}, {"short", TwoPointStep::shorter}, {"alternating", TwoPointStep::alternating}},
      "s's / s'y, s'y / y'y, or both in turn");
  v.option("least", o.least, Interval::positive(), "least alpha");
  v.option("most", o.most, Interval::positive(), "greatest alpha");
}

DirectionReport BarzilaiBorwein::direction(const Point& at, Vector& d) {
  const double alpha = alpha_ > 0 ? alpha_ : std::min(1.0, 1 / at.gradient_norm);
  d = -alpha * at.g;
  return {};
}

void BarzilaiBorwein::update(const Vector& s, const Vector& y) {
  const double sy = dot(s, y);
  ++updates_;
  const bool longer =
      options_.step == TwoPointStep::longer || (options_.step == TwoPointStep::alternating && updates_ % 2 == 1);
  // Where the curvature along s is not positive the quotients mean nothing, and the length starts again.
  alpha_ = sy > 0 ? std::clamp(longer ? dot(s, s) / sy : sy / dot(y, y), options_.least, options_.most) : 0;
}

bool BarzilaiBorwein::forget() {
  const bool any = alpha_ > 0;
  alpha_ = 0;
  return any;
}

DirectionEntry barzilai_borwein_entry() {
  return direction_entry<BarzilaiBorwein, BarzilaiBorweinOptions>(
      "barzilai-borwein", "Steps along the gradient of a length from the last two points",
      "Barzilai and Borwein (1988); Raydan (1997)", "backtracking:memory=10");
}

}  // namespace hesse
