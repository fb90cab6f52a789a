#include "run_options.h"

#include "joined_ranks.h"
#include "records.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/terminal.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <limits>
#include <system_error>

namespace hesse::app {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

extern "C" void on_signal(int number) {
  caught_signal = number;
  // The next one ends the program in the usual way.
  std::signal(number, SIG_DFL);
}

/// Why a folder of this name cannot be made, empty if it can; nothing is left behind by asking.
std::string obstacle_to(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path above = folder;
  fs::file_status status = fs::status(above, error);
  while (status.type() == fs::file_type::not_found && above != ".") {
    above = above.has_parent_path() ? above.parent_path() : ".";
    status = fs::status(above, error);
  }
  if (!fs::status_known(status)) return error.message();
  if (!fs::is_directory(status)) return fmt::format("'{}' is not a folder", above.string());
  if (::access(above.c_str(), W_OK | X_OK) != 0) return fmt::format("'{}' may not be written to", above.string());
  return {};
}

std::string curvature_measures_help() {
  std::string names;
  for (const CurvatureMeasure& measure : curvature_measures()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", measure.name);
  }
  return fmt::format("of such a row, joined by commas: {}", names);
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
  visit_run_settings(o, v);
}

void visit_run_settings(RunOptions& o, OptionVisitor& v) {
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
  v.option("trace-rows", o.trace_rows, Interval::closed(1, 1e6),
           "rows of the trace an epoch; methods without epochs have one a step");
  v.option("curvature-every", o.curvature_every, Interval::closed(0, 9e15),
           "steps between rows of the Hessian's figures in curvature.csv; 0 for none");
  v.option("curvature-top", o.curvature_top, Interval::closed(1, 100), "largest eigenvalues of such a row");
  v.option("curvature-measures", o.curvature_measures, curvature_measures_help());
  v.option("output", o.output, "folder for the records (default: a new one under runs/)");
  v.option("dry-run", o.dry_run, "say what would be run, and what time and memory it will take; run and write nothing");
  v.option("json", o.json, "print the result as JSON on standard output");
  v.option("quiet", o.quiet, "no progress lines");
}

void visit_plot(bool& plot, OptionVisitor& v) {
  v.option("plot", plot, "draw it in the terminal too, in characters, by gnuplot");
}

void check_plot(bool plot, bool json) {
  if (plot && json)
    fail("--plot draws on standard output, and --json has nothing but JSON there; leave one of them out");
}

Index plot_width() {
  const Index width = terminal_style(stdout).width;
  return width > 0 ? std::clamp<Index>(width, 40, 120) : 80;
}

void print_plot(const Plot& plot) {
  try {
    fmt::print("{}", plot_text(plot, plot_width()));
  } catch (const Error& e) {
    fmt::print(stderr, "hesse: warning: no plot: {}\n", e.what());
  }
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
  settings.trace_rows = o.trace_rows;
  settings.curvature_every = o.curvature_every;
  settings.curvature_top = o.curvature_top;
  settings.curvature_measures = o.curvature_measures;
  settings.chunks = chunks_for_ranks();
  settings.ranks = ranks().size();
  return settings;
}

void use_threads(Index threads) {
  if (threads > 0) set_threads(static_cast<int>(threads));
}

Problem make_problem(const std::string& text, Precision precision, Index chunks) {
  if (text.empty()) fail("no problem is given; name one, as in --problem rosenbrock ('hesse list problems' shows all)");
  Problem problem;
  ranks().together("problem", 0, [&] { problem = problems().make(parse_spec(text), {precision, sharing(chunks)}); });
  if (ranks().size() > 1 && !problem.share) {
    fmt::print(stderr,
               "hesse: warning: {} is no sum over samples that ranks could share; every rank computes all of it\n",
               text);
  }
  return problem;
}

Problem make_problem(const std::string& text, Precision precision) {
  return make_problem(text, precision, chunks_for_ranks());
}

namespace {

std::filesystem::path free_folder(const std::string& output, const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path folder = output;
  if (output.empty()) {
    const std::string stem = fmt::format("runs/{}-{:%Y%m%d-%H%M%S}", name, fmt::gmtime(std::time(nullptr)));
    folder = stem;
    for (int i = 2; fs::exists(folder, error); ++i) folder = fmt::format("{}-{}", stem, i);
  } else if (fs::is_directory(folder, error)) {
    // What a run that was killed before its first record left behind is no one's work.
    remove_partial_files(folder);
    if (!fs::is_empty(folder, error)) {
      fail("{}: the output folder exists and is not empty; name another, or continue it with 'hesse resume {}'", output,
           output);
    }
  } else if (fs::exists(folder, error)) {
    fail("{}: the output folder is the name of a file; name another", output);
  }
  if (const std::string why = obstacle_to(folder); !why.empty()) {
    fail("{}: the output folder cannot be made: {}; name another with --output", folder.string(), why);
  }
  note_records(folder);
  return folder;
}

}  // namespace

std::filesystem::path output_folder(const std::string& output, const std::string& name) {
  // Rank 0's, who writes there, and will have made it before others look.
  std::filesystem::path folder;
  ranks().together("output", 0, [&] {
    if (ranks().rank() == 0) folder = free_folder(output, name);
  });
  return ranks().of_first(folder.string());
}

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return caught_signal != 0; }

bool any_rank_interrupted() {
  // What all have agreed on: a signal that arrives meanwhile is for the next time, or the ranks would part.
  const double signal = ranks().largest(caught_signal);
  if (signal > 0) caught_signal = static_cast<int>(signal);
  return signal > 0;
}

int interrupted_exit_code() { return 128 + static_cast<int>(caught_signal); }

}  // namespace hesse::app
