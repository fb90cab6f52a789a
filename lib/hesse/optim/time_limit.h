/// \file
/// A limit on the time that a person waits: the clock on the wall, whatever runs. Stopping::max_seconds counts the
/// optimizer's own time alone, so that a comparison is fair; this one counts observers and their metrics too.
#pragma once

#include "hesse/optim/minimize.h"

#include <string>

namespace hesse {

/// Asks to stop after the first step that ends later than so many seconds after begin(). A resumed run has its seconds
/// anew.
class TimeLimit final : public Observer {
 public:
  /// Throws Error unless seconds > 0.
  explicit TimeLimit(double seconds);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  std::string stop_reason() const override;

 private:
  double seconds_;
  double begin_ = 0;
};

}  // namespace hesse
