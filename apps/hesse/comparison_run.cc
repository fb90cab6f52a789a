#include "comparison_run.h"

#include "command_line.h"
#include "dry_run.h"
#include "joined_ranks.h"
#include "records.h"
#include "run_options.h"

#include "hesse/core/clock.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/experiment/budget.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/comparison.h"
#include "hesse/report/folder_lock.h"
#include "hesse/report/json.h"
#include "hesse/report/progress_bar.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace hesse::app {
namespace {

/// A progress bar on standard error, and an ear for signals.
class Console {
 public:
  Console(const RunSettings& settings, bool quiet) : quiet_(quiet) {
    apply_budget(settings.budget, stopping_);
    // Where nothing is decided by seconds, ranks need not meet to read the clock.
    if (!std::isfinite(stopping_.max_seconds)) set_decision_clock({});
  }

  RunHooks hooks(const std::string& label) {
    RunHooks hooks;
    hooks.interrupted = any_rank_interrupted;
    if (!quiet_) {
      bars_.push_back(std::make_unique<ProgressBar>(stderr, label, stopping_));
      hooks.observers.push_back(bars_.back().get());
      hooks.failed = [bar = bars_.back().get()](const std::string& message) { bar->fail(message); };
    }
    return hooks;
  }
  void say(const std::string& line) const {
    if (!quiet_) fmt::print(stderr, "{}\n", line);
  }

 private:
  bool quiet_;
  Stopping stopping_;
  std::vector<std::unique_ptr<ProgressBar>> bars_;
};

/// The folder, of which nobody else writes records while this lives: locked by the rank that writes them.
std::unique_ptr<FolderLock> lock_folder(const std::filesystem::path& folder) {
  std::unique_ptr<FolderLock> lock;
  ranks().together("output", 0, [&] {
    try {
      lock = std::make_unique<FolderLock>(folder);
    } catch (const WriteError&) {
      // The first record that cannot be written says so, and how to go on.
    }
  });
  return lock;
}

/// Adds to the trouble with a record how to go on once it is overcome.
int report_write_error(const WriteError& error, const std::filesystem::path& folder) {
  // What has no room for a record has none for a page.
  note_records({});
  std::error_code ignored;
  const bool begun =
      std::filesystem::exists(folder / kComparisonFile, ignored) || std::filesystem::exists(folder / kRunFile, ignored);
  fmt::print(stderr, "hesse: {}{}\n", error.what(),
             begun ? fmt::format("; then continue with: hesse resume {}", folder.string()) : "");
  return kWriteFailed;
}

/// Adds the same to the loss of a rank.
[[noreturn]] void throw_with_advice(const RankFailure& failure, const std::filesystem::path& folder) {
  throw RankFailure(fmt::format("{}; continue with: hesse resume {}", failure.what(), folder.string()), failure.code(),
                    failure.alone());
}

int report_interrupt(const std::filesystem::path& folder) {
  fmt::print(stderr, "interrupted; continue with: hesse resume {}\n", folder.string());
  return interrupted_exit_code();
}

bool diverged(const RunOutcome& outcome) {
  return outcome.status == RunStatus::failed || outcome.verdict.termination == to_string(Termination::non_finite);
}

bool reached(const RunOutcome& outcome, double target) { return !diverged(outcome) && outcome.verdict.value <= target; }

int run_and_show(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
                 bool quiet, bool plot) {
  Console console(settings.run, quiet);
  console.say(problem.description);
  console.say(
      fmt::format("{} methods x {} seeds, budget {}, {} precision, {}{} threads; records in {}",
                  settings.methods.size(), settings.repetitions, settings.run.budget, to_string(settings.run.precision),
                  ranks().size() > 1 ? fmt::format("{} ranks x ", ranks().size()) : "", threads(), folder.string()));
  const Comparison comparison = compare(settings, problem, folder, [&](const ComparisonCell& cell) {
    return console.hooks(fmt::format("{} seed {}", cell.method, cell.seed));
  });
  for (const std::string& warning : comparison.warnings) fmt::print(stderr, "hesse: warning: {}\n", warning);
  if (comparison.interrupted) return report_interrupt(folder);
  if (json) {
    fmt::print("{}", results_json(comparison));
  } else {
    fmt::print("{}", terminal_text(comparison.table, terminal_style(stdout)));
    if (plot) {
      std::vector<RecordedRun> runs;
      for (const ComparisonCell& cell : comparison.cells) runs.push_back(read_run(cell.folder));
      print_plot(comparison_plot(runs, "gradient_equivalents", "train_value"));
    }
    fmt::print("records, tables and figures: {}\n", folder.string());
  }
  bool all_diverged = true;
  bool any_reached = false;
  for (const ComparisonCell& cell : comparison.cells) {
    all_diverged = all_diverged && diverged(cell.outcome);
    any_reached = any_reached || reached(cell.outcome, settings.run.target);
  }
  if (all_diverged) return kDiverged;
  return std::isfinite(settings.run.target) && !any_reached ? kTargetNotReached : kDone;
}

int run_and_show(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
                 bool quiet) {
  Console console(settings, quiet);
  console.say(problem.description);
  const RunOutcome outcome = run(settings, problem, folder, console.hooks(settings.method));
  if (!outcome.warning.empty()) fmt::print(stderr, "hesse: warning: {}\n", outcome.warning);
  if (outcome.status == RunStatus::interrupted) return report_interrupt(folder);
  const Verdict& v = outcome.verdict;
  if (json) {
    Json result;
    result["folder"] = folder.string();
    result["termination"] = v.termination;
    result["message"] = v.message;
    result["value"] = json_number(v.value);
    result["gradient_norm"] = json_number(v.gradient_norm);
    for (const auto& [name, value] : v.metrics) result["metrics"][name] = json_number(value);
    if (!v.kind.empty()) {
      result["kind"] = v.kind;
      result["classification"] = v.classification;
      result["escapes"] = v.progress.escapes;
    }
    result["steps"] = v.progress.step;
    result["epochs"] = json_number(v.progress.epochs);
    result["seconds"] = json_number(v.progress.seconds);
    result["gradient_equivalents"] = json_number(v.progress.cost.gradient_equivalents);
    fmt::print("{}", json_text(result));
  } else {
    std::string text =
        fmt::format("{}: {}\nvalue {:.8g}, gradient norm {:.3g}", v.termination, v.message, v.value, v.gradient_norm);
    for (const auto& [name, value] : v.metrics) text += fmt::format(", {} {:.5g}", name, value);
    if (!v.classification.empty()) {
      text += "\n" + v.classification;
      if (v.progress.escapes > 0) {
        text +=
            fmt::format("; {} time{} along negative curvature", v.progress.escapes, v.progress.escapes == 1 ? "" : "s");
      }
    }
    say("{}\n", text);
    fmt::print("{} steps, {:.4g} gradient equivalents, {:.3g} s; records in {}\n", v.progress.step,
               v.progress.cost.gradient_equivalents, v.progress.seconds, folder.string());
  }
  if (diverged(outcome)) return kDiverged;
  return std::isfinite(settings.target) && !reached(outcome, settings.target) ? kTargetNotReached : kDone;
}

}  // namespace

int dry_run_comparison(const ComparisonSettings& settings, Problem& problem, bool json) {
  std::vector<PlannedRuns> plan;
  for (const std::string& method : settings.methods) {
    RunSettings one = settings.run;
    one.method = method;
    one.seed = settings.seed;
    plan.push_back({one, settings.trials + settings.repetitions, 0});
  }
  return dry_run(
      plan, 1, [&](const RunSettings&) -> Problem& { return problem; }, json);
}

int run_comparison(const ComparisonSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
                   bool quiet, bool plot) {
  catch_interrupts();
  try {
    const auto lock = lock_folder(folder);
    return run_and_show(settings, problem, folder, json, quiet, plot);
  } catch (const WriteError& e) {
    return report_write_error(e, folder);
  } catch (const RankFailure& e) {
    throw_with_advice(e, folder);
  }
}

int run_single(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder, bool json,
               bool quiet) {
  catch_interrupts();
  try {
    const auto lock = lock_folder(folder);
    return run_and_show(settings, problem, folder, json, quiet);
  } catch (const WriteError& e) {
    return report_write_error(e, folder);
  } catch (const RankFailure& e) {
    throw_with_advice(e, folder);
  }
}

}  // namespace hesse::app
