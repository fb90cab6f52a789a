#include "dry_run.h"

#include "command_line.h"

#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/core/parallel.h"
#include "hesse/experiment/estimate.h"
#include "hesse/report/json.h"
#include "hesse/report/progress_bar.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <tuple>

namespace hesse::app {
namespace {

std::string bytes_text(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.2f} GB", bytes / 1e9);
}

}  // namespace

int dry_run(const std::vector<PlannedRuns>& plan, Index workers,
            const std::function<Problem&(const RunSettings&)>& problem_of, bool json) {
  Json all = Json::array();
  Table table;
  table.columns = {{"problem", false}, {"optimizer", false}, {"runs"},        {"done"},        {"steps"},
                   {"ms a step"},      {"time a run"},       {"state", true}, {"notes", false}};
  double seconds = 0;
  double disk = 0;
  Index runs = 0;
  Index finished = 0;
  for (const PlannedRuns& planned : plan) {
    const Index left = planned.count - planned.finished;
    runs += planned.count;
    finished += planned.finished;
    RunEstimate e;
    std::string note;
    try {
      e = estimate_run(planned.settings, problem_of(planned.settings));
      if (!e.ended.empty()) note = "ends early: " + e.ended;
    } catch (const Error& error) {
      // Bad options were refused before; this method would fail at its first steps and be a row like any other.
      note = fmt::format("fails: {}", error.what());
    }
    seconds += static_cast<double>(left) * e.seconds;
    disk += static_cast<double>(left) * e.disk_bytes;
    table.add({Cell(planned.settings.problem), Cell(planned.settings.method), Cell(fmt::format("{}", planned.count)),
               Cell(fmt::format("{}", planned.finished)), Cell(significant(e.steps, 4)),
               Cell(significant(1000 * e.step_seconds, 3)), Cell(duration_text(e.seconds)),
               Cell(bytes_text(e.state_bytes)), Cell(note)});
    all.push_back({{"problem", planned.settings.problem},
                   {"optimizer", planned.settings.method},
                   {"runs", planned.count},
                   {"finished", planned.finished},
                   {"parameters", e.parameters},
                   {"measured_steps", e.measured_steps},
                   {"steps", json_number(e.steps)},
                   {"step_seconds", json_number(e.step_seconds)},
                   {"evaluation_seconds", json_number(e.evaluation_seconds)},
                   {"seconds", json_number(e.seconds)},
                   {"state_bytes", json_number(e.state_bytes)},
                   {"disk_bytes", json_number(e.disk_bytes)},
                   {"note", note}});
  }
  const double at_once = static_cast<double>(std::max<Index>(1, std::min(workers, runs - finished)));
  seconds /= at_once;
  const double memory = at_once * peak_memory();
  if (json) {
    fmt::print("{}", json_text({{"dry_run", true},
                                {"runs", runs},
                                {"finished", finished},
                                {"workers", workers},
                                {"threads", threads()},
                                {"seconds", json_number(seconds)},
                                {"memory_bytes", json_number(memory)},
                                {"disk_bytes", json_number(disk)},
                                {"plan", std::move(all)}}));
    return kDone;
  }
  table.title =
      fmt::format("{} run{}, {} done already; nothing is run or written", runs, runs == 1 ? "" : "s", finished);
  const TerminalStyle style = terminal_style(stdout);
  fmt::print("{}", terminal_text(table, style));
  fmt::print(
      "{}",
      wrapped(fmt::format("time: about {}{}: the steps of the budget by what those after the first took "
                          "(up to 3 were made), and an evaluation for each row of the trace; work that is "
                          "done only every so many steps, an early end, and the reading of data are not seen",
                          duration_text(seconds), at_once > 1 ? fmt::format(" on {} workers", at_once) : std::string()),
              style.width));
  fmt::print("{}", wrapped(fmt::format("memory: about {}: the most that this process has had, data, workspaces and "
                                       "states of these steps included{}",
                                       bytes_text(memory),
                                       at_once > 1 ? fmt::format(", times {} workers", at_once) : std::string()),
                           style.width));
  fmt::print("{}",
             wrapped(fmt::format("disk: about {} of checkpoints (two a run: parameters and state)", bytes_text(disk)),
                     style.width));
  return kDone;
}

int dry_run(Objective& f, const Vector& x, const AnalysisWork& work, bool json) {
  // The first evaluation also makes workspaces, so the second counts.
  const auto seconds_of = [](const std::function<void()>& body) {
    body();
    const auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  Vector g;
  const double value = work.values > 0 ? seconds_of([&] { f.value(x); }) : 0;
  const double gradient = work.gradients > 0 ? seconds_of([&] { f.value_and_gradient(x, g); }) : 0;
  double product = 0;
  if (work.products > 0) {
    const auto H = f.curvature(x, Curvature::hessian);
    const Matrix v = Vector::Constant(x.size(), 1 / std::sqrt(static_cast<double>(x.size())));
    Matrix Hv(x.size(), 1);
    product = seconds_of([&] { H->apply(v, Hv); });
  }
  // Dense factorisations run at some GFLOP/s a processor; 5 is a cautious figure.
  constexpr double kFlopsPerSecond = 5e9;
  const double seconds =
      work.values * value + work.gradients * gradient + work.products * product + work.flops / kFlopsPerSecond;
  const double memory = peak_memory() + work.bytes;
  if (json) {
    fmt::print("{}", json_text({{"dry_run", true},
                                {"parameters", x.size()},
                                {"values", work.values},
                                {"gradients", work.gradients},
                                {"products", work.products},
                                {"value_seconds", json_number(value)},
                                {"gradient_seconds", json_number(gradient)},
                                {"product_seconds", json_number(product)},
                                {"seconds", json_number(seconds)},
                                {"memory_bytes", json_number(memory)},
                                {"notes", work.notes}}));
    return kDone;
  }
  const Index width = terminal_style(stdout).width;
  Table table;
  table.title = fmt::format("{} variables; nothing is computed beyond this or written", x.size());
  table.columns = {{"what", false}, {"how many"}, {"ms each"}};
  for (const auto& [what, count, each] : {std::tuple{"values", work.values, value},
                                          {"values with gradient", work.gradients, gradient},
                                          {"curvature products", work.products, product}}) {
    if (count > 0) table.add({what, significant(count, 4), significant(1000 * each, 3)});
  }
  fmt::print("{}", terminal_text(table, terminal_style(stdout)));
  fmt::print("{}", wrapped(fmt::format("time: about {}: each by one that was measured{}", duration_text(seconds),
                                       work.flops > 0 ? ", and dense factorisations at 5 GFLOP/s" : ""),
                           width));
  fmt::print("{}", wrapped(fmt::format("memory: about {}: the most that this process has had{}", bytes_text(memory),
                                       work.bytes > 0 ? ", and " + bytes_text(work.bytes) + " of matrices" : ""),
                           width));
  for (const std::string& note : work.notes) fmt::print("{}", wrapped(note, width));
  return kDone;
}

}  // namespace hesse::app
