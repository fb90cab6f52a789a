#include "hesse/optim/early_stopping.h"

#include "hesse/core/error.h"

#include <utility>

namespace hesse {

EarlyStopping::EarlyStopping(Figure figure, const EarlyStoppingOptions& options)
    : figure_(std::move(figure)), options_(options) {
  if (!figure_) fail("early stopping: there is no figure to watch; give a function of x");
  if (options.every < 1) fail("early stopping: every {} steps is not possible; give at least 1", options.every);
  if (options.patience < 1) fail("early stopping: patience {} is not possible; give at least 1", options.patience);
  if (!(options.least_gain >= 0)) fail("early stopping: least gain {}; give a number >= 0", options.least_gain);
}

void EarlyStopping::begin(const Progress&, const Vector&, Optimizer&) {
  best_figure_ = std::numeric_limits<double>::infinity();
  best_step_ = -1;
  looks_without_gain_ = 0;
  best_point_.resize(0);
}

bool EarlyStopping::after_step(const Iterate& iterate) {
  if (iterate.progress.step % options_.every != 0) return false;
  const double figure = figure_(iterate.x);
  if (figure < best_figure_ - options_.least_gain) {
    best_figure_ = figure;
    best_step_ = iterate.progress.step;
    best_point_ = iterate.x;
    looks_without_gain_ = 0;
    return false;
  }
  return ++looks_without_gain_ >= options_.patience;
}

std::string EarlyStopping::stop_reason() const {
  return fmt::format("the watched figure has not fallen below {:.6g} of step {} in {} looks", best_figure_, best_step_,
                     looks_without_gain_);
}

}  // namespace hesse
