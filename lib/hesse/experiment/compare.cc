#include "hesse/experiment/compare.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/statistics.h"
#include "hesse/report/trace.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace hesse {
namespace {

/// A method's folder: its text with what a file system may mind replaced.
std::string folder_name(const std::string& method) {
  std::string name;
  for (const char c : method) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '=' || c == '+';
    name += plain ? c : '_';
  }
  return name;
}

double metric_of(const Verdict& verdict, const std::string& name) {
  for (const auto& [known, value] : verdict.metrics) {
    if (known == name) return value;
  }
  return std::nan("");
}

/// A diverged or failed run counts as a failure, however good the point it fell back to.
bool usable(const RunOutcome& outcome) {
  return outcome.status != RunStatus::failed && outcome.verdict.termination != to_string(Termination::non_finite);
}

std::vector<std::string> metric_names(const Comparison& comparison) {
  for (const ComparisonCell& cell : comparison.cells) {
    if (cell.outcome.verdict.metrics.empty()) continue;
    std::vector<std::string> names;
    for (const auto& [name, value] : cell.outcome.verdict.metrics) names.push_back(name);
    return names;
  }
  return {};
}

bool higher_is_better(const std::string& metric) { return metric.ends_with("accuracy"); }

/// First trace column `x` at which train_value is at or below the target; infinity when never.
double first_reach(const Trace& trace, double target, const char* x) {
  const auto values = trace.column("train_value");
  const auto at = trace.column(x);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] <= target) return at[i];
  }
  return std::numeric_limits<double>::infinity();
}

std::string cell_text(const std::vector<double>& values, bool higher) {
  return median_and_quartiles(summarise(values, Failures::as_worst, higher));
}

Json comparison_json(const ComparisonSettings& settings) {
  Json json;
  json["format"] = 1;
  json["problem"] = settings.run.problem;
  json["methods"] = settings.methods;
  json["seed"] = settings.seed;
  json["repetitions"] = settings.repetitions;
  json["precision"] = to_string(settings.run.precision);
  json["batch_size"] = settings.run.batch_size;
  json["budget"] = settings.run.budget;
  json["target"] = json_number(settings.run.target);
  json["gradient_tolerance"] = json_number(settings.run.gradient_tolerance);
  json["checkpoint_seconds"] = json_number(settings.run.checkpoint_seconds);
  return json;
}

void draw_figures(Comparison& comparison, const std::filesystem::path& folder) {
  const auto figures = folder / "figures";
  std::filesystem::create_directories(figures);
  std::map<std::string, std::vector<Trace>> traces;
  for (const ComparisonCell& cell : comparison.cells) {
    const auto file = cell.folder / kTraceFile;
    if (std::filesystem::exists(file)) traces[cell.method].push_back(read_trace(file));
  }
  // Distance to the known minimum needs a logarithmic axis; a loss on data shows more on one as well.
  std::vector<std::string> columns = {"train_value"};
  for (const std::string& metric : metric_names(comparison)) columns.push_back(metric);
  Palette palette;
  for (const std::string& y : columns) {
    for (const auto& [x, label] : {std::pair{"step", "steps"}, std::pair{"seconds", "seconds of optimization"},
                                   std::pair{"gradient_equivalents", "gradient equivalents"}}) {
      Plot plot;
      plot.title = comparison.settings.run.problem;
      plot.x_label = label;
      plot.y_label = y;
      std::replace(plot.y_label.begin(), plot.y_label.end(), '_', ' ');
      plot.higher_is_better = higher_is_better(y);
      plot.log_x = std::string_view(x) == "step";
      bool positive = true;
      for (const std::string& method : comparison.settings.methods) {
        Series series{method, {}};
        for (const Trace& trace : traces[method]) {
          if (trace.find(y) < 0 || trace.rows.empty()) continue;
          series.runs.push_back({trace.column(x), trace.column(y)});
          for (const double v : series.runs.back().y) positive = positive && (v > 0 || std::isnan(v));
        }
        if (!series.runs.empty()) plot.series.push_back(std::move(series));
      }
      if (plot.series.empty()) continue;
      plot.log_y = positive && !plot.higher_is_better;
      if (y == "train_value" && std::isfinite(comparison.settings.run.target)) {
        plot.target = comparison.settings.run.target;
        plot.target_label = "target";
      }
      try {
        write_plot(figures / fmt::format("{}_by_{}.svg", y, x), plot, palette);
      } catch (const Error& e) {
        comparison.warnings.push_back(fmt::format("no figures were drawn: {}", e.what()));
        return;
      }
    }
  }
}

}  // namespace

void check_comparison(const ComparisonSettings& settings, Problem& problem) {
  if (settings.methods.empty()) fail("compare: no optimizer is given; name some, as in --optimizer adam");
  if (settings.repetitions < 1) fail("compare: {} repetitions are not possible; give at least 1", settings.repetitions);
  std::set<std::string> folders;
  for (const std::string& method : settings.methods) {
    if (!folders.insert(folder_name(method)).second) fail("compare: '{}' is given twice; keep one of them", method);
    RunSettings one = settings.run;
    one.method = method;
    check_run(one, problem);
  }
}

Comparison compare(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder,
                   const std::function<RunHooks(const ComparisonCell&)>& hooks_of) {
  check_comparison(settings, problem);
  std::filesystem::create_directories(folder);
  write_file(folder / kComparisonFile, json_text(comparison_json(settings)));

  Comparison comparison{settings, {}, false, {}};
  for (const std::string& method : settings.methods) {
    for (Index r = 0; r < settings.repetitions && !comparison.interrupted; ++r) {
      ComparisonCell cell;
      cell.method = method;
      cell.seed = settings.seed + static_cast<std::uint64_t>(r);
      cell.folder = folder / folder_name(method) / fmt::format("seed-{}", cell.seed);
      RunSettings one = settings.run;
      one.method = method;
      one.seed = cell.seed;
      const RunHooks hooks = hooks_of(cell);
      cell.outcome = run(one, problem, cell.folder, hooks);
      if (!cell.outcome.warning.empty()) comparison.warnings.push_back(cell.outcome.warning);
      comparison.interrupted = cell.outcome.status == RunStatus::interrupted;
      comparison.cells.push_back(std::move(cell));
    }
  }
  if (comparison.interrupted) return comparison;

  const Table table = summary_table(comparison);
  write_file(folder / "table.txt", terminal_text(table, {false, false, true, 0}));
  write_file(folder / "table.md", markdown_text(table));
  write_file(folder / "table.csv", csv_text(table));
  write_file(folder / "table.tex", latex_text(table));
  write_file(folder / "results.csv", csv_text(results_table(comparison)));
  write_file(folder / "results.json", results_json(comparison));
  draw_figures(comparison, folder);
  return comparison;
}

ComparisonSettings read_comparison(const std::filesystem::path& folder) {
  const auto file = folder / kComparisonFile;
  const Json json = read_json(file);
  const JsonView view(json, file.string());
  if (view.at("format").integer() != 1) {
    view.at("format").refuse("this version of hesse reads format 1; use the version that wrote it");
  }
  ComparisonSettings settings;
  settings.run.problem = view.at("problem").text();
  for (const JsonView& method : view.at("methods").elements()) settings.methods.push_back(method.text());
  settings.seed = view.at("seed").unsigned_integer();
  settings.repetitions = view.at("repetitions").integer();
  settings.run.precision = view.at("precision").text() == "float" ? Precision::float32 : Precision::float64;
  settings.run.batch_size = view.at("batch_size").integer();
  settings.run.budget = view.at("budget").text();
  settings.run.target = view.at("target").number();
  settings.run.gradient_tolerance = view.at("gradient_tolerance").number();
  settings.run.checkpoint_seconds = view.at("checkpoint_seconds").number();
  return settings;
}

Table summary_table(const Comparison& comparison) {
  const auto metrics = metric_names(comparison);
  const bool has_target = std::isfinite(comparison.settings.run.target);
  Table table;
  table.title = fmt::format("{}: median [25 %, 75 %] over {} seed{}, budget {}", comparison.settings.run.problem,
                            comparison.settings.repetitions, comparison.settings.repetitions == 1 ? "" : "s",
                            comparison.settings.run.budget);
  table.columns = {{"optimizer", false}, {"train value"}};
  for (std::string name : metrics) {
    std::replace(name.begin(), name.end(), '_', ' ');
    table.columns.push_back({name});
  }
  if (has_target) table.columns.push_back({"gradients to target"});
  for (const char* name : {"gradients", "steps", "seconds"}) table.columns.push_back({name});
  table.columns.push_back({"n"});
  table.columns.push_back({"failed"});
  table.columns.push_back({"ended by", false});

  struct Row {
    double median;
    std::vector<Cell> cells;
  };
  std::vector<Row> rows;
  for (const std::string& method : comparison.settings.methods) {
    std::vector<double> value, gradients, steps, seconds, reached;
    std::map<std::string, std::vector<double>> figures;
    std::map<std::string, int> endings;
    int failures = 0;
    for (const ComparisonCell& cell : comparison.cells) {
      if (cell.method != method) continue;
      const Verdict& verdict = cell.outcome.verdict;
      const bool good = usable(cell.outcome);
      if (!good) ++failures;
      value.push_back(good ? verdict.value : std::nan(""));
      for (const std::string& name : metrics) figures[name].push_back(good ? metric_of(verdict, name) : std::nan(""));
      gradients.push_back(verdict.progress.cost.gradient_equivalents);
      steps.push_back(static_cast<double>(verdict.progress.step));
      seconds.push_back(verdict.progress.seconds);
      if (has_target) {
        const auto file = cell.folder / kTraceFile;
        reached.push_back(std::filesystem::exists(file)
                              ? first_reach(read_trace(file), comparison.settings.run.target, "gradient_equivalents")
                              : std::numeric_limits<double>::infinity());
      }
      ++endings[verdict.termination];
    }
    std::string ended;
    for (const auto& [name, count] : endings) {
      ended += fmt::format("{}{}{}", ended.empty() ? "" : ", ", name, count > 1 ? fmt::format(" x{}", count) : "");
    }
    Row row{summarise(value).median, {Cell(method), Cell(cell_text(value, false))}};
    for (const std::string& name : metrics) row.cells.emplace_back(cell_text(figures[name], higher_is_better(name)));
    if (has_target) row.cells.emplace_back(cell_text(reached, false));
    for (const auto* numbers : {&gradients, &steps, &seconds}) {
      row.cells.emplace_back(significant(summarise(*numbers).median, 4));
    }
    row.cells.emplace_back(fmt::format("{}", value.size()));
    row.cells.emplace_back(fmt::format("{}", failures));
    row.cells.emplace_back(ended);
    rows.push_back(std::move(row));
  }
  const auto best = std::min_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::isfinite(a.median) && (!std::isfinite(b.median) || a.median < b.median);
  });
  if (best != rows.end() && std::isfinite(best->median)) best->cells[1].emphasised = true;
  for (Row& row : rows) table.add(std::move(row.cells));
  return table;
}

Table results_table(const Comparison& comparison) {
  const auto metrics = metric_names(comparison);
  Table table;
  table.columns = {{"optimizer", false}, {"seed"}, {"termination", false}, {"value"}, {"gradient_norm"}};
  for (const std::string& name : metrics) table.columns.push_back({name});
  for (const char* name : {"steps", "epochs", "seconds", "gradient_equivalents", "values", "gradients", "products"}) {
    table.columns.push_back({name});
  }
  table.columns.push_back({"message", false});
  for (const ComparisonCell& cell : comparison.cells) {
    const Verdict& v = cell.outcome.verdict;
    std::vector<Cell> row = {Cell(cell.method), Cell(fmt::format("{}", cell.seed)), Cell(v.termination),
                             Cell(fmt::format("{}", v.value)), Cell(fmt::format("{}", v.gradient_norm))};
    for (const std::string& name : metrics) row.emplace_back(fmt::format("{}", metric_of(v, name)));
    row.emplace_back(fmt::format("{}", v.progress.step));
    row.emplace_back(fmt::format("{}", v.progress.epochs));
    row.emplace_back(fmt::format("{}", v.progress.seconds));
    row.emplace_back(fmt::format("{}", v.progress.cost.gradient_equivalents));
    row.emplace_back(fmt::format("{}", v.progress.cost.values));
    row.emplace_back(fmt::format("{}", v.progress.cost.gradients));
    row.emplace_back(fmt::format("{}", v.progress.cost.products));
    row.emplace_back(v.message);
    table.add(std::move(row));
  }
  return table;
}

std::string results_json(const Comparison& comparison) {
  Json json = comparison_json(comparison.settings);
  json["runs"] = Json::array();
  for (const ComparisonCell& cell : comparison.cells) {
    const Verdict& v = cell.outcome.verdict;
    Json one;
    one["optimizer"] = cell.method;
    one["seed"] = cell.seed;
    one["folder"] = (cell.folder.parent_path().filename() / cell.folder.filename()).string();
    one["termination"] = v.termination;
    one["message"] = v.message;
    one["value"] = json_number(v.value);
    one["gradient_norm"] = json_number(v.gradient_norm);
    for (const auto& [name, value] : v.metrics) one["metrics"][name] = json_number(value);
    one["steps"] = v.progress.step;
    one["epochs"] = json_number(v.progress.epochs);
    one["seconds"] = json_number(v.progress.seconds);
    one["gradient_equivalents"] = json_number(v.progress.cost.gradient_equivalents);
    json["runs"].push_back(std::move(one));
  }
  return json_text(json);
}

}  // namespace hesse
