#include "command_line.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/experiment/profile.h"
#include "hesse/report/table.h"
#include "hesse/validation/peers.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct ProfileCommandOptions {
  std::vector<std::string> optimizer;
  std::vector<std::string> problem;
  std::vector<Index> starts = {1};
  Index seed = 1;
  double digits = 4;
  double tau_max = 10;
  Index repetitions = 3;
  Index max_steps = 10000;
  double max_seconds = 10;
  Index threads = 0;
  std::string output;
  bool json = false;
  bool quiet = false;
  bool dry_run = false;
};
void visit_options(ProfileCommandOptions& o, OptionVisitor& v) {
  v.option("optimizer", o.optimizer,
           "a method, as name:key=value,..., or a peer: ceres-lm, ceres-lbfgs, ceres-bfgs, ..., lbfgspp, liblbfgs; the "
           "best of "
           "ours and the peers of this build when none is given");
  v.option("problem", o.problem,
           "a problem with a documented minimum; all of More, Garbow and Hillstrom when none is given");
  v.option("starts", o.starts, "factors of the standard starts of those: 1, 1-10 or 1-10-100");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting points");
  v.option("digits", o.digits, Interval{0, 15, true, false}, "of the minimum, that count as solved");
  v.option("tau-max", o.tau_max, Interval{1}, "ratio up to which the area under a profile is taken");
  v.option("repetitions", o.repetitions, Interval::closed(1, 1000), "of each run, for the least of its seconds");
  v.option("max-steps", o.max_steps, Interval::closed(1, 2e9), "of each run");
  v.option("max-seconds", o.max_seconds, Interval::positive(), "of each run");
  visit_threads(o.threads, v);
  v.option("output", o.output, "folder for the records (default: a new one under runs/)");
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
  v.option("dry-run", o.dry_run, "try every cell for a moment, and say what time all will take; write nothing");
}

std::vector<std::string> more_garbow_hillstrom(const std::vector<Index>& starts) {
  std::vector<std::string> specs;
  for (int number = 1; number <= 35; ++number) {
    for (const Index start : starts) specs.push_back(fmt::format("mgh:number={},start={}", number, start));
  }
  return specs;
}

/// Our methods that do best here, each in its kind, and the peers that this build has.
std::vector<std::string> usual_solvers() {
  std::vector<std::string> solvers = {"gauss-newton", "lbfgs+hager-zhang", "bfgs+hager-zhang", "newton-cg"};
  for (const char* peer : {"ceres-lm", "ceres-lbfgs", "ceres-bfgs", "lbfgspp", "liblbfgs"}) {
    if (std::find(peers().begin(), peers().end(), peer) != peers().end()) solvers.emplace_back(peer);
  }
  return solvers;
}

/// Tries every cell; a row a solver.
std::vector<TriedCells> tried(const ProfileSettings& settings) {
  ProfileSettings trial = settings;
  trial.repetitions = 1;
  trial.max_seconds = std::min(kTrial, settings.max_seconds);
  std::vector<TriedCells> rows;
  for (const std::string& solver : settings.solvers) rows.push_back({solver});
  std::size_t cell = 0;
  auto begin = std::chrono::steady_clock::now();
  profile(trial, interrupted, [&](const ProfileCell&) {
    const auto end = std::chrono::steady_clock::now();
    add_cell(rows[cell++ % rows.size()], std::chrono::duration<double>(end - begin).count(), settings.max_seconds);
    begin = end;
  });
  return rows;
}

}  // namespace

int profile_command(Arguments arguments) {
  const auto options = read_command_line<ProfileCommandOptions>(
      "profile", "Performance profiles (Dolan and More 2002) of optimizers and of other libraries.", arguments);
  use_threads(options.threads);
  ProfileSettings settings;
  settings.problems = options.problem.empty() ? more_garbow_hillstrom(options.starts) : options.problem;
  settings.solvers = options.optimizer.empty() ? usual_solvers() : options.optimizer;
  settings.seed = static_cast<std::uint64_t>(options.seed);
  settings.digits = options.digits;
  settings.tau_max = options.tau_max;
  settings.repetitions = options.repetitions;
  settings.max_steps = options.max_steps;
  settings.max_seconds = options.max_seconds;
  check_profile(settings);
  const std::filesystem::path folder = output_folder(options.output, "profile");
  catch_interrupts();
  if (options.dry_run) {
    const std::vector<TriedCells> rows = tried(settings);
    if (interrupted()) return interrupted_exit_code();
    return dry_run("solver", rows, settings.repetitions, settings.max_seconds, options.json);
  }
  Profile result = profile(settings, interrupted, [&](const ProfileCell& cell) {
    if (options.quiet) return;
    const std::string how = cell.solved ? fmt::format("solved after {:g} evaluations", cell.evaluations) : "not solved";
    fmt::print(stderr, "{} on {}: {}\n", cell.solver, cell.problem, how);
  });
  if (result.interrupted) {
    fmt::print(stderr, "interrupted; nothing was written\n");
    return interrupted_exit_code();
  }
  write_profile(result, folder);
  for (const std::string& warning : result.warnings) fmt::print(stderr, "hesse: warning: {}\n", warning);
  if (options.json) {
    fmt::print("{}", profile_json(result));
  } else {
    fmt::print("{}", terminal_text(result.table, terminal_style(stdout)));
    fmt::print("records, tables and figures: {}\n", folder.string());
  }
  return kDone;
}

}  // namespace hesse::app
