#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/experiment/diagnose.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct DiagnoseCommandOptions {
  std::string problem;
  std::string optimizer = "momentum";
  Index seed = 1;
  Index batch_size = 128;
  Index steps = 100;
  Index overfit_steps = 1000;
  Precision precision = Precision::float64;
  Index threads = 0;
  std::string output;
  bool json = false;
};
void visit_options(DiagnoseCommandOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...");
  v.option("optimizer", o.optimizer, "the method, as name:key=value,...");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of the batches");
  v.option("batch-size", o.batch_size, Interval::closed(0, 1e9), "samples of a step; 0 means all");
  v.option("steps", o.steps, Interval::closed(1, 1e6), "steps of training that are observed");
  v.option("overfit-steps", o.overfit_steps, Interval::closed(1, 1e6), "steps that ten samples get");
  visit_precision(o.precision, v);
  visit_threads(o.threads, v);
  v.option("output", o.output, "folder for diagnosis.json (default: none is written)");
  v.option("json", o.json, "print JSON");
}

std::string figure_text(double figure) { return std::isnan(figure) ? "" : significant(figure, 3); }

}  // namespace

int diagnose_command(Arguments arguments) {
  const auto options = read_command_line<DiagnoseCommandOptions>(
      "diagnose", "Run the checks that a person runs when training fails.", arguments);
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  DiagnoseOptions wanted;
  wanted.method = options.optimizer;
  wanted.seed = static_cast<std::uint64_t>(options.seed);
  wanted.precision = options.precision;
  wanted.batch_size = options.batch_size;
  wanted.steps = options.steps;
  wanted.overfit_steps = options.overfit_steps;
  const std::filesystem::path folder = options.output.empty() ? "" : output_folder(options.output, "diagnose");
  const Diagnosis diagnosis = diagnose(problem, wanted);

  Json json;
  json["problem"] = options.problem;
  json["optimizer"] = options.optimizer;
  json["seed"] = options.seed;
  json["finding"] = to_string(diagnosis.finding());
  json["checks"] = Json::array();
  for (const Check& check : diagnosis.checks) {
    json["checks"].push_back({{"name", check.name},
                              {"finding", to_string(check.finding)},
                              {"figure", json_number(check.figure)},
                              {"message", check.message}});
  }
  json["blocks"] = Json::array();
  for (const BlockNorms& block : diagnosis.blocks) {
    json["blocks"].push_back({{"name", block.name},
                              {"gradient_rms", json_number(block.gradient_rms)},
                              {"relative_step", json_number(block.relative_step)}});
  }
  json["units"] = Json::array();
  for (const UnitCounts& layer : diagnosis.units) {
    json["units"].push_back(
        {{"name", layer.name}, {"units", layer.units}, {"dead", layer.dead}, {"saturated", layer.saturated}});
  }
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "diagnosis.json", json_text(json));
  }
  const int code = diagnosis.finding() == Finding::bad ? kTargetNotReached : kDone;
  if (options.json) {
    fmt::print("{}", json_text(json));
    return code;
  }
  const TerminalStyle style = terminal_style(stdout);
  Table checks;
  checks.title = fmt::format("{} with {}", options.problem, options.optimizer);
  checks.columns = {{"check", false}, {"finding", false}, {"figure"}, {"what was seen", false}};
  for (const Check& check : diagnosis.checks) {
    checks.add({Cell(check.name), Cell(to_string(check.finding), check.finding == Finding::bad),
                Cell(figure_text(check.figure)), Cell(check.message)});
  }
  Table blocks;
  blocks.title = fmt::format("norms over {} steps", options.steps);
  blocks.columns = {{"block", false}, {"gradient, root mean square at the start"}, {"step / weights, median"}};
  for (const BlockNorms& block : diagnosis.blocks) {
    blocks.add({Cell(block.name), Cell(figure_text(block.gradient_rms)), Cell(figure_text(block.relative_step))});
  }
  say("{}\n{}{}", problem.description, terminal_text(checks, style), terminal_text(blocks, style));
  if (!diagnosis.units.empty()) {
    Table units;
    units.title = "hidden units";
    units.columns = {{"layer", false}, {"units"}, {"dead"}, {"saturated"}};
    for (const UnitCounts& layer : diagnosis.units) {
      units.add({Cell(layer.name), Cell(fmt::format("{}", layer.units)), Cell(fmt::format("{}", layer.dead)),
                 Cell(fmt::format("{}", layer.saturated))});
    }
    say("{}", terminal_text(units, style));
  }
  say("in all: {}\n", to_string(diagnosis.finding()));
  return code;
}

}  // namespace hesse::app
