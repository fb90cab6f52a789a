#include "hesse/report/report_sections.h"

#include "hesse/core/error.h"
#include "hesse/report/comparison.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/curvature_trace.h"
#include "hesse/report/html.h"
#include "hesse/report/json.h"
#include "hesse/report/preconditioner_trace.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace hesse {
namespace {

namespace fs = std::filesystem;

constexpr const char* kComparison = "comparison.json";
constexpr const char* kTuningFolder = "tuning";

/// A run with the study that it is of. Its record's optimizer becomes the name that it has in tables and figures.
struct NamedRun {
  RecordedRun run;
  std::string study;
  std::string method;  ///< the optimizer as given
};

bool failed(const RunRecord& record) {
  return record.verdict &&
         (record.verdict->termination == "failed" || record.verdict->termination == to_string(Termination::non_finite));
}

std::string ending(const RunRecord& record) { return record.verdict ? record.verdict->termination : "unfinished"; }

/// All that a run was asked but its seed, and what changes neither its bits nor its figures.
std::string specification_of(const RunRecord& record) {
  std::string out = record.problem.text + '\n' + record.precision + '\n' + record.budget + '\n' +
                    fmt::format("{}", record.batch_size);
  for (const auto& [name, value] : record.settings) {
    if (name == "target" || name == "gradient_tolerance" || name == "escape") out += '\n' + name + '=' + value;
  }
  return out;
}

/// Runs of a method that differ in their seeds alone keep its name and are one; where they differ in more, or a seed
/// comes twice, each gets the name of its study too.
void tell_apart(std::vector<NamedRun>& runs) {
  struct Method {
    std::set<std::string> specifications;
    std::set<std::string> studies;
    std::set<std::uint64_t> seeds;
    bool repeats = false;  ///< some seed
  };
  std::map<std::pair<std::string, std::string>, Method> methods;
  const auto method_of = [&](const NamedRun& r) -> Method& { return methods[{r.run.record.problem.text, r.method}]; };
  for (const NamedRun& r : runs) {
    Method& method = method_of(r);
    method.specifications.insert(specification_of(r.run.record));
    method.studies.insert(r.study);
    method.repeats = !method.seeds.insert(r.run.record.seed).second || method.repeats;
  }
  for (NamedRun& r : runs) {
    const Method& method = method_of(r);
    const bool apart = method.studies.size() > 1 && (method.specifications.size() > 1 || method.repeats);
    r.run.record.optimizer.text = apart ? fmt::format("{} ({})", r.method, r.study) : r.method;
  }
}

std::vector<std::string> metrics_of(std::span<const RecordedRun> runs) {
  std::vector<std::string> out;
  for (const RecordedRun& run : runs) {
    if (!run.record.verdict) continue;
    for (const auto& [name, value] : run.record.verdict->metrics) {
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
  }
  return out;
}

/// By what the first record says that says anything; in older ones accuracies alone are better when they are higher.
bool higher_is_better(std::span<const RecordedRun> runs, std::string_view metric) {
  for (const RecordedRun& run : runs) {
    const auto& higher = run.record.higher_is_better;
    if (higher) return std::find(higher->begin(), higher->end(), metric) != higher->end();
  }
  return metric.find("accuracy") != std::string_view::npos;
}

double target_of(const RunRecord& record) {
  for (const auto& [name, value] : record.settings) {
    if (name == "target" && value != "-inf") return parse_number(name, value);
  }
  return -std::numeric_limits<double>::infinity();
}

/// The names of runs in the order in which a comparison's plot has them.
std::vector<std::vector<std::string>> run_names(std::span<const RecordedRun> runs) {
  std::vector<std::string> methods;
  std::vector<std::vector<std::string>> names;
  for (const RecordedRun& run : runs) {
    const auto found = std::find(methods.begin(), methods.end(), run.record.optimizer.text);
    const auto at = static_cast<std::size_t>(found - methods.begin());
    if (found == methods.end()) {
      methods.push_back(run.record.optimizer.text);
      names.emplace_back();
    }
    names[at].push_back(fmt::format("seed {}", run.record.seed));
  }
  return names;
}

/// "median, 25-75 %, 3 seeds": what lines and bands are.
std::string what_bands_are(std::span<const RecordedRun> runs) {
  std::size_t least = runs.size();
  std::size_t most = 0;
  for (const auto& names : run_names(runs)) {
    least = std::min(least, names.size());
    most = std::max(most, names.size());
  }
  if (most <= 1) return "one seed a line";
  if (least == most) return fmt::format("median, 25-75 %, {} seeds", most);
  return fmt::format("median, 25-75 %, {} to {} seeds", least, most);
}

std::string diverged_note(std::span<const RecordedRun> runs) {
  std::vector<std::string> names;
  for (const RecordedRun& run : runs) {
    if (failed(run.record)) names.push_back(fmt::format("{} seed {}", run.record.optimizer.text, run.record.seed));
  }
  if (names.empty()) return {};
  return fmt::format(" Not finite at the end, and ranked as worst from there on: {}.", fmt::join(names, "; "));
}

std::string spaced(std::string_view column) {
  std::string out(column);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out == "train value" ? "training objective" : out;
}

/// Letters, digits, '_' and '-' of a column's name.
std::string file_name(std::string_view column) {
  std::string out(column);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_'; }, '_');
  return out;
}

bool has_figures(const RecordedRun& run, std::string_view column) {
  if (run.trace.find(column) < 0) return false;
  const std::vector<double> figures = run.trace.column(column);
  return std::any_of(figures.begin(), figures.end(), [](double figure) { return std::isfinite(figure); });
}

std::vector<RecordedRun> that_have(std::span<const RecordedRun> runs, std::string_view column) {
  std::vector<RecordedRun> out;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(out),
               [&](const RecordedRun& run) { return has_figures(run, column); });
  return out;
}

/// A column of the trace against steps, seconds and gradient equivalents.
void add_trace_figure(ReportSection& section, std::span<const RecordedRun> all, const std::string& column) {
  const std::vector<RecordedRun> runs = that_have(all, column);
  if (runs.empty()) return;
  Figure figure;
  figure.name = file_name(column);
  figure.title = spaced(column);
  figure.note = what_bands_are(runs);
  constexpr std::array<std::pair<const char*, const char*>, 3> kAxes = {
      {{"step", "steps"}, {"seconds", "seconds"}, {"gradient_equivalents", "gradient equivalents"}}};
  for (const auto& [x, name] : kAxes) {
    figure.views.push_back({name, comparison_plot(runs, x, column, higher_is_better(runs, column)), run_names(runs)});
  }
  const char* const how = column == "gradient_norm" || column == "step_size" || column == "value"
                              ? ", as each step reported it on its own samples"
                              : "";
  figure.caption = fmt::format("{} of {}{}: {}.{}", spaced(column), runs.front().record.problem.text, how,
                               what_bands_are(runs), diverged_note(runs));
  section.blocks.emplace_back(std::move(figure));
}

/// What the method tells of itself: a run that diverged just ends.
void add_telemetry_figure(ReportSection& section, std::span<const RecordedRun> all, const std::string& column) {
  std::vector<RecordedRun> runs = that_have(all, column);
  if (runs.empty()) return;
  const auto names = run_names(runs);
  for (RecordedRun& run : runs) run.record.verdict.reset();
  Figure figure;
  figure.name = "telemetry_" + file_name(column);
  figure.title = spaced(column);
  figure.note = what_bands_are(runs);
  figure.caption = fmt::format("{} over steps: {}.", spaced(column), what_bands_are(runs));
  figure.views.push_back({"steps", comparison_plot(runs, "step", column), names});
  figure.small = true;
  section.blocks.emplace_back(std::move(figure));
}

ReportSection preconditioner_section(const RecordedRun& run) {
  ReportSection section{"Preconditioners"};
  for (Figure& figure : preconditioner_figures(run)) {
    figure.small = true;
    section.blocks.emplace_back(std::move(figure));
  }
  return section;
}

ReportSection curvature_section(std::span<const RecordedRun> all) {
  ReportSection section{"Curvature along training"};
  const std::vector<RecordedRun> runs = with_curvature(all);
  for (auto& [figure, shown] : curvature_figures(runs)) {
    if (!figure.band_only) {
      figure.note = what_bands_are(shown);
      figure.caption += fmt::format(" {}.", figure.note);
      figure.views.front().runs = run_names(shown);
    }
    section.blocks.emplace_back(std::move(figure));
  }
  for (const RecordedRun& run : runs) {
    const std::string which =
        runs.size() == 1 ? "" : fmt::format(" {} seed {}", run.record.optimizer.text, run.record.seed);
    for (Figure& figure : layer_figures(run)) {
      figure.name = file_name(figure.name + which);
      figure.title += which;
      section.blocks.emplace_back(std::move(figure));
    }
    std::optional<ContourPlot> map = density_map(run);
    if (!map) continue;
    Figure figure{file_name("density" + which), "density of the Hessian's eigenvalues" + which,
                  "The density of the Hessian's eigenvalues over steps, by Lanczos quadrature."};
    figure.surface = std::move(map);
    section.blocks.emplace_back(std::move(figure));
  }
  if (runs.size() == 1) {
    // Further eigenvalues of one run beside the first.
    Figure figure{"eigenvalues", "largest eigenvalues of the Hessian", "Each eigenvalue's line is its own."};
    Plot plot;
    plot.title = runs.front().record.problem.text;
    plot.x_label = "steps";
    plot.y_label = "eigenvalue";
    const Trace& trace = runs.front().trace;
    for (const std::string& column : trace.columns) {
      if (column == "residual") break;
      if (column == "step" || !has_figures(runs.front(), column)) continue;
      plot.series.push_back(
          {column == "sharpness" ? "largest" : column, {{trace.column("step"), trace.column(column)}}});
    }
    const bool several = plot.series.size() > 1;
    figure.views.push_back({"steps", std::move(plot)});
    if (several) section.blocks.emplace_back(std::move(figure));
  }
  return section;
}

Table runs_table(std::span<const RecordedRun> runs) {
  Table table;
  const std::vector<std::string> metrics = metrics_of(runs);
  table.columns = {{"method", false}, {"seed"}, {"ended by", false}, {"objective"}, {"gradient norm"}};
  for (const std::string& metric : metrics) table.columns.push_back({spaced(metric)});
  for (const char* name : {"steps", "epochs", "seconds", "gradient equivalents"}) table.columns.push_back({name});
  table.columns.push_back({"kind of point", false});
  table.columns.push_back({"message", false});
  for (const RecordedRun& run : runs) {
    const RunRecord& record = run.record;
    std::vector<Cell> row = {Cell(record.optimizer.text), Cell(fmt::format("{}", record.seed)),
                             Cell(ending(record), !record.verdict || failed(record))};
    if (!record.verdict) {
      row.resize(table.columns.size(), Cell(""));
      row.back() = Cell("no verdict: the run was killed, interrupted, or still goes on");
      table.add(std::move(row));
      continue;
    }
    const Verdict& v = *record.verdict;
    row.emplace_back(significant(v.value, 6));
    row.emplace_back(significant(v.gradient_norm, 3));
    for (const std::string& metric : metrics) {
      const auto at =
          std::find_if(v.metrics.begin(), v.metrics.end(), [&](const auto& m) { return m.first == metric; });
      row.emplace_back(at == v.metrics.end() ? "" : significant(at->second, 5));
    }
    row.emplace_back(fmt::format("{}", v.progress.step));
    row.emplace_back(significant(v.progress.epochs));
    row.emplace_back(significant(v.progress.seconds));
    row.emplace_back(significant(v.progress.cost.gradient_equivalents));
    row.emplace_back(v.kind);
    row.emplace_back(v.message);
    table.add(std::move(row));
  }
  // Where no run arrived anywhere there are no kinds.
  const std::size_t kinds = table.columns.size() - 2;
  if (std::all_of(table.rows.begin(), table.rows.end(), [=](const auto& row) { return row[kinds].text.empty(); })) {
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(kinds));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(kinds));
  }
  return table;
}

/// The value that `text` gives to an option anywhere in its chain, or nothing.
std::optional<std::string> given_in(const std::string& text, const std::string& option) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    for (std::size_t at = part.find_first_of(":,"); at < part.size(); at = part.find(',', at + 1)) {
      if (part.compare(at + 1, option.size() + 1, option + "=") != 0) continue;
      const std::size_t value = at + option.size() + 2;
      return part.substr(value, std::min(part.find(',', value), part.size()) - value);
    }
    begin = end + 1;
  }
  return std::nullopt;
}

/// Every option as it was given and as it was used; one row each.
Table options_table(std::span<const RecordedRun> runs) {
  Table table;
  table.title = "given and used";
  table.columns = {{"of", false}, {"option", false}, {"given", false}, {"used", false}};
  const auto add = [&](const std::string& of, const std::string& option, const std::optional<std::string>& given,
                       const std::string& used) {
    table.add({Cell(of), Cell(option), Cell(given.value_or("")), Cell(used, given.has_value())});
  };
  std::set<std::string> problems;
  std::set<std::string> methods;
  std::set<std::string> settings;
  for (const RecordedRun& run : runs) {
    const RunRecord& record = run.record;
    const std::string& method = record.optimizer.text;
    if (problems.insert(record.problem.text).second) {
      const std::string of = problems.size() == 1 ? "problem" : "problem " + record.problem.text;
      for (const auto& [name, used] : record.problem.used) add(of, name, given_in(record.problem.text, name), used);
    }
    if (methods.insert(method).second) {
      // A method may be named with its study behind it.
      const std::string given = method.substr(0, method.find(" ("));
      for (const auto& [name, used] : record.optimizer.used) add(method, name, given_in(given, name), used);
      const auto samples = [](const std::string& text) { return text == "0" ? std::string("all samples") : text; };
      const auto at = std::find_if(record.settings.begin(), record.settings.end(),
                                   [](const auto& setting) { return setting.first == "batch_size"; });
      add(method, "batch_size", at == record.settings.end() ? std::nullopt : std::optional(samples(at->second)),
          samples(fmt::format("{}", record.batch_size)));
      add(method, "budget", record.budget, record.budget);
    }
    // Settings of the command, which most often are those of all methods.
    std::string all;
    for (const auto& [name, value] : record.settings) all += name == "batch_size" ? "" : name + '=' + value + '\n';
    if (!settings.insert(all).second) continue;
    const std::string of = settings.size() == 1 ? "every run" : "runs of " + method;
    for (const auto& [name, value] : record.settings) {
      if (name != "batch_size") add(of, name, std::nullopt, value);
    }
  }
  return table;
}

std::string joined(const std::set<std::string>& texts) { return fmt::format("{}", fmt::join(texts, "; ")); }

ReportSection provenance_section(std::span<const RecordedRun> runs) {
  std::set<std::string> versions;
  std::set<std::string> compilers;
  std::set<std::string> libraries;
  std::set<std::string> machines;
  std::set<std::string> threads;
  std::set<std::string> precisions;
  std::set<std::uint64_t> seeds;
  std::string first;
  std::string last;
  for (const RecordedRun& run : runs) {
    const RunRecord& r = run.record;
    versions.insert(r.software.hesse);
    compilers.insert(fmt::format("{}, {}", r.software.compiler, r.software.build));
    libraries.insert(fmt::format("Eigen {}, {}", r.software.eigen, r.software.blas));
    machines.insert(fmt::format("{}, {} cores", r.machine.processor.empty() ? "unknown processor" : r.machine.processor,
                                r.machine.cores));
    threads.insert(fmt::format("{}", r.threads));
    precisions.insert(r.precision);
    seeds.insert(r.seed);
    if (first.empty() || r.started < first) first = r.started;
    last = std::max(last, r.started);
  }
  ReportSection section{"Provenance"};
  section.blocks.emplace_back(html_facts({{"hesse", joined(versions)},
                                          {"compiler", joined(compilers)},
                                          {"libraries", joined(libraries)},
                                          {"machine", joined(machines)},
                                          {"threads", joined(threads)},
                                          {"precision", joined(precisions)},
                                          {"seeds", fmt::format("{}", fmt::join(seeds, ", "))},
                                          {"started", first == last ? first : first + " to " + last}}));
  return section;
}

/// The verdict of a single run at a glance.
void add_run_summary(ReportSection& section, const RecordedRun& run) {
  const RunRecord& record = run.record;
  const bool bad = !record.verdict || failed(record);
  section.blocks.emplace_back(html_paragraph(
      record.verdict ? fmt::format("{}: {}", record.verdict->termination, record.verdict->message)
                     : "unfinished: there is no verdict, since the run was killed, interrupted, or still goes on",
      bad ? "verdict bad" : "verdict"));
  std::vector<std::pair<std::string, std::string>> facts;
  if (record.verdict) {
    const Verdict& v = *record.verdict;
    facts.emplace_back("objective", significant(v.value, 8));
    facts.emplace_back("gradient norm", significant(v.gradient_norm, 3));
    for (const auto& [name, value] : v.metrics) facts.emplace_back(spaced(name), significant(value, 5));
    if (!v.kind.empty()) facts.emplace_back("kind of point", v.kind);
    facts.emplace_back("steps", fmt::format("{}", v.progress.step));
    facts.emplace_back("epochs", significant(v.progress.epochs));
    facts.emplace_back("seconds", significant(v.progress.seconds));
    facts.emplace_back("gradient equivalents", significant(v.progress.cost.gradient_equivalents));
    facts.emplace_back("values, gradients, products", fmt::format("{}, {}, {}", v.progress.cost.values,
                                                                  v.progress.cost.gradients, v.progress.cost.products));
  }
  facts.emplace_back("parameters", fmt::format("{}", record.parameters));
  facts.emplace_back("seed", fmt::format("{}", record.seed));
  facts.emplace_back("budget", record.budget);
  section.blocks.emplace_back(html_facts(facts));
  section.blocks.emplace_back(html_paragraph(record.description, "quiet"));
  if (record.verdict && !record.verdict->classification.empty()) {
    section.blocks.emplace_back(html_paragraph(record.verdict->classification));
  }
}

void add_results(ReportSection& section, std::span<const RecordedRun> runs) {
  std::vector<std::string> higher;
  for (const std::string& metric : metrics_of(runs)) {
    if (higher_is_better(runs, metric)) higher.push_back(metric);
  }
  Table table = comparison_table(runs, {higher, target_of(runs.front().record)});
  const auto names = run_names(runs);
  if (std::all_of(names.begin(), names.end(), [](const auto& seeds) { return seeds.size() == 1; })) {
    // The quartiles of one run are that run.
    table.title = fmt::format("one run a method, budget {}", runs.front().record.budget);
    for (auto& row : table.rows) {
      for (std::size_t j = 1; j < row.size(); ++j) {
        std::string& text = row[j].text;
        const std::size_t begin = text.find(" [");
        const std::size_t end = text.find(']', std::min(begin, text.size()));
        if (table.columns[j].numeric && end != std::string::npos) text.erase(begin, end + 1 - begin);
      }
    }
  } else {
    table.title = fmt::format("median [25 %, 75 %] over the seeds of a method, budget {}", runs.front().record.budget);
  }
  section.blocks.emplace_back(html_paragraph(runs.front().record.description, "quiet"));
  section.blocks.emplace_back(std::move(table));
  std::vector<std::string> bad;
  for (const RecordedRun& run : runs) {
    const RunRecord& r = run.record;
    if (r.verdict && !failed(r)) continue;
    bad.push_back(
        fmt::format("{} seed {} ({})", r.optimizer.text, r.seed, r.verdict ? r.verdict->message : "unfinished"));
  }
  if (!bad.empty()) {
    section.blocks.emplace_back(
        html_paragraph(fmt::format("{} of {} runs did not end well: {}", bad.size(), runs.size(), fmt::join(bad, "; ")),
                       "verdict bad"));
  }
}

/// tuning.csv: every trial, and the best of k trials where the records have it.
ReportSection tuning_section(const fs::path& folder) {
  ReportSection section{"Tuning"};
  Table table = read_csv_table(folder / "tuning.csv");
  table.title = "every trial";
  shorten_numbers(table);
  const std::string trials_file = (folder / "tuning.csv").string();
  const auto given = texts_of(table, "optimizer", trials_file);
  const auto trial = texts_of(table, "trial", trials_file);
  const auto chosen = texts_of(table, "chosen", trials_file);
  std::map<std::string, std::string> tuned;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (chosen[i] != "yes") continue;
    tuned[given[i]] = trial[i];
    for (Cell& cell : table.rows[i]) cell.emphasised = true;
  }
  const fs::path figures = folder / "figures" / "tuning.csv";
  if (fs::exists(figures)) {
    const std::string file = figures.string();
    const Table best = read_csv_table(figures);
    const auto method = texts_of(best, "method", file);
    const auto x = numbers_of(best, "x", file);
    const auto median = numbers_of(best, "median", file);
    const auto lower = numbers_of(best, "lower_quartile", file);
    const auto upper = numbers_of(best, "upper_quartile", file);
    Figure figure{"tuning", "best of k trials",
                  "The best objective among k trials: median and quartiles over all ways to draw k of them. A "
                  "line has the name and the colour of the trial that was chosen."};
    figure.band_only = true;
    Plot plot;
    plot.x_label = "trials k";
    plot.y_label = "best objective";
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (std::size_t begin = 0; begin < method.size();) {
      const auto end =
          static_cast<std::size_t>(std::find_if(method.begin() + static_cast<std::ptrdiff_t>(begin), method.end(),
                                                [&](const std::string& name) { return name != method[begin]; }) -
                                   method.begin());
      const auto part = [&](const std::vector<double>& all) {
        return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                   all.begin() + static_cast<std::ptrdiff_t>(end));
      };
      const std::string& name = tuned.contains(method[begin]) ? tuned[method[begin]] : method[begin];
      plot.series.push_back(band_series(name, part(x), part(median), part(lower), part(upper)));
      for (std::size_t i = begin; i < end; ++i) {
        if (!std::isfinite(median[i])) continue;
        least = std::min(least, median[i]);
        most = std::max(most, median[i]);
      }
      begin = end;
    }
    plot.legend = "median, 25-75 %";
    plot.log_y = least > 0 && most > 5 * least;
    figure.views.push_back({"trials", std::move(plot)});
    if (most >= least) section.blocks.emplace_back(std::move(figure));
  }
  section.blocks.emplace_back(std::move(table));
  return section;
}

/// Adds what `make` makes, or a line that says why it cannot be made: a damaged file hides no others.
template <class Make>
void add_or_explain(std::vector<ReportSection>& out, const std::string& title, const Make& make) {
  ReportSection section{title};
  try {
    section = make();
    section.title = title;
  } catch (const Error& e) {
    section.blocks.emplace_back(html_paragraph(fmt::format("The record cannot be shown: {}", e.what()), "verdict bad"));
  }
  if (!section.blocks.empty()) out.push_back(std::move(section));
}

void add_sections(std::vector<ReportSection>& out, std::span<const RecordedRun> runs, const std::string& suffix) {
  const bool single = runs.size() == 1;
  ReportSection summary{(single ? "Summary" : "Results") + suffix};
  if (single) {
    add_run_summary(summary, runs.front());
  } else {
    add_results(summary, runs);
  }
  out.push_back(std::move(summary));

  ReportSection trace{"Trace" + suffix};
  const std::vector<std::string> metrics = metrics_of(runs);
  add_trace_figure(trace, runs, "train_value");
  if (trace.blocks.empty()) add_trace_figure(trace, runs, "value");
  for (const std::string& metric : metrics) add_trace_figure(trace, runs, metric);
  add_trace_figure(trace, runs, "gradient_norm");
  add_trace_figure(trace, runs, "step_size");
  if (!trace.blocks.empty()) out.push_back(std::move(trace));

  add_or_explain(out, "Curvature along training" + suffix, [&] { return curvature_section(runs); });

  ReportSection telemetry{"Telemetry of the methods" + suffix};
  for (const std::string& column : telemetry_columns(runs, metrics)) add_telemetry_figure(telemetry, runs, column);
  if (!telemetry.blocks.empty()) out.push_back(std::move(telemetry));

  if (single) add_or_explain(out, "Preconditioners", [&] { return preconditioner_section(runs.front()); });

  if (!single) {
    ReportSection every{"Every run" + suffix};
    every.blocks.emplace_back(runs_table(runs));
    out.push_back(std::move(every));
  }
}

}  // namespace

bool holds_runs(const fs::path& folder) { return fs::exists(folder / kRunFile) || fs::exists(folder / kComparison); }

RunStudy read_study(const fs::path& folder, const std::string& name) {
  RunStudy study{name, folder, {}, {}};
  std::vector<fs::path> folders;
  if (fs::exists(folder / kRunFile)) folders.push_back(folder);
  if (fs::exists(folder / kComparison)) {
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      // Trials that tuned a method are no runs of it.
      if (at.depth() == 0 && at->path().filename() == kTuningFolder) at.disable_recursion_pending();
      if (at->is_directory() && fs::exists(at->path() / kRunFile)) folders.push_back(at->path());
    }
    if (error) study.unreadable.push_back(fmt::format("{}: {}", folder.string(), error.message()));
    // Methods in the order in which they were named, which comparison.json has.
    std::sort(folders.begin(), folders.end());
  }
  for (const fs::path& one : folders) {
    try {
      study.runs.push_back(read_run(one));
    } catch (const Error& e) {
      study.unreadable.emplace_back(e.what());
    }
  }
  if (fs::exists(folder / kComparison)) {
    try {
      const Json json = read_json(folder / kComparison);
      std::vector<std::string> order;
      for (const JsonView& method : JsonView(json, (folder / kComparison).string()).at("methods").elements()) {
        order.push_back(method.text());
      }
      const auto place = [&](const RecordedRun& run) {
        return std::make_pair(std::find(order.begin(), order.end(), run.record.optimizer.text) - order.begin(),
                              run.record.seed);
      };
      std::stable_sort(study.runs.begin(), study.runs.end(), [&](const RecordedRun& a, const RecordedRun& b) {
        const auto [method_a, seed_a] = place(a);
        const auto [method_b, seed_b] = place(b);
        if (method_a != method_b) return method_a < method_b;
        if (a.record.optimizer.text != b.record.optimizer.text) {
          return a.record.optimizer.text < b.record.optimizer.text;
        }
        return seed_a < seed_b;
      });
    } catch (const Error& e) {
      study.unreadable.emplace_back(e.what());
    }
  }
  return study;
}

std::vector<ReportSection> run_sections(std::span<const RunStudy> studies) {
  std::vector<NamedRun> all;
  std::vector<std::string> unreadable;
  for (const RunStudy& study : studies) {
    for (const RecordedRun& run : study.runs) all.push_back({run, study.name, run.record.optimizer.text});
    unreadable.insert(unreadable.end(), study.unreadable.begin(), study.unreadable.end());
  }
  tell_apart(all);
  std::vector<std::string> problems;
  std::vector<RecordedRun> runs;
  for (const NamedRun& r : all) {
    const std::string& problem = r.run.record.problem.text;
    if (std::find(problems.begin(), problems.end(), problem) == problems.end()) problems.push_back(problem);
    runs.push_back(r.run);
  }
  std::vector<ReportSection> out;
  for (const std::string& problem : problems) {
    std::vector<RecordedRun> group;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(group),
                 [&](const RecordedRun& run) { return run.record.problem.text == problem; });
    add_sections(out, group, problems.size() > 1 ? ": " + problem : "");
  }
  for (const RunStudy& study : studies) {
    if (!fs::exists(study.folder / "tuning.csv")) continue;
    add_or_explain(out, studies.size() > 1 ? "Tuning: " + study.name : "Tuning",
                   [&] { return tuning_section(study.folder); });
  }
  if (!unreadable.empty()) {
    ReportSection section{"Records that could not be read"};
    for (const std::string& why : unreadable) section.blocks.emplace_back(html_paragraph(why, "verdict bad"));
    out.push_back(std::move(section));
  }
  if (!runs.empty()) {
    ReportSection options{"Options"};
    options.blocks.emplace_back(options_table(runs));
    out.push_back(std::move(options));
    out.push_back(provenance_section(runs));
  }
  return out;
}

}  // namespace hesse
