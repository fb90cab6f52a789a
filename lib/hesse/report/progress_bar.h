/// \file
/// A line that tells how a run goes: redrawn in place on a terminal, plain lines elsewhere.
#pragma once

#include "hesse/optim/minimize.h"
#include "hesse/report/terminal.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace hesse {

/// Shows step, epoch, value, gradient norm, steps a second, and the time left by the budget that
/// will end the run first. On a terminal the line is redrawn at most ten times a second and never
/// wraps; elsewhere a plain line is written at the start and then for about each tenth of the
/// budget (without a budget: at steps 1, 2, 5, 10, 20, 50, ...). The last line says why the run ended.
///
/// Each write is one text, flushed. The text goes where the caller says, and nowhere else.
class ProgressBar final : public Observer {
 public:
  using Sink = std::function<void(std::string_view)>;

  /// `label` names the run and may be empty; `stopping` holds the budgets.
  ProgressBar(std::FILE* stream, std::string label, const Stopping& stopping);
  ProgressBar(Sink sink, TerminalStyle style, std::string label, const Stopping& stopping);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;
  /// In place of `end`, for a run that threw: the last line says what.
  void fail(std::string_view message);

 private:
  struct Share {
    double spent;  ///< of the budget that is nearest to its end, in [0, 1]; NaN without one
    double left;   ///< of the same budget, as a multiple of what this call has spent of it
  };
  Share share(const Progress& progress) const;
  std::string line(const Progress& progress, const StepReport& report) const;
  void show(const std::string& text, bool last);

  Sink sink_;
  std::FILE* stream_ = nullptr;  ///< to ask for its width again, since windows change
  TerminalStyle style_;
  std::string label_;
  Stopping stopping_;
  Progress start_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point shown_;
  double next_tenth_ = 0;
  std::int64_t next_step_ = 1;
};

/// "4.2 s", "3 min 20 s", "2 h 5 min", "12 d 4 h".
std::string duration_text(double seconds);

}  // namespace hesse
