/// \file
/// Barzilai and Borwein's two-point step: d = -alpha g with alpha from the last step's s and change y of the gradient,
///
///     long   s's / s'y        (1988, eq. (5))
///     short  s'y / y'y        (ibid., eq. (6))
///     alternating: long and short in turn
///
/// Values rise now and then on the way, so it wants a non-monotone search (Raydan 1997). One vector besides the
/// gradient.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/second_order/direction.h"

#include <cstdint>

namespace hesse {

enum class TwoPointStep { longer, shorter, alternating };

/// Settings of the Barzilai-Borwein step.
struct BarzilaiBorweinOptions {
  TwoPointStep step = TwoPointStep::longer;
  double least = 1e-30;  ///< bounds on alpha (Raydan 1997), > 0
  double most = 1e30;
};
void visit_options(BarzilaiBorweinOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class BarzilaiBorwein final : public Direction {
 public:
  explicit BarzilaiBorwein(const BarzilaiBorweinOptions& options) : options_(options) {}
  DirectionReport direction(const Point& at, Vector& d) override;
  void update(const Vector& s, const Vector& y) override;
  bool forget() override;
  StateView state() override { return {{"alpha", &alpha_}, {"updates", &updates_}}; }

 private:
  BarzilaiBorweinOptions options_;
  double alpha_ = 0;  // 0: no step is known yet
  std::int64_t updates_ = 0;
};

}  // namespace hesse
