#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "run_options.h"

#include "hesse/core/error.h"

#include <cstdio>

namespace hesse::app {
namespace {

struct CompareOptions : RunOptions {
  std::vector<std::string> optimizer;
  Index repetitions = 1;
  Index trials = 0;
  Search search = Search::rate;
  std::string tuned;
  bool plot = false;
};
void visit_options(CompareOptions& o, OptionVisitor& v) {
  v.option("optimizer", o.optimizer,
           "a method, as name:key=value,...; batch=N sets its samples a step, full_batch_at=K the step at which they "
           "are all; +name:key=value,... adds what goes around it");
  v.option("repetitions", o.repetitions, Interval::closed(1, 100000), "runs of each method, from seed, seed + 1, ...");
  v.option("trials", o.trials, Interval::closed(0, 1000),
           "runs that tune each method, under the same budget; 0 leaves them as they are");
  v.choice("search", o.search, {{"rate", Search::rate}, {"space", Search::space}},
           "what trials vary: the learning rate alone, or everything that 'hesse describe' calls tuned");
  v.option("tuned", o.tuned, "folder of 'hesse tune' whose best methods are compared");
  visit_plot(o.plot, v);
  visit_run_options(o, v);
}

}  // namespace

int compare_command(Arguments arguments) {
  const auto options = read_command_line<CompareOptions>(
      "compare", "Run several optimizers on one problem under one protocol.", arguments);
  check_plot(options.plot, options.json);
  ComparisonSettings settings = comparison_settings(options);
  if (!options.tuned.empty()) {
    if (options.trials > 0) fail("compare: --tuned and --trials exclude each other; tuned methods need no trials");
    const TunedMethods tuned = read_tuned(options.tuned, settings);
    for (const std::string& warning : tuned.warnings) fmt::print(stderr, "hesse: warning: {}\n", warning);
    settings.methods.insert(settings.methods.end(), tuned.methods.begin(), tuned.methods.end());
  }
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  check_comparison(settings, problem);
  if (options.dry_run) return dry_run_comparison(settings, problem, options.json);
  return run_comparison(settings, problem, output_folder(options.output, "compare"), options.json, options.quiet,
                        options.plot);
}

}  // namespace hesse::app
