#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/experiment/find_lr.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct FindLrCommandOptions {
  std::string problem;
  std::string optimizer = "momentum";
  Index seed = 1;
  Index batch_size = 128;
  double low = 1e-7;
  double high = 10;
  Index steps = 200;
  double smoothing = 0.95;
  double stop = 4;
  Precision precision = Precision::float32;
  Index threads = 0;
  std::string output;
  bool json = false;
};
void visit_options(FindLrCommandOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...");
  v.option("optimizer", o.optimizer, "the method whose rate is wanted, as name:key=value,...; its own lr is not used");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of the batches");
  v.option("batch-size", o.batch_size, Interval::closed(0, 1e9), "samples of a step; 0 means all");
  v.option("low", o.low, Interval::positive(), "first rate");
  v.option("high", o.high, Interval::positive(), "last rate");
  v.option("steps", o.steps, Interval::closed(10, 1e6), "steps from the first rate to the last");
  v.option("smoothing", o.smoothing, Interval::half_open(0, 1), "weight of the past in the smoothed loss");
  v.option("stop", o.stop, Interval{1}, "end where the smoothed loss exceeds this multiple of its least");
  visit_precision(o.precision, v);
  visit_threads(o.threads, v);
  v.option("output", o.output, "folder for lr.json, lr.svg and lr.csv (default: none is written)");
  v.option("json", o.json, "print JSON");
}

Json array_of(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(json_number(value));
  return json;
}

}  // namespace

int find_lr_command(Arguments arguments) {
  const auto options = read_command_line<FindLrCommandOptions>(
      "find-lr", "Find a learning rate by the range test: rates that rise from step to step.", arguments);
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  const Method method = parse_method(options.optimizer);
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const auto optimizer = make_optimizer(method.optimizer, {*problem.objective, seed});
  FindLrOptions find;
  find.low = options.low;
  find.high = options.high;
  find.steps = options.steps;
  find.smoothing = options.smoothing;
  find.stop = options.stop;
  find.batch_size = method.batch >= 0 ? method.batch : optimizer->prefers_full_batch() ? 0 : options.batch_size;
  find.seed = seed;
  const std::filesystem::path folder = options.output.empty() ? "" : output_folder(options.output, "find-lr");
  const LrSweep sweep = find_lr(*optimizer, *problem.objective, problem.start(seed), find);

  Json json;
  json["problem"] = options.problem;
  json["optimizer"] = options.optimizer;
  json["seed"] = options.seed;
  json["batch_size"] = find.batch_size;
  json["message"] = sweep.message;
  json["begins"] = json_number(sweep.begins);
  json["steepest"] = json_number(sweep.steepest);
  json["slows"] = json_number(sweep.slows);
  json["least"] = json_number(sweep.least);
  json["diverged"] = sweep.diverged;
  json["rate"] = array_of(sweep.rate);
  json["loss"] = array_of(sweep.loss);
  json["smoothed"] = array_of(sweep.smoothed);
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "lr.json", json_text(json));
    Plot plot;
    plot.title = fmt::format("{} on {}", options.optimizer, options.problem);
    plot.x_label = "learning rate";
    plot.y_label = "loss";
    plot.log_x = true;
    plot.legend = std::isfinite(sweep.steepest) ? fmt::format("trains from {:.2g} to {:.2g}", sweep.begins, sweep.slows)
                                                : "no rate trains";
    plot.series = {{"after the step", {{sweep.rate, sweep.loss}}}, {"smoothed", {{sweep.rate, sweep.smoothed}}}};
    Palette palette;
    write_plot(folder / "lr.svg", plot, palette);
  }
  const bool found = std::isfinite(sweep.steepest);
  if (options.json) {
    fmt::print("{}", json_text(json));
    return found ? kDone : kTargetNotReached;
  }
  Table table;
  table.title = fmt::format("{} on {}", options.optimizer, options.problem);
  table.columns = {{"learning rate"}, {"what", false}};
  if (found) {
    table.add({Cell(significant(sweep.begins, 3)), Cell("a tenth of the fall has happened")});
    table.add({Cell(significant(sweep.steepest, 3), true), Cell("the loss falls fastest")});
    table.add({Cell(significant(sweep.slows, 3)), Cell("nine tenths of the fall have happened")});
    table.add({Cell(significant(sweep.least, 3)), Cell("the loss is least")});
    say("{}", terminal_text(table, terminal_style(stdout)));
  }
  say("{}\n", sweep.message);
  if (!options.output.empty()) fmt::print("records in {}\n", options.output);
  return found ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
