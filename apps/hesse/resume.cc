#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "run_options.h"
#include "sweep_run.h"

#include "hesse/core/error.h"

#include <filesystem>

namespace hesse::app {
namespace {

struct ResumeOptions {
  std::string folder;
  Index jobs = 1;
  Index threads = 0;
  bool json = false;
  bool quiet = false;
};
void visit_options(ResumeOptions& o, OptionVisitor& v) {
  v.option("folder", o.folder, "folder of a run, of a comparison or of a sweep");
  v.option("jobs", o.jobs, Interval::closed(1, 1024), "of a sweep: runs at once");
  visit_threads(o.threads, v);
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
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
  use_threads(options.threads);
  if (std::filesystem::exists(folder / kComparisonFile)) {
    const ComparisonSettings settings = read_comparison(folder);
    Problem problem = make_problem(settings.run.problem, settings.run.precision);
    check_comparison(settings, problem);
    return run_comparison(settings, problem, folder, options.json, options.quiet);
  }
  if (std::filesystem::exists(folder / kRunFile)) {
    const RunSettings settings = settings_of(read_run_record(folder / kRunFile));
    Problem problem = make_problem(settings.problem, settings.precision);
    check_run(settings, problem);
    return run_single(settings, problem, folder, options.json, options.quiet);
  }
  fail("resume: '{}' holds neither {} nor {} nor {}; name the folder of a run, a comparison or a sweep", options.folder,
       kRunFile, kComparisonFile, kSweepFile);
}

}  // namespace hesse::app
