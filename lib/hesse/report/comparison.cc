#include "hesse/report/comparison.h"

#include "hesse/core/error.h"
#include "hesse/report/statistics.h"

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
  return !run.record.verdict || run.record.verdict->termination == "failed" ||
         run.record.verdict->termination == to_string(Termination::non_finite);
}

double metric_of(const Verdict& verdict, const std::string& name) {
  for (const auto& [key, value] : verdict.metrics) {
    if (key == name) return value;
  }
  return kNaN;
}

/// What a run had taken when its training objective was first known to be at or below the target, in the order of
/// kEfforts: at its end if that is why it ended, else by its trace. Infinite if it never was.
constexpr std::array<const char*, 3> kEfforts = {"gradient_equivalents", "step", "seconds"};
std::array<double, 3> first_reach(const RecordedRun& run, double target) {
  const auto& verdict = run.record.verdict;
  if (verdict && verdict->termination == to_string(Termination::target) && verdict->value <= target) {
    const Progress& progress = verdict->progress;
    return {progress.cost.gradient_equivalents, static_cast<double>(progress.step), progress.seconds};
  }
  std::array<double, 3> effort;
  effort.fill(std::numeric_limits<double>::infinity());
  if (run.trace.find("train_value") < 0) return effort;
  const std::vector<double> values = run.trace.column("train_value");
  const auto first = std::find_if(values.begin(), values.end(), [&](double value) { return value <= target; });
  if (first == values.end()) return effort;
  for (std::size_t e = 0; e < kEfforts.size(); ++e) {
    effort[e] = run.trace.column(kEfforts[e])[static_cast<std::size_t>(first - values.begin())];
  }
  return effort;
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

std::vector<Column> verdict_columns(std::span<const std::string> metrics) {
  std::vector<Column> columns = {{"termination", false}, {"kind", false}, {"value"}, {"gradient_norm"}};
  for (const std::string& name : metrics) columns.push_back({name});
  for (const char* name : {"steps", "epochs", "seconds", "gradient_equivalents", "values", "gradients", "products"}) {
    columns.push_back({name});
  }
  columns.push_back({"message", false});
  return columns;
}

std::vector<Cell> verdict_cells(const Verdict& v, std::span<const std::string> metrics) {
  std::vector<Cell> cells = {Cell(v.termination), Cell(v.kind), Cell(fmt::format("{}", v.value)),
                             Cell(fmt::format("{}", v.gradient_norm))};
  for (const std::string& name : metrics) cells.emplace_back(fmt::format("{}", metric_of(v, name)));
  const Cost& cost = v.progress.cost;
  cells.emplace_back(fmt::format("{}", v.progress.step));
  for (const double figure : {v.progress.epochs, v.progress.seconds, cost.gradient_equivalents}) {
    cells.emplace_back(fmt::format("{}", figure));
  }
  for (const std::int64_t count : {cost.values, cost.gradients, cost.products}) {
    cells.emplace_back(fmt::format("{}", count));
  }
  cells.emplace_back(v.message);
  return cells;
}

Table comparison_table(std::span<const RecordedRun> runs, const ComparisonTableOptions& options) {
  std::vector<std::string> metrics;
  for (const RecordedRun& run : runs) {
    if (!run.record.verdict) continue;
    for (const auto& [name, value] : run.record.verdict->metrics) {
      if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
    }
  }
  const auto higher = [&](const std::string& metric) {
    return std::find(options.higher_is_better.begin(), options.higher_is_better.end(), metric) !=
           options.higher_is_better.end();
  };
  const bool has_target = std::isfinite(options.target);

  Table table;
  table.title = common_problem(runs);
  table.columns = {{"optimizer", false}, {"objective"}};
  for (const std::string& metric : metrics) table.columns.push_back({label_text(metric)});
  if (has_target) {
    for (const char* name : {"gradients to target", "steps to target", "seconds to target"})
      table.columns.push_back({name});
  }
  for (const char* name : {"gradients", "steps", "seconds", "n", "failed"}) table.columns.push_back({name});
  table.columns.push_back({"ended by", false});

  // Medians of the columns of merit, for the best of each; lower is better once signed.
  std::vector<std::vector<double>> merits;
  for (const Method& method : methods_of(runs)) {
    std::vector<std::vector<double>> figures(metrics.size() + 1);
    std::array<std::vector<double>, kEfforts.size()> reached;
    std::vector<double> gradients;
    std::vector<double> steps;
    std::vector<double> seconds;
    std::vector<std::pair<std::string, int>> endings;
    int failures = 0;
    for (const RecordedRun* run : method.runs) {
      const bool bad = failed(*run);
      if (bad) ++failures;
      figures[0].push_back(bad ? kNaN : run->record.verdict->value);
      for (std::size_t m = 0; m < metrics.size(); ++m)
        figures[m + 1].push_back(bad ? kNaN : metric_of(*run->record.verdict, metrics[m]));
      const auto effort = first_reach(*run, options.target);
      for (std::size_t e = 0; e < effort.size(); ++e) reached[e].push_back(effort[e]);
      const std::string ending = run->record.verdict ? run->record.verdict->termination : "unfinished";
      const auto known = std::find_if(endings.begin(), endings.end(), [&](const auto& e) { return e.first == ending; });
      if (known == endings.end()) {
        endings.emplace_back(ending, 1);
      } else {
        ++known->second;
      }
      if (!run->record.verdict) continue;
      const Progress& progress = run->record.verdict->progress;
      gradients.push_back(progress.cost.gradient_equivalents);
      steps.push_back(static_cast<double>(progress.step));
      seconds.push_back(progress.seconds);
    }
    std::vector<Cell> row = {Cell(method.name)};
    std::vector<double>& merit = merits.emplace_back();
    for (std::size_t m = 0; m < figures.size(); ++m) {
      const bool up = m > 0 && higher(metrics[m - 1]);
      const SampleSummary sample = summarise(figures[m], Failures::as_worst, up);
      merit.push_back(up ? -sample.median : sample.median);
      row.emplace_back(median_and_quartiles(sample));
    }
    if (has_target) {
      for (const std::vector<double>& efforts : reached) row.emplace_back(median_and_quartiles(summarise(efforts)));
    }
    for (const auto* numbers : {&gradients, &steps, &seconds})
      row.emplace_back(significant(summarise(*numbers).median));
    row.emplace_back(fmt::format("{}", method.runs.size()));
    row.emplace_back(fmt::format("{}", failures));
    std::string ended;
    for (const auto& [name, count] : endings) {
      ended += fmt::format("{}{}{}", ended.empty() ? "" : ", ", name, count > 1 ? fmt::format(" x{}", count) : "");
    }
    row.emplace_back(ended);
    table.add(std::move(row));
  }
  if (table.rows.size() > 1) {
    for (std::size_t m = 0; m <= metrics.size(); ++m) {
      double best = std::numeric_limits<double>::infinity();
      for (const auto& merit : merits) best = std::min(best, std::isfinite(merit[m]) ? merit[m] : best);
      for (std::size_t r = 0; r < merits.size(); ++r) {
        table.rows[r][m + 1].emphasised = std::isfinite(best) && merits[r][m] == best;
      }
    }
  }
  return table;
}

namespace {

/// `worst` is what a run that diverged ends in, or NaN where it just ends.
Plot plot_of(std::span<const Method> methods, std::string_view x, std::string_view y, double worst) {
  Plot plot;
  plot.x_label = label_text(x);
  plot.y_label = label_text(y);
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (const Method& method : methods) {
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
      if (diverged && !std::isnan(worst) && !xs.empty() && !curve.x.empty() && !std::isnan(xs.back())) {
        if (curve.x.back() < xs.back()) {
          curve.x.push_back(xs.back());
          curve.y.push_back(worst);
        }
        curve.y.back() = worst;
      }
    }
  }
  plot.log_y = least > 0 && greatest > 5 * least;
  return plot;
}

std::size_t finite_figures(const RecordedRun& run, const std::string& column) {
  if (run.trace.find(column) < 0) return 0;
  const std::vector<double> figures = run.trace.column(column);
  return static_cast<std::size_t>(
      std::count_if(figures.begin(), figures.end(), [](double figure) { return std::isfinite(figure); }));
}

}  // namespace

Plot comparison_plot(std::span<const RecordedRun> runs, std::string_view x, std::string_view y, bool higher_is_better) {
  const double worst = std::numeric_limits<double>::infinity();
  Plot plot = plot_of(methods_of(runs), x, y, higher_is_better ? -worst : worst);
  plot.title = common_problem(runs);
  plot.higher_is_better = higher_is_better;
  // A logarithm tells small figures apart; of accuracies it is the large ones that matter.
  plot.log_y = plot.log_y && !higher_is_better;
  return plot;
}

std::vector<std::string> telemetry_columns(std::span<const RecordedRun> runs, std::span<const std::string> metrics) {
  std::vector<std::string> columns;
  for (const RecordedRun& run : runs) {
    for (const std::string& column : run.trace.columns) {
      const auto among = [&](auto&& names) { return std::find(names.begin(), names.end(), column) != names.end(); };
      if (among(common_columns()) || among(metrics) || among(columns) || finite_figures(run, column) < 2) continue;
      columns.push_back(column);
    }
  }
  return columns;
}

std::vector<std::filesystem::path> write_telemetry_plots(const std::filesystem::path& folder,
                                                         std::span<const RecordedRun> runs,
                                                         std::span<const std::string> metrics, Palette& palette) {
  std::vector<std::filesystem::path> out;
  for (const std::string& column : telemetry_columns(runs, metrics)) {
    std::vector<Method> telling = methods_of(runs);
    for (Method& method : telling) {
      std::erase_if(method.runs, [&](const RecordedRun* run) { return finite_figures(*run, column) == 0; });
    }
    std::erase_if(telling, [](const Method& method) { return method.runs.empty(); });
    Plot plot = plot_of(telling, "step", column, kNaN);
    plot.title = common_problem(runs);
    out.push_back(folder / fmt::format("{}_by_steps.svg", column));
    write_plot(out.back(), plot, palette);
  }
  return out;
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
