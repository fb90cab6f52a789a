#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/report/atomic_file.h"

#include <fmt/chrono.h>

#include <csignal>
#include <ctime>
#include <limits>

namespace hesse::app {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

extern "C" void on_signal(int number) {
  caught_signal = number;
  // The next one ends the program in the usual way.
  std::signal(number, SIG_DFL);
}

}  // namespace

void visit_precision(Precision& precision, OptionVisitor& v) {
  v.choice("precision", precision, {{"float", Precision::float32}, {"double", Precision::float64}},
           "of a network's matrix products; sums are always double");
}

void visit_threads(Index& threads, OptionVisitor& v) {
  v.option("threads", threads, Interval::closed(0, 1024),
           "threads; 0 means one for each processor; bits do not depend on it");
}

void visit_run_options(RunOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "what to minimise, as name:key=value,... ('hesse list problems')");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of the batches");
  v.option("budget", o.budget, "10epochs, 100gradients, 500steps, 30s, or several joined by commas");
  v.option("batch-size", o.batch_size, Interval::closed(0, 1e9),
           "samples of a step, for methods that do not want all; 0 means all");
  v.option("target", o.target, "stop when the training objective is at or below this number");
  v.option("gradient-tolerance", o.gradient_tolerance, Interval::non_negative(), "stop when |g| is at or below it");
  visit_precision(o.precision, v);
  visit_threads(o.threads, v);
  v.option("escape", o.escape, "go on along negative curvature from a stationary point that is no minimum");
  v.option("checkpoint-seconds", o.checkpoint_seconds, Interval::positive(), "between checkpoints");
  v.option("output", o.output, "folder for the records (default: a new one under runs/)");
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
}

RunSettings settings_of(const RunOptions& o) {
  RunSettings settings;
  settings.problem = o.problem;
  settings.seed = static_cast<std::uint64_t>(o.seed);
  settings.precision = o.precision;
  settings.batch_size = o.batch_size;
  settings.budget = o.budget;
  settings.target =
      o.target.empty() ? -std::numeric_limits<double>::infinity() : parse_number("option target", o.target);
  settings.gradient_tolerance = o.gradient_tolerance;
  settings.escape = o.escape;
  settings.checkpoint_seconds = o.checkpoint_seconds;
  return settings;
}

void use_threads(Index threads) {
  if (threads > 0) set_threads(static_cast<int>(threads));
}

Problem make_problem(const std::string& text, Precision precision) {
  if (text.empty()) fail("no problem is given; name one, as in --problem rosenbrock ('hesse list problems' shows all)");
  return problems().make(parse_spec(text), {precision});
}

std::filesystem::path output_folder(const std::string& output, const std::string& name) {
  namespace fs = std::filesystem;
  if (!output.empty()) {
    std::error_code ignored;
    // What a run that was killed before its first record left behind is no one's work.
    if (fs::is_directory(output)) remove_partial_files(output);
    if (fs::exists(output) && !(fs::is_directory(output) && fs::is_empty(output, ignored))) {
      fail("{}: the output folder exists and is not empty; name another, or continue it with 'hesse resume {}'", output,
           output);
    }
    return output;
  }
  const std::string stem = fmt::format("runs/{}-{:%Y%m%d-%H%M%S}", name, fmt::gmtime(std::time(nullptr)));
  fs::path folder = stem;
  for (int i = 2; fs::exists(folder); ++i) folder = fmt::format("{}-{}", stem, i);
  return folder;
}

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return caught_signal != 0; }

int interrupted_exit_code() { return 128 + static_cast<int>(caught_signal); }

}  // namespace hesse::app
