#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct ScheduleCommandOptions {
  std::string name;
  Index run = 1000;
  double lr = 1;
  std::string output;
  bool json = false;
};
void visit_options(ScheduleCommandOptions& o, OptionVisitor& v) {
  v.option("name", o.name, "a schedule, as name:key=value,...; several joined by + multiply");
  v.option("run", o.run, Interval::closed(1, 1e7), "steps of the run");
  v.option("lr", o.lr, Interval::positive(), "learning rate that the schedule is a factor of");
  v.option("output", o.output, "plot to write: a file that ends in .svg, .png or .pdf");
  v.option("json", o.json, "print every step as JSON");
}

struct Course {
  std::vector<double> step;
  std::vector<double> rate;
  std::vector<double> momentum;  ///< NaN where it is left alone
  bool sets_momentum() const {
    return std::any_of(momentum.begin(), momentum.end(), [](double m) { return !std::isnan(m); });
  }
};

Course course_of(const std::string& text, Index run, double lr) {
  const OptimizerSpec chain = parse_optimizer(text);
  std::vector<Schedule> all = {schedules().make(chain.method, {})};
  for (const Spec& next : chain.modifiers) all.push_back(schedules().make(next, {}));
  Course course;
  for (Index step = 0; step < run; ++step) {
    double rate = lr;
    double momentum = std::nan("");
    for (const Schedule& schedule : all) {
      const ScheduleValue value = schedule({step, static_cast<double>(step) / static_cast<double>(run)});
      rate *= value.rate;
      if (!std::isnan(value.momentum)) momentum = value.momentum;
    }
    course.step.push_back(static_cast<double>(step));
    course.rate.push_back(rate);
    course.momentum.push_back(momentum);
  }
  return course;
}

/// Every step at which something is to be seen in a table: about `rows` of them, the last among them.
std::vector<std::size_t> rows_of(std::size_t steps, std::size_t rows) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < std::min(rows, steps); ++i) {
    all.push_back(rows >= steps ? i : i * (steps - 1) / (rows - 1));
  }
  return all;
}

/// A course's figure over the steps.
Plot plot_of(const std::string& title, const char* label, const std::vector<double>& step,
             const std::vector<double>& figure) {
  Plot plot;
  plot.title = title;
  plot.x_label = "step";
  plot.y_label = label;
  plot.series.push_back({label, {{step, figure}}});
  return plot;
}

}  // namespace

int schedule_command(Arguments arguments) {
  const auto options = read_command_line<ScheduleCommandOptions>(
      "schedule", "Draw a learning-rate or momentum schedule over a run.", arguments, "name");
  if (options.name.empty()) fail("schedule: name one, as in 'hesse schedule cosine'; 'hesse list schedules' shows all");
  const Course course = course_of(options.name, options.run, options.lr);
  if (!options.output.empty()) {
    Plot plot = plot_of(options.name, "learning rate", course.step, course.rate);
    if (course.sets_momentum()) {
      plot.y_label = "learning rate, momentum";
      plot.series.push_back({"momentum", {{course.step, course.momentum}}});
    }
    Palette palette;
    write_plot(options.output, plot, palette);
  }
  if (options.json) {
    Json json;
    json["schedule"] = options.name;
    json["run"] = options.run;
    json["step"] = Json::array();
    json["rate"] = Json::array();
    json["momentum"] = Json::array();
    for (std::size_t i = 0; i < course.step.size(); ++i) {
      json["step"].push_back(i);
      json["rate"].push_back(json_number(course.rate[i]));
      json["momentum"].push_back(json_number(course.momentum[i]));
    }
    fmt::print("{}", json_text(json));
    return kDone;
  }
  const TerminalStyle style = terminal_style(stdout);
  print_plot(plot_of(options.name, "learning rate", course.step, course.rate));
  if (course.sets_momentum()) print_plot(plot_of(options.name, "momentum", course.step, course.momentum));
  Table table;
  table.title = fmt::format("{} over {} steps", options.name, options.run);
  table.columns = {{"step"}, {"learning rate"}};
  if (course.sets_momentum()) table.columns.push_back({"momentum"});
  for (const std::size_t i : rows_of(course.step.size(), 11)) {
    std::vector<Cell> row = {Cell(fmt::format("{}", i)), Cell(significant(course.rate[i], 5))};
    if (course.sets_momentum()) row.emplace_back(significant(course.momentum[i], 5));
    table.add(std::move(row));
  }
  fmt::print("{}", terminal_text(table, style));
  if (!options.output.empty()) fmt::print("drawn to {}\n", options.output);
  return kDone;
}

}  // namespace hesse::app
