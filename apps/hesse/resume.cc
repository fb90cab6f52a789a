#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "run_options.h"

#include "hesse/core/error.h"

#include <filesystem>

namespace hesse::app {
namespace {

struct ResumeOptions {
  std::string folder;
  Index trials = 0;
  Index threads = 0;
  bool json = false;
  bool quiet = false;
};
void visit_options(ResumeOptions& o, OptionVisitor& v) {
  v.option("folder", o.folder, "folder of a run or of a comparison");
  v.option("trials", o.trials, Interval::closed(0, 1000),
           "of a comparison with tuned methods: raise its trials to so many; those that are finished stay");
  visit_threads(o.threads, v);
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
}

}  // namespace

int resume_command(Arguments arguments) {
  const auto options =
      read_command_line<ResumeOptions>("resume", "Continue an interrupted run or comparison.", arguments, "folder");
  if (options.folder.empty())
    fail("resume: name the folder of a run or of a comparison, as in 'hesse resume runs/NAME'");
  const std::filesystem::path folder = options.folder;
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
    Problem problem = make_problem(settings.run.problem, settings.run.precision);
    check_comparison(settings, problem);
    return run_comparison(settings, problem, folder, options.json, options.quiet);
  }
  if (options.trials > 0) fail("resume: --trials is of a comparison; '{}' holds none", options.folder);
  if (std::filesystem::exists(folder / kRunFile)) {
    const RunSettings settings = settings_of(read_run_record(folder / kRunFile));
    Problem problem = make_problem(settings.problem, settings.precision);
    check_run(settings, problem);
    return run_single(settings, problem, folder, options.json, options.quiet);
  }
  fail("resume: '{}' holds neither {} nor {}; name the folder of a run or of a comparison", options.folder, kRunFile,
       kComparisonFile);
}

}  // namespace hesse::app
