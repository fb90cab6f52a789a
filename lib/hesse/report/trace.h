/// \file
/// The trace of a run: one row of figures at chosen steps, as a CSV file that grows while the run goes on.
///
/// Columns: step, epoch, seconds, gradient_equivalents, value, gradient_norm, step_size,
/// train_value, then the problem's metrics, then the method's telemetry. A figure that is not known
/// is "nan". Numbers are the shortest texts that read back to the same bits, whatever the locale.
#pragma once

#include "hesse/optim/minimize.h"
#include "hesse/problems/problem.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// A table of doubles with named columns.
struct Trace {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;  ///< each as long as `columns`

  /// Position of a column, or -1.
  Index find(std::string_view column) const;
  /// All entries of a column. Throws Error with a suggestion when there is none of this name.
  std::vector<double> column(std::string_view name) const;
};

/// The columns that every trace begins with.
std::span<const std::string> common_columns();

/// Reads a trace. A last line without its newline was being written when the writer was killed, and
/// is left out. Throws Error naming file and line on a repeated or ill-formed column name, a
/// missing "step", a row of another length, an entry that is not a number, or steps that do not grow.
Trace read_trace(const std::filesystem::path& path);
Trace parse_trace(std::string_view text, std::string_view file);

/// The file's text, for a trace that was not written row by row.
std::string trace_text(const Trace& trace);

/// At which steps a row is written; the first and the last point always have one.
struct TraceSchedule {
  /// In what rows are evenly spaced.
  enum class Spacing {
    steps,    ///< every `count` steps
    epochs,   ///< `count` rows evenly in each epoch
    decades,  ///< `count` rows in each tenfold of the step number, evenly in its logarithm
  };
  Spacing spacing = Spacing::steps;
  std::int64_t count = 1;  ///< >= 1

  /// True when a row falls on the step that led to (step, epochs) from (step - 1, epochs_before).
  bool due(std::int64_t step, double epochs, double epochs_before) const;
};

/// Records a run into a trace file. Each row reaches the operating system before the next step, so
/// that a killed run keeps it. In a row, `value`, `gradient_norm`, `step_size` and the telemetry are
/// the report of the step that led to the point: on that step's samples, before its update. `train_value`
/// and the metrics are evaluated at the point itself.
///
/// In a resumed run the rows after the checkpoint's step are dropped first: the run writes them
/// again. The last row of a run that ended in NaN or infinity has only its counters: the point that is
/// returned then is an earlier one.
class TraceObserver final : public Observer {
 public:
  /// `train_value` gives the full training objective at a point, or is empty; it may select samples
  /// as it likes, since the loop selects anew before each step. Metrics are those of the problem.
  /// Throws Error on a metric whose name is ill-formed (letters, digits, '_', '-', '.' are allowed)
  /// or taken.
  TraceObserver(std::filesystem::path path, TraceSchedule schedule, std::function<double(const Vector&)> train_value,
                std::vector<Metric> metrics);
  ~TraceObserver() override;

  /// Throws Error when the file cannot be written, or belongs to a run with other columns.
  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;

  const Trace& trace() const { return trace_; }

 private:
  void record(const Progress& progress, const StepReport& report, const Vector& x);
  void add_column(const char* name);
  void rewrite();
  void append(const std::vector<double>& row);

  std::filesystem::path path_;
  TraceSchedule schedule_;
  std::function<double(const Vector&)> train_value_;
  std::vector<Metric> metrics_;
  Trace trace_;
  std::size_t first_telemetry_ = 0;
  int descriptor_ = -1;
  double epochs_before_ = 0;
  StepReport last_report_;
};

}  // namespace hesse
