#include "hesse/experiment/sweep.h"

#include "hesse/core/error.h"
#include "hesse/data/sha256.h"
#include "hesse/experiment/budget.h"
#include "hesse/experiment/processes.h"
#include "hesse/optim/registry.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/comparison.h"
#include "hesse/report/contour_plot.h"
#include "hesse/report/folder_lock.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <optional>
#include <set>

namespace hesse {
namespace {

using Sorted = std::map<std::string, std::string>;

constexpr std::int64_t kSweepFormat = 1;

// ---------------------------------------------------------------------------------------- what a cell is

/// A value in the one spelling that all others of it are brought to.
std::string canonical_value(const OptionInfo* option, const std::string& text) {
  if (option == nullptr) return text;
  if (option->type == "number") return fmt::format("{}", parse_number(option->name, text));
  if (option->type == "whole number") return fmt::format("{}", parse_whole_number(option->name, text));
  // The settings of a data set, "two-moons:samples=500:noise=0.2", have no order.
  if (option->name == "data" && text.find('=') != std::string::npos) {
    std::vector<std::string> parts;
    std::string_view rest = text;
    for (auto colon = rest.find(':'); colon != std::string_view::npos; colon = rest.find(':')) {
      parts.emplace_back(rest.substr(0, colon));
      rest = rest.substr(colon + 1);
    }
    parts.emplace_back(rest);
    std::sort(parts.begin() + 1, parts.end());
    return fmt::format("{}", fmt::join(parts, ":"));
  }
  return text;
}

const OptionInfo* option_named(const std::vector<OptionInfo>& options, const std::string& name) {
  const auto at = std::find_if(options.begin(), options.end(), [&](const OptionInfo& o) { return o.name == name; });
  return at == options.end() ? nullptr : &*at;
}

Json json_of(const Sorted& texts) {
  Json json = Json::object();
  for (const auto& [name, text] : texts) json[name] = text;
  return json;
}

/// The limits of a budget by name, however it was written.
Sorted budget_limits(const std::string& text) {
  Stopping limits;
  apply_budget(text, limits);
  const Stopping none;
  Sorted out;
  const auto add = [&](const char* name, auto limit, auto unlimited) {
    if (limit != unlimited) out[name] = fmt::format("{}", limit);
  };
  add("epochs", limits.max_epochs, none.max_epochs);
  add("gradients", limits.max_gradient_equivalents, none.max_gradient_equivalents);
  add("seconds", limits.max_seconds, none.max_seconds);
  add("steps", limits.max_steps, none.max_steps);
  add("values", limits.max_values, none.max_values);
  add("evaluations", limits.max_gradients, none.max_gradients);
  add("products", limits.max_products, none.max_products);
  return out;
}

// ------------------------------------------------------------------------------------------------ the plan

const char* to_text(Sampling sampling) { return sampling == Sampling::random ? "random" : "quasi-random"; }

Json sweep_json(const SweepSettings& settings, const NamedTexts& run_settings) {
  Json json;
  json["format"] = kSweepFormat;
  json["problems"] = settings.problems;
  json["methods"] = settings.methods;
  json["seed"] = settings.seed;
  json["repetitions"] = settings.repetitions;
  json["samples"] = settings.samples;
  json["sampling"] = to_text(settings.sampling);
  json["precision"] = to_string(settings.run.precision);
  json["budget"] = settings.run.budget;
  json["settings"] = Json::object();
  for (const auto& [name, text] : run_settings) json["settings"][name] = text;
  return json;
}

/// The record in a cell's folder, where there is one of this cell with a verdict. Throws Error where there is another
/// run's.
std::optional<RunRecord> finished_record(const std::filesystem::path& folder, const std::string& specification) {
  const auto file = folder / kRunFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  RunRecord record = read_run_record(file);
  if (cell_specification(record) != specification) {
    fail("{}: this is the record of another run than the folder's name stands for; delete the folder", file.string());
  }
  if (!record.verdict) return std::nullopt;
  return record;
}

bool method_threw(const Verdict& verdict) { return verdict.termination == "failed"; }

/// Brings the state up to what is in the folder.
void look_up(SweepCell& cell, const std::filesystem::path& cells) {
  cell.state = CellState::waiting;
  cell.verdict.reset();
  cell.reason.clear();
  try {
    if (auto record = finished_record(cells / cell.name, cell.specification)) {
      cell.state = CellState::finished;
      cell.verdict = std::move(record->verdict);
      if (method_threw(*cell.verdict)) cell.reason = cell.verdict->message;
    }
  } catch (const Error& e) {
    cell.state = CellState::failed;
    cell.reason = e.what();
  }
}

// ------------------------------------------------------------------------------------------------ results

/// A cell as a run of this sweep, in whose spelling its problem and method are named.
RecordedRun recorded(const SweepCell& cell, const std::filesystem::path& cells, bool with_trace) {
  RecordedRun run{cells / cell.name, cell.planned, {}};
  run.record.verdict = cell.verdict;
  if (with_trace && std::filesystem::exists(run.folder / kTraceFile)) run.trace = read_trace(run.folder / kTraceFile);
  return run;
}

double final_value(const SweepCell& cell) {
  const bool sound =
      cell.verdict && !method_threw(*cell.verdict) && cell.verdict->termination != to_string(Termination::non_finite);
  return sound ? cell.verdict->value : std::nan("");
}

/// Names of what varies, in the order of first appearance.
std::vector<std::string> varied_names(const std::vector<SweepCell>& cells) {
  std::vector<std::string> names;
  for (const SweepCell& cell : cells) {
    for (const auto& [name, value] : cell.varied) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::string varied_value(const SweepCell& cell, const std::string& name) {
  for (const auto& [known, value] : cell.varied) {
    if (known == name) return value;
  }
  return {};
}

std::vector<std::string> all_metrics(const SweepPlan& plan) {
  std::vector<std::string> names;
  for (const auto& [problem, metrics] : plan.metrics) {
    for (const std::string& name : metrics) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

/// A row a cell.
Table results_table(const SweepPlan& plan) {
  const auto metrics = all_metrics(plan);
  const auto names = varied_names(plan.cells);
  Table table;
  table.columns = {{"cell", false}, {"state", false}, {"reason", false}, {"problem", false}, {"optimizer", false}};
  for (const std::string& name : names) table.columns.push_back({name});
  table.columns.push_back({"seed"});
  for (Column& column : verdict_columns(metrics)) table.columns.push_back(std::move(column));
  for (const SweepCell& cell : plan.cells) {
    std::vector<Cell> row = {Cell(cell.name), Cell(to_string(cell.state)), Cell(cell.reason),
                             Cell(cell.settings.problem), Cell(cell.settings.method)};
    for (const std::string& name : names) row.emplace_back(varied_value(cell, name));
    row.emplace_back(fmt::format("{}", cell.settings.seed));
    if (cell.verdict) {
      for (Cell& figure : verdict_cells(*cell.verdict, metrics)) row.push_back(std::move(figure));
    }
    row.resize(table.columns.size(), Cell(""));
    table.add(std::move(row));
  }
  return table;
}

/// Methods on problems, over their seeds, and the best of each problem.
void summarise_rows(Sweep& sweep) {
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  std::vector<std::vector<double>> values;
  for (const SweepCell& cell : sweep.plan.cells) {
    const auto [at, is_new] = known.emplace(std::pair(cell.settings.problem, cell.settings.method), sweep.rows.size());
    if (is_new) {
      sweep.rows.push_back({cell.settings.problem, cell.settings.method, {}, {}});
      values.emplace_back();
    }
    sweep.rows[at->second].cells.push_back(&cell);
    values[at->second].push_back(final_value(cell));
  }
  for (std::size_t r = 0; r < sweep.rows.size(); ++r) {
    SweepRow& row = sweep.rows[r];
    row.value = summarise(values[r]);
    if (!std::isfinite(row.value.median)) continue;
    const SweepRow*& best = sweep.best[row.problem];
    if (best == nullptr || row.value.median < best->value.median) best = &row;
  }
}

Table best_table(const Sweep& sweep) {
  Table table;
  table.columns = {{"problem", false}, {"optimizer", false}, {"median"}, {"lower_quartile"}, {"upper_quartile"}, {"n"},
                   {"failed"}};
  for (const SweepRow& row : sweep.rows) {
    const auto best = sweep.best.find(row.problem);
    if (best == sweep.best.end() || best->second != &row) continue;
    table.add({Cell(row.problem), Cell(row.method), Cell(fmt::format("{}", row.value.median)),
               Cell(fmt::format("{}", row.value.lower_quartile)), Cell(fmt::format("{}", row.value.upper_quartile)),
               Cell(fmt::format("{}", row.value.n)), Cell(fmt::format("{}", row.value.failures))});
  }
  return table;
}

// ------------------------------------------------------------------------------------------------ figures

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

/// What a file system may mind is replaced, and what is long cut, told apart by its hash.
std::string file_name(const std::string& text) {
  constexpr std::size_t kLongest = 80;
  if (text.size() > kLongest) return file_name(text.substr(0, kLongest - 9) + "-" + sha256(text).substr(0, 8));
  std::string name;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    name += plain ? c : '_';
  }
  return name;
}

/// Whether numbers lie evenly on a logarithm rather than on a line: all positive, and over more than a factor of 5.
bool logarithmic(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *low > 0 && *high > 5 * *low;
}

/// The final objective against one option of the problems of one grid or of the methods: a line a method's grid. Of
/// the rows that share a value, which differ in what else varies, the best by its median stands for it.
Plot option_plot(const Sweep& sweep, const std::string& problem, const std::string& option) {
  struct Line {
    std::string method;
    std::map<double, const SweepRow*> best;
  };
  std::vector<Line> lines;
  for (const SweepRow& row : sweep.rows) {
    const SweepCell& first = *row.cells.front();
    const auto x = number_of(varied_value(first, option));
    if (!x || first.given_problem != problem) continue;
    auto line = std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.method == first.given_method; });
    if (line == lines.end()) line = lines.insert(lines.end(), {first.given_method, {}});
    const SweepRow*& best = line->best[*x];
    // Negated, so that a row without a median gives way to any other.
    if (best == nullptr || !(best->value.median <= row.value.median)) best = &row;
  }
  Plot plot;
  plot.title = problem;
  plot.x_label = option;
  plot.y_label = "final objective";
  std::vector<double> xs;
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (const Line& line : lines) {
    if (line.best.size() < 2) continue;
    Series& series = plot.series.emplace_back(Series{line.method, {}});
    std::size_t seeds = 0;
    for (const auto& [x, row] : line.best) {
      xs.push_back(x);
      seeds = std::max(seeds, row->cells.size());
    }
    series.runs.resize(seeds);
    for (const auto& [x, row] : line.best) {
      for (std::size_t s = 0; s < row->cells.size(); ++s) {
        const double y = final_value(*row->cells[s]);
        series.runs[s].x.push_back(x);
        series.runs[s].y.push_back(y);
        if (!std::isfinite(y)) continue;
        least = std::min(least, y);
        greatest = std::max(greatest, y);
      }
    }
  }
  plot.log_x = !xs.empty() && logarithmic(xs);
  plot.log_y = least > 0 && greatest > 5 * least;
  return plot;
}

/// Values in even steps, of themselves or of their logarithms; nothing where they are not.
struct EvenAxis {
  std::vector<double> values;
  bool log = false;
  Vector positions;
};
std::optional<EvenAxis> even_axis(const std::set<double>& values) {
  if (values.size() < 2) return std::nullopt;
  EvenAxis axis{{values.begin(), values.end()}, false, {}};
  for (const bool log : {false, true}) {
    if (log && axis.values.front() <= 0) break;
    axis.log = log;
    axis.positions.resize(static_cast<Index>(axis.values.size()));
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      axis.positions[static_cast<Index>(i)] = log ? std::log10(axis.values[i]) : axis.values[i];
    }
    const Index n = axis.positions.size();
    const Vector even = Vector::LinSpaced(n, axis.positions[0], axis.positions[n - 1]);
    // Values come with six digits.
    const double step = (axis.positions[n - 1] - axis.positions[0]) / static_cast<double>(n - 1);
    if ((axis.positions - even).cwiseAbs().maxCoeff() < 1e-3 * step) return axis;
  }
  return std::nullopt;
}

/// The median of the final objective over two options of one method's grid on one problem; nothing where they are not
/// exactly two, in even steps.
std::optional<ContourPlot> heat_map(const std::vector<const SweepRow*>& rows) {
  const auto& varied = rows.front()->cells.front()->varied;
  if (varied.size() != 2) return std::nullopt;
  std::array<std::set<double>, 2> values;
  for (const SweepRow* row : rows) {
    for (std::size_t k = 0; k < 2; ++k) {
      const auto value = number_of(varied_value(*row->cells.front(), varied[k].first));
      if (!value) return std::nullopt;
      values[k].insert(*value);
    }
  }
  const auto x = even_axis(values[0]);
  const auto y = even_axis(values[1]);
  if (!x || !y || rows.size() != values[0].size() * values[1].size()) return std::nullopt;
  ContourPlot plot;
  const SweepCell& first = *rows.front()->cells.front();
  plot.title = fmt::format("{}, {}", first.given_method, first.given_problem);
  plot.x_label = (x->log ? "log10 " : "") + varied[0].first;
  plot.y_label = (y->log ? "log10 " : "") + varied[1].first;
  plot.value_label = "median of the final objective";
  plot.x = x->positions;
  plot.y = y->positions;
  plot.values = Matrix::Constant(plot.x.size(), plot.y.size(), std::nan(""));
  bool any = false;
  for (const SweepRow* row : rows) {
    const auto at = [&](const EvenAxis& axis, std::size_t k) {
      const double value = *number_of(varied_value(*row->cells.front(), varied[k].first));
      return std::find(axis.values.begin(), axis.values.end(), value) - axis.values.begin();
    };
    const double median = row->value.median;
    plot.values(at(*x, 0), at(*y, 1)) = std::isfinite(median) ? median : std::nan("");
    any = any || std::isfinite(median);
  }
  return any ? std::optional(plot) : std::nullopt;
}

void draw_figures(Sweep& sweep, const std::filesystem::path& figures) {
  try {
    create_folders(figures);
    Palette palette;
    std::set<std::string> problems;
    std::map<std::pair<std::string, std::string>, std::vector<const SweepRow*>> grids;
    for (const SweepRow& row : sweep.rows) {
      problems.insert(row.cells.front()->given_problem);
      grids[{row.cells.front()->given_problem, row.cells.front()->given_method}].push_back(&row);
    }
    for (const std::string& problem : problems) {
      for (const std::string& option : varied_names(sweep.plan.cells)) {
        const Plot plot = option_plot(sweep, problem, option);
        const bool any = std::any_of(plot.series.begin(), plot.series.end(), [](const Series& series) {
          return std::any_of(series.runs.begin(), series.runs.end(), [](const Curve& run) {
            return std::any_of(run.y.begin(), run.y.end(), [](double y) { return std::isfinite(y); });
          });
        });
        if (any)
          write_plot(figures / fmt::format("{}_by_{}.svg", file_name(problem), file_name(option)), plot, palette);
      }
    }
    for (const auto& [grid, rows] : grids) {
      if (const auto plot = heat_map(rows)) {
        write_contour_plot(figures / fmt::format("{}_{}.svg", file_name(grid.first), file_name(grid.second)), *plot);
      }
    }
  } catch (const Error& e) {
    sweep.warnings.push_back(fmt::format("not all figures were drawn: {}", e.what()));
  }
}

void write_results(Sweep& sweep, const std::filesystem::path& folder) {
  summarise_rows(sweep);
  const double target = sweep.plan.settings.run.target;
  const Index seeds = sweep.plan.settings.repetitions;
  std::vector<std::string> problems;
  for (const SweepRow& row : sweep.rows) {
    if (std::find(problems.begin(), problems.end(), row.problem) == problems.end()) problems.push_back(row.problem);
  }
  std::array<std::string, 3> texts;
  for (const std::string& problem : problems) {
    std::vector<RecordedRun> runs;
    for (const SweepCell& cell : sweep.plan.cells) {
      if (cell.settings.problem == problem) runs.push_back(recorded(cell, folder / "cells", std::isfinite(target)));
    }
    Table table = comparison_table(runs, {sweep.plan.higher_is_better[problem], target});
    table.title = fmt::format("{}: median [25 %, 75 %] over {} seed{}, budget {}", problem, seeds,
                              seeds == 1 ? "" : "s", sweep.plan.settings.run.budget);
    const std::array<std::string, 3> one = {terminal_text(table, {false, false, true, 0}), markdown_text(table),
                                            latex_text(table)};
    for (std::size_t k = 0; k < texts.size(); ++k)
      texts[k] += fmt::format("{}{}", texts[k].empty() ? "" : "\n", one[k]);
    sweep.tables.push_back(std::move(table));
  }
  write_file(folder / "results.csv", csv_text(results_table(sweep.plan)));
  write_file(folder / "best.csv", csv_text(best_table(sweep)));
  write_file(folder / "table.txt", texts[0]);
  write_file(folder / "table.md", texts[1]);
  write_file(folder / "table.tex", texts[2]);
  write_file(folder / "results.json", results_json(sweep));
  draw_figures(sweep, folder / "figures");
}

/// What a worker is told to run: the cell from its start, or from where it was left.
std::vector<std::string> command_of(const SweepCell& cell, const std::filesystem::path& folder,
                                    const SweepExecution& execution) {
  std::vector<std::string> words = {execution.program};
  if (std::filesystem::exists(folder / kRunFile)) {
    words.insert(words.end(), {"resume", folder.string(), "--quiet"});
  } else {
    const RunSettings& s = cell.settings;
    words.insert(words.end(), {"train",
                               "--quiet",
                               "--problem",
                               s.problem,
                               "--optimizer",
                               s.method,
                               "--output",
                               folder.string(),
                               "--seed",
                               fmt::format("{}", s.seed),
                               "--precision",
                               to_string(s.precision),
                               "--batch-size",
                               fmt::format("{}", s.batch_size),
                               "--budget",
                               s.budget,
                               "--gradient-tolerance",
                               fmt::format("{}", s.gradient_tolerance),
                               "--checkpoint-seconds",
                               fmt::format("{}", s.checkpoint_seconds),
                               "--trace-rows",
                               fmt::format("{}", s.trace_rows),
                               "--curvature-every",
                               fmt::format("{}", s.curvature_every),
                               "--curvature-top",
                               fmt::format("{}", s.curvature_top),
                               "--curvature-measures",
                               s.curvature_measures});
    if (std::isfinite(s.target)) words.insert(words.end(), {fmt::format("--target={}", s.target)});
    if (s.escape) words.emplace_back("--escape");
  }
  if (execution.threads > 0) words.insert(words.end(), {"--threads", fmt::format("{}", execution.threads)});
  return words;
}

/// Runs the cells of `plan` at these positions.
bool run_cells(SweepPlan& plan, const std::vector<std::size_t>& todo, const std::filesystem::path& cells,
               const SweepExecution& execution) {
  const auto start = std::chrono::steady_clock::now();
  std::size_t done = 0;
  ProcessHooks hooks;
  hooks.command = [&](std::size_t job) {
    const SweepCell& cell = plan.cells[todo[job]];
    return command_of(cell, cells / cell.name, execution);
  };
  hooks.started = [&](std::size_t job) { execution.started(plan.cells[todo[job]]); };
  hooks.ended = [&](std::size_t job, const ProcessEnd& end) {
    SweepCell& cell = plan.cells[todo[job]];
    look_up(cell, cells);
    // One that was asked to stop waits for the next time.
    const bool stopped = end.signal == SIGTERM || end.exit_code == 128 + SIGTERM;
    if (cell.state == CellState::waiting && !(stopped && execution.interrupted())) {
      cell.state = CellState::failed;
      cell.reason = end.text();
    }
    ++done;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    execution.ended(cell, end.seconds,
                    passed.count() / static_cast<double>(done) * static_cast<double>(todo.size() - done));
  };
  hooks.interrupted = execution.interrupted;
  return run_processes(todo.size(), static_cast<std::size_t>(execution.workers), hooks);
}

}  // namespace

const char* to_string(CellState state) {
  switch (state) {
    case CellState::waiting: return "waiting";
    case CellState::finished: return "finished";
    case CellState::failed: return "failed";
  }
  return "";
}

std::string cell_specification(const RunRecord& record) {
  const auto& problem_options = problems().at(parse_spec(record.problem.text).name).options;
  const Method method = parse_method(record.optimizer.text);
  Sorted problem;
  for (const auto& [name, text] : record.problem.used) {
    problem[name] = canonical_value(option_named(problem_options, name), text);
  }
  const auto& method_options = optimizers().at(method.optimizer.method.name).options;
  Sorted optimizer;
  for (const auto& [name, text] : record.optimizer.used) {
    const auto dot = name.find('.');
    const OptionInfo* option = dot == std::string::npos
                                   ? option_named(method_options, name)
                                   : option_named(link_options(name.substr(0, dot)), name.substr(dot + 1));
    optimizer[name] = canonical_value(option, text);
  }
  // The order of what goes around a step is part of what it is.
  Json chain = Json::array({method.optimizer.method.name});
  for (const Spec& modifier : method.optimizer.modifiers) chain.push_back(modifier.name);
  Sorted settings;
  for (const auto& [name, text] : record.settings) {
    if (name == "checkpoint_seconds" || name == "batch_size") continue;
    settings[name] = text;
  }
  Json json;
  json["batch_size"] = record.batch_size;
  json["budget"] = json_of(budget_limits(record.budget));
  json["chain"] = std::move(chain);
  json["full_batch_at"] = method.full_batch_at;
  json["optimizer"] = json_of(optimizer);
  json["precision"] = record.precision;
  json["problem"] = {{"name", parse_spec(record.problem.text).name}, {"options", json_of(problem)}};
  json["record_format"] = kRunRecordFormat;
  json["seed"] = record.seed;
  json["settings"] = json_of(settings);
  return json_text(json, false);
}

std::string cell_name(const std::string& specification) { return sha256(specification).substr(0, 16); }

SweepPlan plan_sweep(const SweepSettings& settings, const std::filesystem::path& folder) {
  if (settings.problems.empty()) {
    fail("sweep: no problem is given; name some, as in --problem rosenbrock ('hesse list problems' shows all)");
  }
  if (settings.methods.empty()) fail("sweep: no optimizer is given; name some, as in --optimizer 'adam:lr=1e-3|1e-2'");
  if (settings.repetitions < 1) fail("sweep: {} repetitions are not possible; give at least 1", settings.repetitions);
  if (settings.samples < 0) fail("sweep: {} samples are not possible; give 0 or more", settings.samples);
  const GridOptions grid{settings.samples, settings.sampling, settings.seed};
  std::vector<std::pair<std::string, GridPoint>> methods;
  for (const std::string& given : settings.methods) {
    for (GridPoint& point : method_grid(given, grid)) methods.emplace_back(given, std::move(point));
  }
  SweepPlan plan;
  plan.settings = settings;
  std::set<std::string> known;
  for (const std::string& given : settings.problems) {
    for (const GridPoint& at : problem_grid(given, grid)) {
      Problem problem = problems().make(parse_spec(at.text), {settings.run.precision});
      for (const Metric& metric : problem.metrics) {
        plan.metrics[at.text].push_back(metric.name);
        if (metric.higher_is_better) plan.higher_is_better[at.text].push_back(metric.name);
      }
      for (const auto& [given_method, method] : methods) {
        SweepCell cell;
        cell.settings = settings.run;
        cell.settings.problem = at.text;
        cell.settings.method = method.text;
        cell.settings.seed = settings.seed;
        cell.given_problem = given;
        cell.given_method = given_method;
        for (const auto& [name, value] : at.varied) cell.varied.emplace_back("problem." + name, value);
        cell.varied.insert(cell.varied.end(), method.varied.begin(), method.varied.end());
        cell.planned = planned_record(cell.settings, problem);
        for (Index r = 0; r < settings.repetitions; ++r) {
          cell.settings.seed = cell.planned.seed = settings.seed + static_cast<std::uint64_t>(r);
          cell.specification = cell_specification(cell.planned);
          cell.name = cell_name(cell.specification);
          if (!known.insert(cell.specification).second) {
            ++plan.repeated;
            continue;
          }
          look_up(cell, folder / "cells");
          plan.cells.push_back(cell);
        }
      }
    }
  }
  return plan;
}

Sweep run_sweep(SweepPlan plan, const std::filesystem::path& folder, const SweepExecution& execution) {
  if (execution.workers < 1) fail("sweep: {} workers are not possible; give at least 1", execution.workers);
  const FolderLock lock(folder);
  Sweep sweep(std::move(plan));
  const std::filesystem::path cells = folder / "cells";
  create_folders(cells);
  write_file(folder / kSweepFile,
             json_text(sweep_json(sweep.plan.settings, sweep.plan.cells.front().planned.settings)));
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < sweep.plan.cells.size(); ++i) {
    SweepCell& cell = sweep.plan.cells[i];
    if (execution.fresh) std::filesystem::remove_all(cells / cell.name);
    // Again, since only now nobody else is at work here.
    look_up(cell, cells);
    if (cell.state == CellState::waiting) todo.push_back(i);
  }
  sweep.interrupted = !run_cells(sweep.plan, todo, cells, execution);
  if (!sweep.interrupted) write_results(sweep, folder);
  return sweep;
}

std::string results_json(const Sweep& sweep) {
  const SweepPlan& plan = sweep.plan;
  Json json = sweep_json(plan.settings, plan.cells.empty() ? NamedTexts{} : plan.cells.front().planned.settings);
  json["rows"] = Json::array();
  for (const SweepRow& row : sweep.rows) {
    const auto best = sweep.best.find(row.problem);
    Json cells = Json::array();
    for (const SweepCell* cell : row.cells) {
      Json one = {{"cell", cell->name}, {"seed", cell->settings.seed}, {"state", to_string(cell->state)}};
      if (!cell->reason.empty()) one["reason"] = cell->reason;
      if (cell->verdict) {
        one["termination"] = cell->verdict->termination;
        one["value"] = json_number(cell->verdict->value);
        for (const auto& [name, value] : cell->verdict->metrics) one["metrics"][name] = json_number(value);
        one["steps"] = cell->verdict->progress.step;
        one["seconds"] = json_number(cell->verdict->progress.seconds);
        one["gradient_equivalents"] = json_number(cell->verdict->progress.cost.gradient_equivalents);
      }
      cells.push_back(std::move(one));
    }
    Json varied = Json::object();
    for (const auto& [name, value] : row.cells.front()->varied) varied[name] = value;
    json["rows"].push_back({{"problem", row.problem},
                            {"optimizer", row.method},
                            {"varied", std::move(varied)},
                            {"median", json_number(row.value.median)},
                            {"lower_quartile", json_number(row.value.lower_quartile)},
                            {"upper_quartile", json_number(row.value.upper_quartile)},
                            {"failed", row.value.failures},
                            {"best", best != sweep.best.end() && best->second == &row},
                            {"cells", std::move(cells)}});
  }
  return json_text(json);
}

SweepSettings read_sweep(const std::filesystem::path& folder) {
  const auto file = folder / kSweepFile;
  const Json json = read_json(file);
  const JsonView view(json, file.string());
  if (view.at("format").integer() != kSweepFormat) {
    view.at("format").refuse(fmt::format("this version of hesse reads format {}", kSweepFormat));
  }
  view.allow_only({"format", "problems", "methods", "seed", "repetitions", "samples", "sampling", "precision", "budget",
                   "settings"});
  SweepSettings settings;
  // The settings of a run are read where those of its record are.
  RunRecord record;
  record.precision = view.at("precision").text() == to_string(Precision::float32) ? "float32" : "float64";
  record.budget = view.at("budget").text();
  for (const auto& [name, text] : view.at("settings").members()) record.settings.emplace_back(name, text.text());
  try {
    settings.run = settings_of(record);
  } catch (const Error& e) {
    view.at("settings").refuse(e.what());
  }
  for (const JsonView& problem : view.at("problems").elements()) settings.problems.push_back(problem.text());
  for (const JsonView& method : view.at("methods").elements()) settings.methods.push_back(method.text());
  settings.seed = view.at("seed").unsigned_integer();
  settings.repetitions = view.at("repetitions").integer();
  settings.samples = view.at("samples").integer();
  const std::string sampling = view.at("sampling").text();
  if (sampling != to_text(Sampling::quasi_random) && sampling != to_text(Sampling::random)) {
    view.at("sampling").refuse(fmt::format("there is no sampling '{}'; choose quasi-random or random", sampling));
  }
  settings.sampling = sampling == to_text(Sampling::random) ? Sampling::random : Sampling::quasi_random;
  return settings;
}

}  // namespace hesse
