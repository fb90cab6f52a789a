#include "hesse/experiment/compare.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/comparison.h"
#include "hesse/report/curvature_trace.h"
#include "hesse/report/json.h"
#include "hesse/report/writing.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

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

std::vector<RecordedRun> records_of(const Comparison& comparison) {
  std::vector<RecordedRun> runs;
  for (const ComparisonCell& cell : comparison.cells) runs.push_back(read_run(cell.folder));
  return runs;
}

/// The problem's metrics by name, and those of which higher is better.
std::vector<std::string> metric_names(const Problem& problem, bool only_higher) {
  std::vector<std::string> names;
  for (const Metric& metric : problem.metrics) {
    if (!only_higher || metric.higher_is_better) names.push_back(metric.name);
  }
  return names;
}

Json comparison_json(const ComparisonSettings& settings) {
  Json json;
  json["format"] = 4;
  json["problem"] = settings.run.problem;
  json["methods"] = settings.methods;
  json["seed"] = settings.seed;
  json["repetitions"] = settings.repetitions;
  json["trials"] = settings.trials;
  json["search"] = to_string(settings.search);
  json["precision"] = to_string(settings.run.precision);
  json["batch_size"] = settings.run.batch_size;
  json["budget"] = settings.run.budget;
  json["target"] = json_number(settings.run.target);
  json["gradient_tolerance"] = json_number(settings.run.gradient_tolerance);
  json["escape"] = settings.run.escape;
  json["checkpoint_seconds"] = json_number(settings.run.checkpoint_seconds);
  json["trace_rows"] = settings.run.trace_rows;
  if (settings.run.curvature_every > 0) {
    json["curvature_every"] = settings.run.curvature_every;
    json["curvature_top"] = settings.run.curvature_top;
    json["curvature_measures"] = settings.run.curvature_measures;
  }
  if (settings.run.chunks > 0) json["chunks"] = settings.run.chunks;
  return json;
}

/// What a method would have come to with fewer trials: the best of k, over all ways to draw them.
Plot tuning_plot(const Comparison& comparison) {
  const double target = comparison.settings.run.target;
  Plot plot;
  plot.title = fmt::format("{}: best of k trials", comparison.settings.run.problem);
  plot.x_label = "trials";
  plot.y_label = std::isfinite(target) ? "gradient equivalents to the target" : "objective";
  plot.legend = "median over draws, quartiles";
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (const Tuning& tuning : comparison.tunings) {
    if (tuning.trials.empty()) continue;
    std::vector<double> scores;
    for (const TuningTrial& trial : tuning.trials) scores.push_back(trial.score(target));
    const BestOf best = best_of(std::move(scores));
    Series series{tuning.given, {}};
    // Five runs whose median and quartiles are these.
    for (const auto* each : {&best.lower, &best.lower, &best.median, &best.upper, &best.upper}) {
      Curve curve;
      for (std::size_t k = 0; k < each->size(); ++k) {
        const double y = (*each)[k];
        curve.x.push_back(static_cast<double>(k + 1));
        curve.y.push_back(y);
        if (std::isfinite(y)) {
          least = std::min(least, y);
          most = std::max(most, y);
        }
      }
      series.runs.push_back(std::move(curve));
    }
    plot.series.push_back(std::move(series));
  }
  plot.log_y = least > 0 && most > 5 * least;
  return plot;
}

/// Draws every figure of merit; a failure to draw leaves the other records as they are.
void draw_figures(Comparison& comparison, const Problem& problem, std::span<const RecordedRun> runs,
                  const std::filesystem::path& folder) {
  const auto figures = folder / "figures";
  Palette palette;
  try {
    create_folders(figures);
    const Plot tuning = tuning_plot(comparison);
    if (!tuning.series.empty()) write_plot(figures / "tuning.svg", tuning, palette);
    write_comparison_plots(figures, runs, "train_value", palette);
    for (const Metric& metric : problem.metrics) {
      write_comparison_plots(figures, runs, metric.name, palette, metric.higher_is_better);
    }
    const std::filesystem::path telemetry = figures / "telemetry";
    create_folders(telemetry);
    write_telemetry_plots(telemetry, runs, metric_names(problem, false), palette);
    if (comparison.settings.run.curvature_every > 0) {
      write_curvature_plots(figures, with_curvature(runs), palette);
    }
  } catch (const Error& e) {
    comparison.warnings.push_back(fmt::format("not all figures were drawn: {}", e.what()));
  }
}

/// A row a run.
Table results_table(const Comparison& comparison, const Problem& problem) {
  const auto metrics = metric_names(problem, false);
  Table table;
  table.columns = {{"optimizer", false}, {"seed"}};
  for (Column& column : verdict_columns(metrics)) table.columns.push_back(std::move(column));
  for (const ComparisonCell& cell : comparison.cells) {
    std::vector<Cell> row = {Cell(cell.method), Cell(fmt::format("{}", cell.seed))};
    for (Cell& figure : verdict_cells(cell.outcome.verdict, metrics)) row.push_back(std::move(figure));
    table.add(std::move(row));
  }
  return table;
}

/// A row a trial.
Table tuning_table(const std::vector<Tuning>& tunings) {
  constexpr double kNoTarget = -std::numeric_limits<double>::infinity();
  Table table;
  table.columns = {{"optimizer", false},     {"trial", false},       {"value"},
                   {"gradient_equivalents"}, {"termination", false}, {"chosen", false}};
  for (const Tuning& tuning : tunings) {
    for (const TuningTrial& trial : tuning.trials) {
      const Verdict& v = trial.outcome.verdict;
      table.add({Cell(tuning.given), Cell(trial.method), Cell(fmt::format("{}", trial.score(kNoTarget))),
                 Cell(fmt::format("{}", v.progress.cost.gradient_equivalents)), Cell(v.termination),
                 Cell(trial.method == tuning.best ? "yes" : "")});
    }
  }
  return table;
}

/// Of the trials: behind all seeds that the repetitions may reach.
std::uint64_t tuning_seed(const ComparisonSettings& settings) { return settings.seed + 1000000; }

Json tuned_json(const Comparison& comparison) {
  const ComparisonSettings& settings = comparison.settings;
  Json json;
  json["format"] = 2;
  json["problem"] = settings.run.problem;
  json["precision"] = to_string(settings.run.precision);
  json["batch_size"] = settings.run.batch_size;
  json["budget"] = settings.run.budget;
  json["target"] = json_number(settings.run.target);
  json["seed"] = tuning_seed(settings);
  json["trials"] = settings.trials;
  json["search"] = to_string(settings.search);
  json["methods"] = Json::array();
  for (const Tuning& tuning : comparison.tunings) {
    json["methods"].push_back({{"given", tuning.given}, {"best", tuning.best}, {"trials", tuning.trials.size()}});
  }
  return json;
}

/// The methods to compare: as given, or each with the best of its trials.
std::vector<std::string> tuned_methods(Comparison& comparison, Problem& problem, const std::filesystem::path& folder,
                                       const std::function<RunHooks(const ComparisonCell&)>& hooks_of) {
  const ComparisonSettings& settings = comparison.settings;
  if (settings.trials == 0) return settings.methods;
  std::vector<std::string> methods;
  for (const std::string& method : settings.methods) {
    RunSettings one = settings.run;
    one.method = method;
    one.seed = tuning_seed(settings);
    const auto hooks = [&](const std::string& trial) { return hooks_of({trial, one.seed, folder, {}}); };
    comparison.tunings.push_back(
        tune(one, problem, settings.search, settings.trials, folder / "tuning" / folder_name(method), hooks));
    const Tuning& tuning = comparison.tunings.back();
    if (tuning.interrupted) {
      comparison.interrupted = true;
      return methods;
    }
    if (tuning.at_edge) {
      comparison.warnings.push_back(
          fmt::format("{}: the best of {} trials, {}, has no worse one on one side of it; give more trials", method,
                      tuning.trials.size(), tuning.best));
    }
    if (std::find(methods.begin(), methods.end(), tuning.best) == methods.end()) {
      methods.push_back(tuning.best);
    } else {
      comparison.warnings.push_back(fmt::format("{} and another method are tuned to the same one", method));
    }
  }
  write_file(folder / "tuning.csv", csv_text(tuning_table(comparison.tunings)));
  write_file(folder / kTunedFile, json_text(tuned_json(comparison)));
  return methods;
}

}  // namespace

void check_comparison(const ComparisonSettings& settings, Problem& problem) {
  if (settings.methods.empty()) fail("compare: no optimizer is given; name some, as in --optimizer adam");
  if (settings.repetitions < 1) fail("compare: {} repetitions are not possible; give at least 1", settings.repetitions);
  if (settings.trials < 0) fail("compare: {} trials are not possible; give 0 or more", settings.trials);
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
  create_folders(folder);
  write_file(folder / kComparisonFile, json_text(comparison_json(settings)));

  Comparison comparison{settings, {}, {}, {}, false, {}};
  const std::vector<std::string> methods = tuned_methods(comparison, problem, folder, hooks_of);
  for (const std::string& method : methods) {
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

  // What follows is drawn from the records, by who has written them.
  if (!writes_records()) return comparison;
  const std::vector<RecordedRun> runs = records_of(comparison);
  comparison.table = comparison_table(runs, {metric_names(problem, true), settings.run.target});
  comparison.table.title = fmt::format("{}: median [25 %, 75 %] over {} seed{}, budget {}", settings.run.problem,
                                       settings.repetitions, settings.repetitions == 1 ? "" : "s", settings.run.budget);
  write_file(folder / "table.txt", terminal_text(comparison.table, {false, false, true, 0}));
  write_file(folder / "table.md", markdown_text(comparison.table));
  write_file(folder / "table.csv", csv_text(comparison.table));
  write_file(folder / "table.tex", latex_text(comparison.table));
  write_file(folder / "results.csv", csv_text(results_table(comparison, problem)));
  write_file(folder / "results.json", results_json(comparison));
  draw_figures(comparison, problem, runs, folder);
  return comparison;
}

ComparisonSettings read_comparison(const std::filesystem::path& folder) {
  const auto file = folder / kComparisonFile;
  const Json json = read_json(file);
  const JsonView view(json, file.string());
  if (view.at("format").integer() != 4) {
    view.at("format").refuse("this version of hesse reads format 4; use the version that wrote it");
  }
  ComparisonSettings settings;
  settings.run.problem = view.at("problem").text();
  for (const JsonView& method : view.at("methods").elements()) settings.methods.push_back(method.text());
  settings.seed = view.at("seed").unsigned_integer();
  settings.repetitions = view.at("repetitions").integer();
  settings.trials = view.at("trials").integer();
  const std::string search = view.at("search").text();
  if (search != to_string(Search::rate) && search != to_string(Search::space)) {
    view.at("search").refuse(fmt::format("there is no search '{}'; choose rate or space", search));
  }
  settings.search = search == to_string(Search::rate) ? Search::rate : Search::space;
  const std::string precision = view.at("precision").text();
  if (precision != to_string(Precision::float32) && precision != to_string(Precision::float64)) {
    view.at("precision").refuse(fmt::format("there is no precision '{}'; choose float or double", precision));
  }
  settings.run.precision = precision == to_string(Precision::float32) ? Precision::float32 : Precision::float64;
  settings.run.batch_size = view.at("batch_size").integer();
  settings.run.budget = view.at("budget").text();
  settings.run.target = view.at("target").number();
  settings.run.gradient_tolerance = view.at("gradient_tolerance").number();
  settings.run.escape = view.at("escape").boolean();
  settings.run.checkpoint_seconds = view.at("checkpoint_seconds").number();
  settings.run.trace_rows = view.at("trace_rows").integer();
  if (view.has("curvature_every")) {
    settings.run.curvature_every = view.at("curvature_every").integer();
    settings.run.curvature_top = view.at("curvature_top").integer();
    if (view.has("curvature_measures")) settings.run.curvature_measures = view.at("curvature_measures").text();
  }
  if (view.has("chunks")) settings.run.chunks = view.at("chunks").integer();
  return settings;
}

TunedMethods read_tuned(const std::filesystem::path& folder, const ComparisonSettings& settings) {
  const RunSettings& run = settings.run;
  const auto file = folder / kTunedFile;
  if (!std::filesystem::exists(file)) {
    fail("compare: '{}' holds no {}; make one with 'hesse tune' or 'hesse compare --trials N'", folder.string(),
         kTunedFile);
  }
  const Json json = read_json(file);
  const JsonView view(json, file.string());
  const auto agree = [&](const char* name, const std::string& here) {
    if (view.at(name).text() != here) {
      view.at(name).refuse(
          fmt::format("methods were tuned with {} {}, not {}; compare them under what they were tuned for", name,
                      view.at(name).text(), here));
    }
  };
  agree("problem", run.problem);
  agree("precision", to_string(run.precision));
  if (view.at("batch_size").integer() != run.batch_size) {
    view.at("batch_size")
        .refuse(fmt::format("methods were tuned with batches of {}, not {}", view.at("batch_size").integer(),
                            run.batch_size));
  }
  TunedMethods tuned;
  if (const std::string budget = view.at("budget").text(); budget != run.budget) {
    tuned.warnings.push_back(
        fmt::format("methods were tuned with the budget {} and are compared with {}", budget, run.budget));
  }
  // Records of format 1 tell neither.
  if (view.has("seed")) {
    const std::uint64_t seed = view.at("seed").unsigned_integer();
    if (seed >= settings.seed && seed - settings.seed < static_cast<std::uint64_t>(settings.repetitions)) {
      view.at("seed").refuse(
          fmt::format("methods were tuned on seed {}, which is one of the comparison's; give another --seed", seed));
    }
  }
  if (view.has("target")) {
    const double target = view.at("target").number();
    if (target != run.target) {
      tuned.warnings.push_back(
          fmt::format("methods were tuned for the target {} and are compared for {}", target, run.target));
    }
  }
  for (const JsonView& method : view.at("methods").elements()) tuned.methods.push_back(method.at("best").text());
  return tuned;
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
    one["kind"] = v.kind;
    one["classification"] = v.classification;
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
