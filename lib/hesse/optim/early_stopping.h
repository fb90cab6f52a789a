/// \file
/// Early stopping (Prechelt 1998): ends a run when a figure that is not the objective, such as the loss
/// on held-out samples, has stopped falling.
#pragma once

#include "hesse/optim/minimize.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace hesse {

/// Which metric, and how long it may fail to improve.
struct EarlyStoppingOptions {
  std::int64_t every = 1;     ///< steps between two looks at the figure, >= 1
  std::int64_t patience = 5;  ///< looks in a row without improvement after which the run ends, >= 1
  double least_gain = 0;      ///< an improvement must exceed this, >= 0, in units of the figure
};

/// Looks at `figure(x)` (lower is better) at every step whose number is a multiple of `every`, and
/// asks to stop after `patience` looks in a row that did not improve on the best one. A NaN is no
/// improvement. The clock of the run stands still meanwhile. Keeps a copy of the best point. A resumed
/// run starts its patience anew.
class EarlyStopping final : public Observer {
 public:
  using Figure = std::function<double(const Vector&)>;

  /// Throws Error on an option out of range or an empty figure.
  explicit EarlyStopping(Figure figure, const EarlyStoppingOptions& options = {});

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  std::string stop_reason() const override;

  double best_figure() const { return best_figure_; }       ///< infinity before the first finite look
  std::int64_t best_step() const { return best_step_; }     ///< step at which it was seen; -1 if none
  const Vector& best_point() const { return best_point_; }  ///< x at that step; empty if none

 private:
  Figure figure_;
  EarlyStoppingOptions options_;
  double best_figure_ = std::numeric_limits<double>::infinity();
  std::int64_t best_step_ = -1;
  std::int64_t looks_without_gain_ = 0;
  Vector best_point_;
};

}  // namespace hesse
