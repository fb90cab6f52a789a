#include "command_line.h"
#include "commands.h"
#include "comparison_run.h"
#include "run_options.h"

#include "hesse/core/error.h"

namespace hesse::app {
namespace {

struct TuneOptions : RunOptions {
  std::vector<std::string> optimizer;
  Index trials = 20;
  Search search = Search::space;
  Index repetitions = 3;
};
void visit_options(TuneOptions& o, OptionVisitor& v) {
  v.option("optimizer", o.optimizer,
           "a method, as name:key=value,...; what it gives is the first trial and the middle of the ranges");
  v.option("trials", o.trials, Interval::closed(1, 1000), "runs that tune each method, under the same budget");
  v.choice("search", o.search, {{"space", Search::space}, {"rate", Search::rate}},
           "what trials vary: everything that 'hesse describe' calls tuned, or the learning rate alone");
  v.option("repetitions", o.repetitions, Interval::closed(1, 100000),
           "runs of each method's best, from seed, seed + 1, ...");
  visit_run_options(o, v);
}

}  // namespace

int tune_command(Arguments arguments) {
  const auto options = read_command_line<TuneOptions>(
      "tune", "Tune several optimizers alike, and compare the best of each over several seeds.", arguments);
  ComparisonSettings settings = comparison_settings(options);
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  check_comparison(settings, problem);
  if (options.dry_run) return dry_run_comparison(settings, problem, options.json);
  return run_comparison(settings, problem, output_folder(options.output, "tune"), options.json, options.quiet);
}

}  // namespace hesse::app
