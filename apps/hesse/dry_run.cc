#include "dry_run.h"

#include "command_line.h"

#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/core/parallel.h"
#include "hesse/curvature/memory.h"
#include "hesse/experiment/estimate.h"
#include "hesse/report/json.h"
#include "hesse/report/progress_bar.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <tuple>

namespace hesse::app {
namespace {

std::string bytes_text(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.2f} GB", bytes / 1e9);
}

/// Of one evaluation each; 0 where there is none of its kind.
struct UnitSeconds {
  double value = 0;
  double gradient = 0;
  double product = 0;
};

UnitSeconds measure(Objective& f, const Vector& x, const AnalysisWork& work) {
  // The first evaluation also makes workspaces, and another at its point may reuse it: those after it count, each an
  // ulp from the one before, and the fastest of a few is the one that nothing else held up.
  const Vector away = x.unaryExpr([](double xi) { return std::nextafter(xi, std::numeric_limits<double>::max()); });
  const auto seconds_of = [&](const std::function<void(const Vector&)>& body) {
    constexpr int kMost = 6;
    constexpr double kEnough = 0.2;
    body(x);
    double least = std::numeric_limits<double>::infinity();
    double spent = 0;
    for (int k = 0; k < kMost && spent < kEnough; ++k) {
      const auto begin = std::chrono::steady_clock::now();
      body(k % 2 == 0 ? away : x);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      least = std::min(least, seconds);
      spent += seconds;
    }
    return least;
  };
  UnitSeconds each;
  Vector g;
  if (work.values > 0) each.value = seconds_of([&](const Vector& at) { f.value(at); });
  if (work.gradients > 0) each.gradient = seconds_of([&](const Vector& at) { f.value_and_gradient(at, g); });
  if (work.products > 0) {
    const auto H = f.curvature(x, Curvature::hessian);
    const Matrix v = Vector::Constant(x.size(), 1 / std::sqrt(static_cast<double>(x.size())));
    Matrix Hv(x.size(), 1);
    each.product = seconds_of([&](const Vector&) { H->apply(v, Hv); });
  }
  return each;
}

double seconds_of(const AnalysisWork& work, const UnitSeconds& each) {
  // Dense factorisations run at some GFLOP/s a processor; 5 is a cautious figure.
  constexpr double kFlopsPerSecond = 5e9;
  return work.values * each.value + work.gradients * each.gradient + work.products * each.product +
         work.flops / kFlopsPerSecond;
}

}  // namespace

double usual_lanczos(Index n, Index wanted) {
  return std::min(static_cast<double>(n), 20.0 + 10.0 * static_cast<double>(wanted));
}

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

double seconds_of(Objective& f, const Vector& x, const AnalysisWork& work) {
  return seconds_of(work, measure(f, x, work));
}

AnalysisWork classification_work(const ClassifyOptions& options, Index n) {
  AnalysisWork work;
  const auto size = static_cast<double>(n);
  work.gradients = 2;
  if (n <= options.dense_limit || n <= options.inertia_limit) {
    // Here, and where Newton's step leads.
    work.products = 2 * size;
    work.flops = (n <= options.dense_limit ? 18 : 2) * size * size * size;
    work.bytes = 4 * sizeof(double) * size * size;
    work.vectors_at_once = 32;
  } else {
    EigenOptions eigen;
    eigen.smallest = options.negative_directions;
    work.products = usual_lanczos(n, eigen.largest + eigen.smallest);
    work.bytes = eigenpairs_bytes(n, eigen);
    work.vectors_at_once = std::max(eigen.largest, eigen.smallest) + 2;
    work.notes.push_back(
        fmt::format("the {:.0f} products are a guess of what Lanczos takes for both ends; clustered ones take several "
                    "times as many",
                    work.products));
  }
  return work;
}

int dry_run(Objective& f, const Vector& x, const AnalysisWork& work, bool json) {
  const double ahead = evaluation_bytes(f, work.products > 0 ? work.vectors_at_once : 0) + work.bytes + memory_in_use();
  const UnitSeconds measured = measure(f, x, work);
  const auto [value, gradient, product] = measured;
  const double seconds = seconds_of(work, measured);
  const double memory = std::max(ahead, peak_memory());
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
  fmt::print("{}",
             wrapped(fmt::format("memory: about {}{}", bytes_text(memory),
                                 work.bytes > 0 ? ", " + bytes_text(work.bytes) + " of it vectors and matrices" : ""),
                     width));
  for (const std::string& note : work.notes) fmt::print("{}", wrapped(note, width));
  return kDone;
}

void add_cell(TriedCells& row, double seconds, double max_seconds) {
  const bool cut = kTrial < max_seconds && seconds >= kTrial;
  row.cells += 1;
  row.cut += cut ? 1 : 0;
  row.seconds += cut ? 0 : seconds;
}

int dry_run(const std::string& rows, const std::vector<TriedCells>& tried, Index repetitions, double max_seconds,
            bool json) {
  const auto times = static_cast<double>(repetitions);
  Json all = Json::array();
  Table table;
  table.columns = {{rows, false}, {"cells"}, {"ended"}, {"time at least"}, {"time at most"}};
  Index cells = 0;
  Index cut = 0;
  double least = 0;
  double most = 0;
  for (const TriedCells& row : tried) {
    const double low = times * row.seconds;
    const double high = low + times * static_cast<double>(row.cut) * max_seconds;
    cells += row.cells;
    cut += row.cut;
    least += low;
    most += high;
    table.add({Cell(row.name), Cell(fmt::format("{}", row.cells)), Cell(fmt::format("{}", row.cells - row.cut)),
               Cell(duration_text(low)), Cell(duration_text(high))});
    all.push_back({{rows, row.name},
                   {"cells", row.cells},
                   {"ended", row.cells - row.cut},
                   {"seconds_at_least", json_number(low)},
                   {"seconds_at_most", json_number(high)}});
  }
  if (json) {
    fmt::print("{}", json_text({{"dry_run", true},
                                {"cells", cells},
                                {"ended", cells - cut},
                                {"repetitions", repetitions},
                                {"seconds_at_least", json_number(least)},
                                {"seconds_at_most", json_number(most)},
                                {"memory_bytes", json_number(peak_memory())},
                                {"plan", std::move(all)}}));
    return kDone;
  }
  const TerminalStyle style = terminal_style(stdout);
  table.title =
      fmt::format("{} cells, a solver on a problem each, tried for {:g} s; nothing is written", cells, kTrial);
  fmt::print("{}", terminal_text(table, style));
  const std::string limit = cut == 0 ? "every cell ended in its trial"
                                     : fmt::format("{} of {} cells had not ended in their trial, and may take {} each",
                                                   cut, cells, duration_text(max_seconds));
  fmt::print("{}", wrapped(fmt::format("time: {} to {}{}: {}", duration_text(least), duration_text(most),
                                       repetitions > 1 ? fmt::format(", for {} repetitions", repetitions) : "", limit),
                           style.width));
  fmt::print("{}",
             wrapped(fmt::format("memory: about {}: the most that this process has had", bytes_text(peak_memory())),
                     style.width));
  return kDone;
}

}  // namespace hesse::app
