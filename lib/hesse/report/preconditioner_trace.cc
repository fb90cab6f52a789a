#include "hesse/report/preconditioner_trace.h"

#include "hesse/core/error.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/step_lines.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

namespace hesse {
namespace {

constexpr const char* kHeader = "step,preconditioner,extent,condition,root_residual,staleness,fallback,failed\n";
static_assert(kPreconditionerFigures == 5, "a column for each");

std::string lines_of(std::int64_t step, const std::vector<PreconditionerReport>& all) {
  std::string text;
  for (const PreconditionerReport& one : all) {
    text += fmt::format("{},{},{}", step, one.name, one.extent);
    for (const double figure : one.figures) text += std::isnan(figure) ? ",nan" : fmt::format(",{}", figure);
    text += '\n';
  }
  return text;
}

/// One preconditioner over the steps.
struct Line {
  std::string name;
  Curve curve;
  double largest = 0;
};

}  // namespace

PreconditionerTrace::PreconditionerTrace(const std::filesystem::path& folder, TraceSchedule schedule)
    : path_(folder / kPreconditionersFile), schedule_(schedule) {}

void PreconditionerTrace::begin(const Progress& progress, const Vector&, Optimizer& optimizer) {
  optimizer_ = &optimizer;
  resumed_at_ = progress.step;
  epochs_before_ = progress.epochs;
  begun_ = false;
  recorded_ = -1;
}

bool PreconditionerTrace::after_step(const Iterate& iterate) {
  const Progress& progress = iterate.progress;
  if (schedule_.due(progress.step, progress.epochs, std::exchange(epochs_before_, progress.epochs))) {
    record(progress.step);
  }
  return false;
}

void PreconditionerTrace::end(const Summary& summary, const Vector&) {
  if (summary.progress.step > std::max(recorded_, resumed_at_)) record(summary.progress.step);
}

void PreconditionerTrace::record(std::int64_t step) {
  const std::vector<PreconditionerReport> all = optimizer_->preconditioners();
  recorded_ = step;
  if (all.empty()) return;
  if (!std::exchange(begun_, true)) {
    std::function<bool(std::int64_t)> kept;
    if (resumed_at_ > 0) kept = [&](std::int64_t before) { return before <= resumed_at_; };
    begin_step_lines(path_, kHeader, kept);
  }
  append_step_lines(path_, lines_of(step, all));
}

std::vector<Figure> preconditioner_figures(const RecordedRun& run) {
  constexpr std::size_t kMostLines = 12;
  const std::filesystem::path path = run.folder / kPreconditionersFile;
  if (!std::filesystem::exists(path)) return {};
  const std::string file = path.string();
  const Table table = read_csv_table(path);
  const std::vector<std::string> names = texts_of(table, "preconditioner", file);
  const std::vector<double> steps = numbers_of(table, "step", file);
  std::vector<Figure> figures;
  for (const auto& [column, title] : {std::pair{"condition", "condition of the preconditioners"},
                                      std::pair{"root_residual", "residual of the preconditioners' roots"},
                                      std::pair{"staleness", "staleness of the preconditioners"}}) {
    const std::vector<double> values = numbers_of(table, column, file);
    std::vector<Line> lines;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!std::isfinite(steps[i]) || !std::isfinite(values[i])) continue;
      auto line = std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.name == names[i]; });
      if (line == lines.end()) line = lines.insert(line, {names[i], {}});
      line->curve.x.push_back(steps[i]);
      line->curve.y.push_back(values[i]);
      line->largest = std::max(line->largest, values[i]);
    }
    if (lines.empty()) continue;
    Figure figure{fmt::format("preconditioner_{}", column), title, fmt::format("{}, as of the last renewal.", title)};
    if (lines.size() > kMostLines) {
      figure.caption =
          fmt::format("{}, as of the last renewal: the largest {} of {}.", title, kMostLines, lines.size());
      std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.largest > b.largest; });
      lines.resize(kMostLines);
    }
    Plot plot;
    plot.title = run.record.optimizer.text;
    plot.x_label = "steps";
    plot.y_label = title;
    plot.legend = "preconditioner";
    plot.log_y = true;
    for (Line& line : lines) {
      plot.log_y = plot.log_y && std::all_of(line.curve.y.begin(), line.curve.y.end(), [](double y) { return y > 0; });
      plot.series.push_back({line.name, {std::move(line.curve)}});
    }
    figure.views.push_back({"steps", std::move(plot)});
    figures.push_back(std::move(figure));
  }
  return figures;
}

void write_preconditioner_plots(const std::filesystem::path& folder, const RecordedRun& run, Palette& palette) {
  for (const Figure& figure : preconditioner_figures(run)) {
    write_plot(folder / fmt::format("{}_by_steps.svg", figure.name), figure.views.front().plot, palette);
  }
}

}  // namespace hesse
