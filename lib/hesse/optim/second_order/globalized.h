/// \file
/// A direction and a globalisation as one optimizer.
#pragma once

#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/second_order/direction.h"

#include <cstdint>
#include <memory>

namespace hesse {

/// A deterministic method: it compares f at different points, so give it all samples or large batches. The point of the
/// last step with its value and gradient is kept, so no point is evaluated twice; on a new batch, or when somebody has
/// moved x, it is evaluated again. When a line search fails, what the direction has learnt is dropped and it is tried
/// once more from the gradient.
class Globalized final : public Optimizer {
 public:
  /// Throws Error when the two do not go together.
  Globalized(std::unique_ptr<Direction> direction, std::unique_ptr<Globalization> globalization);

  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  bool prefers_full_batch() const override { return true; }

  Direction& direction() { return *direction_; }

 private:
  std::unique_ptr<Direction> direction_;
  std::unique_ptr<Globalization> globalization_;
  // The last accepted point: what the next step would evaluate again.
  Vector x_;
  Vector g_;
  double f_ = 0;
  std::int64_t on_all_samples_ = 0;  // 1 when f_ and g_ are those on all samples
  std::uint64_t revision_ = ~std::uint64_t{0};
  bool warm_ = false;  // whether the objective has seen the point, which a restored state alone has not shown it
  Trial trial_;
  Vector s_;
  Vector y_;
};

}  // namespace hesse
