#include "hesse/report/comparison.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Method {
  std::string name;
  std::vector<const RecordedRun*> runs;
};

std::vector<Method> methods_of(std::span<const RecordedRun> runs) {
  std::vector<Method> methods;
  for (const RecordedRun& run : runs) {
    const std::string& name = run.record.optimizer.text;
    auto found = std::find_if(methods.begin(), methods.end(), [&](const Method& m) { return m.name == name; });
    if (found == methods.end()) found = methods.insert(found, {name, {}});
    found->runs.push_back(&run);
  }
  return methods;
}

bool failed(const RecordedRun& run) {
  return !run.record.verdict || run.record.verdict->termination == to_string(Termination::non_finite);
}

double metric_of(const RecordedRun& run, const std::string& name) {
  if (run.record.verdict) {
    for (const auto& [key, value] : run.record.verdict->metrics) {
      if (key == name) return value;
    }
  }
  return kNaN;
}

const char* label_of(std::string_view column) {
  if (column == "step") return "steps";
  if (column == "seconds") return "seconds";
  if (column == "epoch") return "epochs";
  if (column == "gradient_equivalents") return "gradient equivalents (full-data gradients)";
  if (column == "train_value") return "training objective";
  return nullptr;
}

std::string label_text(std::string_view column) {
  if (const char* label = label_of(column)) return label;
  std::string out(column);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

/// The problem that all runs share, or nothing.
std::string common_problem(std::span<const RecordedRun> runs) {
  for (const RecordedRun& run : runs) {
    if (run.record.problem.text != runs.front().record.problem.text) return {};
  }
  return runs.empty() ? std::string{} : runs.front().record.problem.text;
}

}  // namespace

Table comparison_table(std::span<const RecordedRun> runs, std::span<const std::string> higher_is_better) {
  std::vector<std::string> metrics;
  for (const RecordedRun& run : runs) {
    if (!run.record.verdict) continue;
    for (const auto& [name, value] : run.record.verdict->metrics) {
      if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
    }
  }
  Table table;
  table.title = common_problem(runs);
  table.columns = {{"method", false}, {"n"}, {"objective"}};
  for (const std::string& name : metrics) table.columns.push_back({label_text(name)});
  table.columns.push_back({"seconds"});
  table.columns.push_back({"gradient equivalents"});

  // The columns that have a best: the objective and the metrics.
  struct Best {
    double median = kNaN;
    std::size_t row = 0;
  };
  std::vector<Best> best(1 + metrics.size());
  for (const Method& method : methods_of(runs)) {
    std::vector<Cell> row = {method.name, std::to_string(method.runs.size())};
    const auto summary_of = [&](bool higher, auto figure) {
      std::vector<double> values;
      for (const RecordedRun* run : method.runs) values.push_back(figure(*run));
      return summarise(values, Failures::as_worst, higher);
    };
    for (std::size_t c = 0; c <= metrics.size(); ++c) {
      const bool higher = c > 0 && std::find(higher_is_better.begin(), higher_is_better.end(), metrics[c - 1]) !=
                                       higher_is_better.end();
      const SampleSummary sample = summary_of(higher, [&](const RecordedRun& run) {
        if (failed(run)) return kNaN;
        return c == 0 ? run.record.verdict->value : metric_of(run, metrics[c - 1]);
      });
      row.emplace_back(median_and_quartiles(sample));
      const bool better = higher ? sample.median > best[c].median : sample.median < best[c].median;
      if (std::isfinite(sample.median) && (std::isnan(best[c].median) || better)) {
        best[c] = {sample.median, table.rows.size()};
      }
    }
    // A failed run has spent what it has spent.
    const auto spent = [&](auto figure) {
      return median_and_quartiles(summary_of(false, [&](const RecordedRun& run) {
        return run.record.verdict ? figure(run.record.verdict->progress) : kNaN;
      }));
    };
    row.emplace_back(spent([](const Progress& progress) { return progress.seconds; }));
    row.emplace_back(spent([](const Progress& progress) { return progress.cost.gradient_equivalents; }));
    table.add(std::move(row));
  }
  if (table.rows.size() > 1) {
    for (std::size_t c = 0; c < best.size(); ++c) {
      if (!std::isnan(best[c].median)) table.rows[best[c].row][2 + c].emphasised = true;
    }
  }
  return table;
}

Plot comparison_plot(std::span<const RecordedRun> runs, std::string_view x, std::string_view y, bool higher_is_better) {
  Plot plot;
  plot.title = common_problem(runs);
  plot.x_label = label_text(x);
  plot.y_label = label_text(y);
  plot.higher_is_better = higher_is_better;
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (const Method& method : methods_of(runs)) {
    Series& series = plot.series.emplace_back(Series{method.name, {}});
    for (const RecordedRun* run : method.runs) {
      Curve& curve = series.runs.emplace_back();
      if (run->trace.columns.empty()) continue;
      const std::vector<double> xs = run->trace.column(x);
      const std::vector<double> ys = run->trace.column(y);
      for (std::size_t i = 0; i < xs.size(); ++i) {
        if (std::isnan(xs[i]) || std::isnan(ys[i])) continue;
        curve.x.push_back(xs[i]);
        curve.y.push_back(ys[i]);
        if (!std::isfinite(ys[i])) continue;
        least = std::min(least, ys[i]);
        greatest = std::max(greatest, ys[i]);
      }
      const bool diverged = run->record.verdict && failed(*run);
      if (diverged && !xs.empty() && !curve.x.empty() && !std::isnan(xs.back())) {
        const double worst = std::numeric_limits<double>::infinity();
        if (curve.x.back() < xs.back()) {
          curve.x.push_back(xs.back());
          curve.y.push_back(worst);
        }
        curve.y.back() = higher_is_better ? -worst : worst;
      }
    }
  }
  plot.log_y = least > 0 && greatest > 10 * least;
  return plot;
}

std::vector<std::filesystem::path> write_comparison_plots(const std::filesystem::path& folder,
                                                          std::span<const RecordedRun> runs, const std::string& y,
                                                          Palette& palette, bool higher_is_better) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kAxes = {
      {{"step", "steps"}, {"seconds", "seconds"}, {"gradient_equivalents", "gradient_equivalents"}}};
  std::vector<std::filesystem::path> out;
  for (const auto& [column, name] : kAxes) {
    out.push_back(folder / fmt::format("{}_by_{}.svg", y, name));
    write_plot(out.back(), comparison_plot(runs, column, y, higher_is_better), palette);
  }
  return out;
}

}  // namespace hesse
