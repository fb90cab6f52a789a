#include "command_line.h"
#include "commands.h"
#include "run_options.h"
#include "sweep_run.h"

#include <filesystem>

namespace hesse::app {
namespace {

struct SweepOptions : RunOptions {
  std::vector<std::string> problems;
  std::vector<std::string> optimizer;
  Index repetitions = 1;
  Index samples = 0;
  Sampling sampling = Sampling::quasi_random;
  Index jobs = 1;
  bool fresh = false;
};
void visit_options(SweepOptions& o, OptionVisitor& v) {
  v.option("problem", o.problems,
           "a problem, as name:key=value,...; a value may be a list a|b|c, a grid log(LOW:HIGH:POINTS) or "
           "linear(LOW:HIGH:POINTS), or drawn: log(LOW:HIGH), linear(LOW:HIGH)");
  v.option(
      "optimizer", o.optimizer,
      "a method, likewise; 'tuned' draws from the range that 'hesse describe' gives; batch=32|64 varies its samples "
      "a step");
  v.option("repetitions", o.repetitions, Interval::closed(1, 100000), "runs of each, from seed, seed + 1, ...");
  v.option("samples", o.samples, Interval::closed(0, 100000), "of what is drawn, for each combination of the rest");
  v.choice("sampling", o.sampling, {{"quasi-random", Sampling::quasi_random}, {"random", Sampling::random}},
           "points of a Halton sequence, shifted by the seed, or independent ones");
  v.option("jobs", o.jobs, Interval::closed(1, 1024), "runs at once, each a process on processors of its own");
  v.option("fresh", o.fresh, "run again what is finished");
  visit_run_settings(o, v);
}

}  // namespace

int sweep_command(Arguments arguments) {
  const auto options = read_command_line<SweepOptions>(
      "sweep", "Run problems x optimizers x settings x seeds, each once, and go on where it was left.", arguments);
  SweepSettings settings;
  settings.run = settings_of(options);
  settings.problems = options.problems;
  settings.methods = options.optimizer;
  settings.seed = static_cast<std::uint64_t>(options.seed);
  settings.repetitions = options.repetitions;
  settings.samples = options.samples;
  settings.sampling = options.sampling;
  // A folder that a sweep began in is one to go on in.
  std::filesystem::path folder = options.output;
  if (options.output.empty() || !std::filesystem::exists(folder / kSweepFile)) {
    folder = output_folder(options.output, "sweep");
  }
  SweepPlan plan = plan_sweep(settings, folder);
  const SweepSwitches switches{options.jobs, options.threads, options.fresh, options.json, options.quiet};
  return options.dry_run ? dry_run_sweep(plan, switches) : run_and_show_sweep(std::move(plan), folder, switches);
}

}  // namespace hesse::app
