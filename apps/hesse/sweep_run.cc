#include "sweep_run.h"

#include "command_line.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/experiment/processes.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

namespace hesse::app {
namespace {

/// A table that is longer than this is shown by its best rows; the folder holds all.
constexpr std::size_t kRowsShown = 20;

/// Of a problem's rows the best, in their order, and a line that says so.
Table best_rows(const Sweep& sweep, const Table& table, const std::string& problem) {
  if (table.rows.size() <= kRowsShown) return table;
  std::vector<const SweepRow*> rows;
  for (const SweepRow& row : sweep.rows) {
    if (row.problem == problem) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const SweepRow* a, const SweepRow* b) {
    // Rows without a median come last.
    return std::isfinite(a->value.median) && !(a->value.median >= b->value.median);
  });
  Table shown = table;
  shown.title += fmt::format("; the best {} of {}", kRowsShown, table.rows.size());
  shown.rows.clear();
  for (std::size_t i = 0; i < kRowsShown; ++i) {
    const auto at = std::find_if(table.rows.begin(), table.rows.end(),
                                 [&](const std::vector<Cell>& row) { return row.front().text == rows[i]->method; });
    shown.rows.push_back(*at);
  }
  return shown;
}

void show(const Sweep& sweep, const std::filesystem::path& folder) {
  const TerminalStyle style = terminal_style(stdout);
  std::vector<std::string> problems;
  for (const SweepRow& row : sweep.rows) {
    if (problems.empty() || std::find(problems.begin(), problems.end(), row.problem) == problems.end()) {
      problems.push_back(row.problem);
    }
  }
  for (std::size_t i = 0; i < problems.size(); ++i) {
    fmt::print("{}", terminal_text(best_rows(sweep, sweep.tables[i], problems[i]), style));
    const auto best = sweep.best.find(problems[i]);
    const std::string line = best == sweep.best.end() ? "best: none; all failed or diverged"
                                                      : fmt::format("best: {}, {}", best->second->method,
                                                                    median_and_quartiles(best->second->value));
    fmt::print("{}", wrapped(line, style.width));
  }
  for (const SweepCell& cell : sweep.plan.cells) {
    if (cell.reason.empty()) continue;
    fmt::print("{}", wrapped(fmt::format("failed: {} on {}, seed {}: {} (cells/{})", cell.settings.method,
                                         cell.settings.problem, cell.settings.seed, cell.reason, cell.name),
                             style.width, 2));
  }
  fmt::print("records, tables and figures: {}\n", folder.string());
}

bool diverged(const SweepCell& cell) {
  return cell.verdict && cell.verdict->termination == to_string(Termination::non_finite);
}

int exit_code_of(const Sweep& sweep) {
  const auto& cells = sweep.plan.cells;
  if (std::all_of(cells.begin(), cells.end(), diverged)) return kDiverged;
  const double target = sweep.plan.settings.run.target;
  const bool reached = !std::isfinite(target) || std::any_of(cells.begin(), cells.end(), [&](const SweepCell& cell) {
    return cell.verdict && !diverged(cell) && cell.verdict->value <= target;
  });
  const bool any_failed =
      std::any_of(cells.begin(), cells.end(), [](const SweepCell& cell) { return cell.state == CellState::failed; });
  return any_failed || !reached ? kTargetNotReached : kDone;
}

int run_and_show(SweepPlan plan, const std::filesystem::path& folder, const SweepSwitches& switches) {
  const auto finished_before = static_cast<Index>(std::count_if(
      plan.cells.begin(), plan.cells.end(), [](const SweepCell& c) { return c.state == CellState::finished; }));
  const auto total = std::ssize(plan.cells);
  const Index skipped = switches.fresh ? 0 : finished_before;
  if (!switches.quiet) {
    fmt::print(stderr, "{} cells{}{}, budget {}, {} precision; {} at once; records in {}\n", total,
               skipped > 0 ? fmt::format(", {} of them finished before", skipped) : std::string(),
               plan.repeated > 0 ? fmt::format(" ({} more are repetitions)", plan.repeated) : std::string(),
               plan.settings.run.budget, to_string(plan.settings.run.precision), switches.workers, folder.string());
  }
  SweepExecution execution;
  execution.program = std::filesystem::read_symlink("/proc/self/exe").string();
  execution.workers = switches.workers;
  execution.threads = switches.threads;
  execution.fresh = switches.fresh;
  execution.interrupted = interrupted;
  Index done = skipped;
  if (!switches.quiet) {
    execution.ended = [&](const SweepCell& cell, double seconds, double left) {
      ++done;
      const std::string how =
          cell.verdict ? fmt::format("{}, f {}", cell.verdict->termination, significant(cell.verdict->value, 6))
          : cell.reason.empty() ? "stopped"
                                : cell.reason;
      fmt::print(stderr, "[{}/{}] {} on {}, seed {}: {}, in {}{}\n", done, total, cell.settings.method,
                 cell.settings.problem, cell.settings.seed, how, duration_text(seconds),
                 left > 0 ? fmt::format("; {} left", duration_text(left)) : std::string());
    };
  }
  const Sweep sweep = run_sweep(std::move(plan), folder, execution);
  for (const std::string& warning : sweep.warnings) fmt::print(stderr, "hesse: warning: {}\n", warning);
  if (sweep.interrupted) {
    fmt::print(stderr, "interrupted; continue with: hesse resume {}\n", folder.string());
    return interrupted_exit_code();
  }
  if (switches.json) {
    fmt::print("{}", results_json(sweep));
  } else {
    show(sweep, folder);
  }
  return exit_code_of(sweep);
}

}  // namespace

int run_and_show_sweep(SweepPlan plan, const std::filesystem::path& folder, const SweepSwitches& switches) {
  catch_interrupts();
  try {
    return run_and_show(std::move(plan), folder, switches);
  } catch (const WriteError& e) {
    fmt::print(stderr, "hesse: {}{}\n", e.what(),
               std::filesystem::exists(folder / kSweepFile)
                   ? fmt::format("; then continue with: hesse resume {}", folder.string())
                   : "");
    return kWriteFailed;
  }
}

int dry_run_sweep(const SweepPlan& plan, const SweepSwitches& switches) {
  const auto share = std::ssize(processor_shares(static_cast<std::size_t>(switches.workers)).front());
  use_threads(switches.threads > 0 ? switches.threads : share);
  std::vector<PlannedRuns> runs;
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (const SweepCell& cell : plan.cells) {
    const auto [at, is_new] = known.emplace(std::pair(cell.settings.problem, cell.given_method), runs.size());
    if (is_new) runs.push_back({cell.settings, 0, 0});
    ++runs[at->second].count;
    if (cell.state == CellState::finished && !switches.fresh) ++runs[at->second].finished;
  }
  std::string text;
  Problem problem;
  const auto problem_of = [&](const RunSettings& settings) -> Problem& {
    if (settings.problem != text) problem = make_problem(settings.problem, settings.precision);
    text = settings.problem;
    return problem;
  };
  return dry_run(runs, switches.workers, problem_of, switches.json);
}

}  // namespace hesse::app
