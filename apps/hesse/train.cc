#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/report/comparison.h"
#include "hesse/report/writing.h"

#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct TrainOptions : RunOptions {
  std::string optimizer = "lbfgs";
  bool figures = false;
  Index save_every = 0;
  bool plot = false;
};
void visit_options(TrainOptions& o, OptionVisitor& v) {
  v.option("optimizer", o.optimizer,
           "the method, as name:key=value,...; batch=N sets its samples a step, full_batch_at=K the step at which they "
           "are all; +name:key=value,... adds what goes around it");
  visit_run_options(o, v);
  v.option("figures", o.figures,
           "draw the trace, the method's telemetry with it, into the folder 'figures' of the output");
  v.option("save-every", o.save_every, Interval::closed(0, 9e15),
           "steps between points saved in the folder 'trajectory' of the output, for 'hesse landscape'; 0 for none");
  visit_plot(o.plot, v);
}

}  // namespace

int train_command(Arguments arguments) {
  const auto options = read_command_line<TrainOptions>("train", "Run one optimizer on one problem.", arguments);
  check_plot(options.plot, options.json);
  RunSettings settings = settings_of(options);
  settings.method = options.optimizer;
  settings.save_every = options.save_every;
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  check_run(settings, problem);
  const std::filesystem::path folder = output_folder(options.output, "train");
  if (options.dry_run) {
    return dry_run(
        {{settings, 1, 0}}, 1, [&](const RunSettings&) -> Problem& { return problem; }, options.json);
  }
  const int exit_code = run_single(settings, problem, folder, options.json, options.quiet);
  if (options.figures && writes_records() && std::filesystem::exists(folder / kTraceFile)) {
    try {
      draw_run(folder, problem);
    } catch (const Error& e) {
      fmt::print(stderr, "hesse: warning: not all figures were drawn: {}\n", e.what());
    }
  }
  if (options.plot && std::filesystem::exists(folder / kTraceFile)) {
    const std::vector<RecordedRun> runs = {read_run(folder)};
    print_plot(comparison_plot(runs, "step", "train_value"));
  }
  return exit_code;
}

}  // namespace hesse::app
