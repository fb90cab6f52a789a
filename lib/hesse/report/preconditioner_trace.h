/// \file
/// The preconditioners of a run one by one: of each matrix that a method keeps (a K-FAC factor, a side of a block of
/// Shampoo or SOAP) its condition, the residual of its root and its staleness, where the trace has but the worst of
/// them. `preconditioners.csv` has a line for each at every step that the trace has a row for:
///
///     step, preconditioner, extent, condition, root_residual, staleness, fallback, failed
///
/// with "nan" for what the method does not know (optim/optimizer.h says what each is).
#pragma once

#include "hesse/optim/minimize.h"
#include "hesse/report/figure.h"
#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"
#include "hesse/report/trace.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace hesse {

/// The file's name within the folder of a run.
inline constexpr const char* kPreconditionersFile = "preconditioners.csv";

/// Writes the file of a method that has preconditioners, and nothing for others. In a resumed run the lines after the
/// checkpoint's step are dropped first: the run writes them again.
class PreconditionerTrace final : public Observer {
 public:
  PreconditionerTrace(const std::filesystem::path& folder, TraceSchedule schedule);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;

 private:
  void record(std::int64_t step);

  std::filesystem::path path_;
  TraceSchedule schedule_;
  Optimizer* optimizer_ = nullptr;
  std::int64_t resumed_at_ = 0;
  std::int64_t recorded_ = -1;  ///< the last step with lines
  bool begun_ = false;
  double epochs_before_ = 0;
};

/// The condition, the residual of the root and the staleness of each preconditioner of a run over its steps: at most
/// three figures, named preconditioner_condition and so on, without those that the method does not know. Of more than
/// twelve preconditioners those with the twelve largest figures are drawn. None where the run has no such file.
std::vector<Figure> preconditioner_figures(const RecordedRun& run);

/// Draws these figures to NAME_by_steps.svg. Throws Error where gnuplot is missing or complains.
void write_preconditioner_plots(const std::filesystem::path& folder, const RecordedRun& run, Palette& palette);

}  // namespace hesse
