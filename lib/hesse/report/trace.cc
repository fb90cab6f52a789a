#include "hesse/report/trace.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/printable.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/writing.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

namespace hesse {

namespace {

const std::vector<std::string> kCommonColumns = {"step",  "epoch",         "seconds",   "gradient_equivalents",
                                                 "value", "gradient_norm", "step_size", "train_value"};

/// Beyond it doubles are further apart than one step.
constexpr double kMostSteps = 0x1p53;

bool well_formed(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

void append_row(std::string& out, const std::vector<double>& row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out += ',';
    // One spelling for all NaN: their sign says nothing.
    if (std::isnan(row[i])) {
      out += "nan";
    } else {
      fmt::format_to(std::back_inserter(out), "{}", row[i]);
    }
  }
  out += '\n';
}

}  // namespace

std::span<const std::string> common_columns() { return kCommonColumns; }

Index Trace::find(std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  return found == columns.end() ? -1 : static_cast<Index>(found - columns.begin());
}

std::vector<double> Trace::column(std::string_view name) const {
  const Index at = find(name);
  if (at < 0) {
    fail("the trace has no column '{}'{}; it has {}", name, suggestion(name, columns), fmt::join(columns, ", "));
  }
  std::vector<double> out;
  out.reserve(rows.size());
  for (const std::vector<double>& row : rows) out.push_back(row[static_cast<std::size_t>(at)]);
  return out;
}

Trace parse_trace(std::string_view text, std::string_view file) {
  Trace trace;
  std::size_t line_number = 0;
  double last_step = -1;
  while (true) {
    const auto newline = text.find('\n');
    if (newline == std::string_view::npos) break;  // what follows is unfinished
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++line_number;
    const auto cells = split(line);
    if (line_number == 1) {
      for (const std::string_view name : cells) {
        if (!well_formed(name)) fail("{}: line 1: '{}' is not a column name", file, printable(name));
        if (trace.find(name) >= 0) fail("{}: line 1: the column '{}' is there twice", file, name);
        trace.columns.emplace_back(name);
      }
      if (trace.columns.front() != "step") fail("{}: line 1: the first column must be 'step'", file);
      continue;
    }
    if (cells.size() != trace.columns.size()) {
      fail("{}: line {}: expected {} entries, found {}", file, line_number, trace.columns.size(), cells.size());
    }
    std::vector<double>& row = trace.rows.emplace_back(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto [end, error] = std::from_chars(cells[i].data(), cells[i].data() + cells[i].size(), row[i]);
      if (error != std::errc{} || end != cells[i].data() + cells[i].size()) {
        fail("{}: line {}: column '{}': '{}' is not a number", file, line_number, trace.columns[i],
             printable(cells[i]));
      }
    }
    if (!(row[0] > last_step) || !(row[0] <= kMostSteps) || row[0] != std::floor(row[0])) {
      fail("{}: line {}: the step {} does not follow the step {}", file, line_number, cells[0], last_step);
    }
    last_step = row[0];
  }
  if (line_number == 0) fail("{}: line 1: the header is missing", file);
  return trace;
}

Trace read_trace(const std::filesystem::path& path) { return parse_trace(read_file(path), path.string()); }

std::string trace_text(const Trace& trace) {
  std::string out = fmt::format("{}\n", fmt::join(trace.columns, ","));
  for (const std::vector<double>& row : trace.rows) append_row(out, row);
  return out;
}

bool TraceSchedule::due(std::int64_t step, double epochs, double epochs_before) const {
  switch (spacing) {
    case Spacing::steps: return step % count == 0;
    case Spacing::epochs: {
      // Epochs are sums of fractions of a data set; a mark missed by rounding would come a step late.
      const auto marks = [&](double at) { return std::floor(at * static_cast<double>(count) + 1e-9); };
      return marks(epochs) > marks(epochs_before);
    }
    case Spacing::decades: {
      if (step <= 1) return true;
      const auto marks = [&](std::int64_t at) {
        return std::floor(std::log10(static_cast<double>(at)) * static_cast<double>(count) + 1e-9);
      };
      return marks(step) > marks(step - 1);
    }
  }
  return false;
}

TraceObserver::TraceObserver(std::filesystem::path path, TraceSchedule schedule,
                             std::function<double(const Vector&)> train_value, std::vector<Metric> metrics)
    : path_(std::move(path)), schedule_(schedule), train_value_(std::move(train_value)), metrics_(std::move(metrics)) {
  if (schedule.count < 1) fail("trace: the schedule's count is {}; it must be >= 1", schedule.count);
  trace_.columns = kCommonColumns;
  for (const Metric& metric : metrics_) {
    if (!well_formed(metric.name)) {
      fail("trace: the metric '{}' cannot name a column; use letters, digits, '_', '-' and '.'", metric.name);
    }
    if (trace_.find(metric.name) >= 0) fail("trace: the metric '{}' has the name of another column", metric.name);
    trace_.columns.push_back(metric.name);
  }
  first_telemetry_ = trace_.columns.size();
}

TraceObserver::~TraceObserver() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void TraceObserver::begin(const Progress& progress, const Vector& x, Optimizer&) {
  epochs_before_ = progress.epochs;
  last_report_ = {};
  trace_.rows.clear();
  trace_.columns.resize(first_telemetry_);
  std::error_code error;
  if (progress.step > 0 && std::filesystem::exists(path_, error)) {
    Trace old = read_trace(path_);
    if (old.columns.size() < first_telemetry_ ||
        !std::equal(trace_.columns.begin(), trace_.columns.end(), old.columns.begin())) {
      fail("{}: line 1: the columns are those of another run; give the resumed run the same problem and metrics",
           path_.string());
    }
    std::erase_if(old.rows, [&](const auto& row) { return row[0] > static_cast<double>(progress.step); });
    trace_ = std::move(old);
  }
  rewrite();
  const bool recorded = !trace_.rows.empty() && trace_.rows.back()[0] == static_cast<double>(progress.step);
  // The first point of the run. Where a resumed run begins needs no row of its own.
  if (progress.step == 0 && !recorded) record(progress, {}, x);
}

bool TraceObserver::after_step(const Iterate& iterate) {
  const Progress& progress = iterate.progress;
  last_report_ = iterate.report;
  if (schedule_.due(progress.step, progress.epochs, std::exchange(epochs_before_, progress.epochs))) {
    record(progress, iterate.report, iterate.x);
  }
  return false;
}

void TraceObserver::end(const Summary& summary, const Vector& x) {
  const auto step = static_cast<double>(summary.progress.step);
  if (!trace_.rows.empty() && trace_.rows.back()[0] >= step) return;
  if (summary.termination != Termination::non_finite) {
    record(summary.progress, last_report_, x);
    return;
  }
  // The returned point is an earlier one: its figures are not those of this step, which has none.
  std::vector<double> row(trace_.columns.size(), StepReport::kUnknown);
  row[0] = step;
  row[1] = summary.progress.epochs;
  row[2] = summary.progress.seconds;
  row[3] = summary.progress.cost.gradient_equivalents;
  append(row);
  trace_.rows.push_back(std::move(row));
}

void TraceObserver::record(const Progress& progress, const StepReport& report, const Vector& x) {
  for (std::size_t i = 0; i < report.telemetry_count; ++i) {
    if (trace_.find(report.telemetry[i].name) < 0) add_column(report.telemetry[i].name);
  }
  std::vector<double> row(trace_.columns.size(), StepReport::kUnknown);
  row[0] = static_cast<double>(progress.step);
  row[1] = progress.epochs;
  row[2] = progress.seconds;
  row[3] = progress.cost.gradient_equivalents;
  row[4] = report.value;
  row[5] = report.gradient_norm;
  row[6] = report.step_size;
  if (train_value_) row[7] = train_value_(x);
  for (std::size_t i = 0; i < metrics_.size(); ++i) row[kCommonColumns.size() + i] = metrics_[i].evaluate(x);
  for (std::size_t i = 0; i < report.telemetry_count; ++i) {
    row[static_cast<std::size_t>(trace_.find(report.telemetry[i].name))] = report.telemetry[i].value;
  }
  append(row);
  trace_.rows.push_back(std::move(row));
}

/// A method's telemetry is known once it has stepped, so that its columns come to a file that may
/// already have rows.
void TraceObserver::add_column(const char* name) {
  if (!well_formed(name)) {
    fail("trace: the telemetry '{}' cannot name a column; use letters, digits, '_', '-' and '.'", name);
  }
  trace_.columns.emplace_back(name);
  for (std::vector<double>& row : trace_.rows) row.push_back(StepReport::kUnknown);
  rewrite();
}

void TraceObserver::rewrite() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!writes_records()) return;
  write_file(path_, trace_text(trace_));
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) {
    fail_to_write(path_, "open the file for writing", errno);
  }
}

void TraceObserver::append(const std::vector<double>& row) {
  if (!writes_records()) return;
  std::string text;
  append_row(text, row);
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno != EINTR) {
      fail_to_write(path_, fmt::format("write the row of step {}", row[0]), errno);
    }
    if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace hesse
