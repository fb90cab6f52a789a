#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "joined_ranks.h"
#include "records.h"
#include "run_options.h"
#include "sweep_run.h"

#include "hesse/core/error.h"

#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct ResumeOptions {
  std::string folder;
  Index jobs = 1;
  Index trials = 0;
  Index threads = 0;
  bool json = false;
  bool quiet = false;
};
void visit_options(ResumeOptions& o, OptionVisitor& v) {
  v.option("folder", o.folder, "folder of a run, of a comparison or of a sweep");
  v.option("jobs", o.jobs, Interval::closed(1, 1024), "of a sweep: runs at once");
  v.option("trials", o.trials, Interval::closed(0, 1000),
           "of a comparison with tuned methods: raise its trials to so many; those that are finished stay");
  visit_threads(o.threads, v);
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
}

/// A run keeps the chunks that it was begun with, and with them its bits, on however many ranks it goes on. One that
/// was begun on a single process without chunks gets some where there are ranks to share them.
void share(RunSettings& settings) {
  settings.ranks = ranks().size();
  if (settings.chunks > 0 || !under_mpi()) return;
  settings.chunks = chunks_for_ranks();
  fmt::print(stderr, "hesse: warning: the run was begun without mpirun; from here on its sums round otherwise\n");
}

}  // namespace

int resume_command(Arguments arguments) {
  const auto options = read_command_line<ResumeOptions>("resume", "Continue an interrupted run, comparison or sweep.",
                                                        arguments, "folder");
  if (options.folder.empty())
    fail("resume: name the folder of a run, a comparison or a sweep, as in 'hesse resume runs/NAME'");
  const std::filesystem::path folder = options.folder;
  if (std::filesystem::exists(folder / kSweepFile)) {
    return run_and_show_sweep(plan_sweep(read_sweep(folder), folder), folder,
                              {options.jobs, options.threads, false, options.json, options.quiet});
  }
  note_records(folder);
  use_threads(options.threads);
  if (std::filesystem::exists(folder / kComparisonFile)) {
    ComparisonSettings settings = read_comparison(folder);
    if (options.trials > 0) {
      if (settings.trials == 0 || options.trials < settings.trials) {
        fail("resume: --trials {} raises the trials of a comparison that tunes; '{}' has {}", options.trials,
             options.folder, settings.trials);
      }
      settings.trials = options.trials;
    }
    share(settings.run);
    Problem problem = make_problem(settings.run.problem, settings.run.precision, settings.run.chunks);
    check_comparison(settings, problem);
    return run_comparison(settings, problem, folder, options.json, options.quiet);
  }
  if (options.trials > 0) fail("resume: --trials is of a comparison; '{}' holds none", options.folder);
  if (std::filesystem::exists(folder / kRunFile)) {
    RunSettings settings = settings_of(read_run_record(folder / kRunFile));
    share(settings);
    Problem problem = make_problem(settings.problem, settings.precision, settings.chunks);
    check_run(settings, problem);
    return run_single(settings, problem, folder, options.json, options.quiet);
  }
  fail("resume: '{}' holds neither {} nor {} nor {}; name the folder of a run, a comparison or a sweep", options.folder,
       kRunFile, kComparisonFile, kSweepFile);
}

}  // namespace hesse::app
