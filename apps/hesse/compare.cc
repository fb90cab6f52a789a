#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "run_options.h"

namespace hesse::app {
namespace {

struct CompareOptions : RunOptions {
  std::vector<std::string> optimizer;
  Index repetitions = 1;
  Index trials = 0;
};
void visit_options(CompareOptions& o, OptionVisitor& v) {
  v.option(
      "optimizer", o.optimizer,
      "a method, as name:key=value,...; batch=N sets its samples a step; +name:key=value,... adds what goes around it");
  v.option("repetitions", o.repetitions, Interval::closed(1, 100000), "runs of each method, from seed, seed + 1, ...");
  v.option("trials", o.trials, Interval::closed(0, 1000),
           "runs that tune the learning rate of each method, under the same budget; 0 leaves it as it is");
  visit_run_options(o, v);
}

}  // namespace

int compare_command(Arguments arguments) {
  const auto options = read_command_line<CompareOptions>(
      "compare", "Run several optimizers on one problem under one protocol.", arguments);
  ComparisonSettings settings;
  settings.run = settings_of(options);
  settings.methods = options.optimizer;
  settings.seed = static_cast<std::uint64_t>(options.seed);
  settings.repetitions = options.repetitions;
  settings.trials = options.trials;
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  check_comparison(settings, problem);
  return run_comparison(settings, problem, output_folder(options.output, "compare"), options.json, options.quiet);
}

}  // namespace hesse::app
