#include "hesse/report/comparison.h"
#include "hesse/report/atomic_file.h"

#include "hesse/core/error.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

RecordedRun run(const std::string& method, double value, double accuracy, double seconds) {
  RecordedRun out;
  out.record.problem.text = "rosenbrock";
  out.record.optimizer.text = method;
  Summary summary;
  summary.termination = std::isfinite(value) ? Termination::gradient : Termination::non_finite;
  summary.value = value;
  summary.progress.seconds = seconds;
  summary.progress.cost.gradient_equivalents = 10 * seconds;
  out.record.verdict = verdict_of(summary, {{"test_accuracy", accuracy}});
  out.trace = parse_trace("step,seconds,gradient_equivalents,train_value\n0,0,0,100\n1,0.5,5,nan\n2,1,10,1\n", "t");
  return out;
}

const std::vector<std::string> kHigher = {"test_accuracy"};

}  // namespace

TEST_CASE("a comparison has one row a method with median, quartiles and failures, and marks the best") {
  const std::vector<RecordedRun> runs = {run("adam", 1, 0.5, 1), run("sgd", 0.5, 0.25, 4), run("adam", 2, 0.75, 2),
                                         run("adam", std::nan(""), 0.9, 3), run("sgd", 0.75, 0.25, 4)};
  const Table table = comparison_table(runs, {kHigher});
  CHECK(table.title == "rosenbrock");
  REQUIRE(table.rows.size() == 2);
  CHECK(table.columns[2].name == "test accuracy");
  const auto& adam = table.rows[0];
  CHECK(adam[0].text == "adam");
  CHECK(adam[1].text == "2.000 [1.500, inf] (1 of 3 failed)");
  // Of {-inf, 0.5, 0.75}: a run that failed counts as worst in every figure of merit.
  CHECK(adam[2].text == "0.5000 [-inf, 0.6250] (1 of 3 failed)");
  CHECK(adam[3].text == "20.00");
  CHECK(adam[5].text == "2.000");
  CHECK(adam[6].text == "3");
  CHECK(adam[7].text == "1");
  CHECK(adam[8].text == "gradient x2, non-finite");
  CHECK_FALSE(adam[1].emphasised);
  CHECK(adam[2].emphasised);
  CHECK(table.rows[1][1].text == "0.6250 [0.5625, 0.6875]");
  CHECK(table.rows[1][1].emphasised);
  CHECK_FALSE(table.rows[1][2].emphasised);
  // The trace falls to 1 at 10 gradient equivalents and never below.
  const Table reached = comparison_table(runs, {kHigher, 1.0});
  CHECK(reached.columns[4].name == "steps to target");
  CHECK(reached.rows[1][3].text == "10.00 [10.00, 10.00]");
  CHECK(reached.rows[1][4].text == "2.000 [2.000, 2.000]");
  CHECK(reached.rows[1][5].text == "1.000 [1.000, 1.000]");
  CHECK(comparison_table(runs, {kHigher, 0.5}).rows[1][3].text == "inf [inf, inf] (2 of 2 failed)");
  // A run that ended by the target got there between two rows.
  std::vector<RecordedRun> stopped = {run("adam", 1.5, 0.5, 0.75)};
  stopped[0].record.verdict->termination = "target";
  stopped[0].record.verdict->progress.step = 17;
  const Table exact = comparison_table(stopped, {kHigher, 1.5});
  CHECK(exact.rows[0][3].text == "7.500 [7.500, 7.500]");
  CHECK(exact.rows[0][4].text == "17.00 [17.00, 17.00]");
  CHECK(exact.rows[0][5].text == "0.7500 [0.7500, 0.7500]");
  // For a lower target than it stopped at, the trace decides.
  CHECK(comparison_table(stopped, {kHigher, 1.25}).rows[0][5].text == "1.000 [1.000, 1.000]");
}

TEST_CASE("no runs, one method, and runs without a verdict make a table") {
  CHECK(comparison_table({}).rows.empty());
  std::vector<RecordedRun> runs = {run("adam", 1, 0.5, 1)};
  CHECK_FALSE(comparison_table(runs).rows[0][1].emphasised);
  runs.push_back(run("adam", 1, 0.5, 1));
  runs[1].record.verdict.reset();
  CHECK_THAT(comparison_table(runs).rows[0][1].text, Contains("1 of 2 failed"));
}

TEST_CASE("a comparison's plot holds the known figures of each run, and a failed run ends in infinity") {
  const std::vector<RecordedRun> runs = {run("adam", 1, 0.5, 1), run("sgd", std::nan(""), 0.5, 1),
                                         run("adam", 1, 0.5, 1)};
  const Plot plot = comparison_plot(runs, "seconds", "train_value");
  CHECK(plot.x_label == "seconds");
  CHECK(plot.y_label == "training objective");
  CHECK(plot.log_y);
  CHECK_FALSE(comparison_plot(runs, "seconds", "train_value", true).log_y);
  for (const auto& [last, logarithmic] : {std::pair{"19", true}, std::pair{"21", false}}) {
    std::vector<RecordedRun> one = {run("adam", 1, 0.5, 1)};
    one[0].trace = parse_trace(fmt::format("step,seconds,train_value\n0,0,100\n1,1,{}\n", last), "t");
    CHECK(comparison_plot(one, "seconds", "train_value").log_y == logarithmic);
  }
  REQUIRE(plot.series.size() == 2);
  REQUIRE(plot.series[0].runs.size() == 2);
  CHECK(plot.series[0].runs[0].x == std::vector<double>{0, 1});
  CHECK(plot.series[0].runs[0].y == std::vector<double>{100, 1});
  CHECK(plot.series[1].runs[0].y == std::vector<double>{100, std::numeric_limits<double>::infinity()});
  CHECK_THROWS_WITH(comparison_plot(runs, "seconds", "nothing"), Contains("no column 'nothing'"));
}

TEST_CASE(
    "telemetry is what methods tell beside the common columns and the metrics, drawn with the runs that tell it") {
  const char* const header = "step,epoch,seconds,gradient_equivalents,value,gradient_norm,step_size,train_value,loss";
  std::vector<RecordedRun> runs = {run("kfac", 1, 0.5, 1), run("adam", 2, 0.5, 1), run("shampoo", 1, 0.5, 1)};
  runs[0].trace = parse_trace(fmt::format("{},damping,condition,rare\n0,0,0,0,nan,nan,nan,9,9,nan,nan,nan\n"
                                          "1,1,1,1,8,1,1,8,8,150,1e3,nan\n2,2,2,2,7,1,1,7,7,140,inf,5\n",
                                          header),
                              "kfac");
  runs[1].trace = parse_trace(fmt::format("{}\n0,0,0,0,nan,nan,nan,9,9\n1,1,1,1,8,1,1,8,8\n", header), "adam");
  runs[2].trace =
      parse_trace(fmt::format("{},condition\n1,1,1,1,8,1,1,8,8,50\n2,1,1,1,8,1,1,8,8,60\n", header), "shampoo");
  const std::vector<std::string> metrics = {"loss"};
  // Of condition, kfac has one finite figure and shampoo two; rare has one in all.
  CHECK(telemetry_columns(runs, metrics) == std::vector<std::string>{"damping", "condition"});
  CHECK(telemetry_columns(std::span(runs).first(1), metrics) == std::vector<std::string>{"damping"});
  CHECK(telemetry_columns(std::span(runs).subspan(1, 1), metrics).empty());
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) return;
  const hesse::test::ScratchFolder scratch;
  Palette palette;
  const auto plots = write_telemetry_plots(scratch.path(), runs, metrics, palette);
  CHECK(plots ==
        std::vector<std::filesystem::path>{scratch / "damping_by_steps.svg", scratch / "condition_by_steps.svg"});
  const std::string data = read_file(scratch / "condition_by_steps.csv");
  CHECK_THAT(data, Contains("kfac") && Contains("shampoo") && !Contains("adam"));
  CHECK_THAT(read_file(scratch / "damping_by_steps.csv"), !Contains("shampoo"));
}

TEST_CASE("a comparison is drawn against steps, seconds and gradient equivalents") {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) {
    WARN("gnuplot is not installed");
    return;
  }
  const hesse::test::ScratchFolder scratch;
  const std::vector<RecordedRun> runs = {run("adam", 1, 0.5, 1), run("sgd", 2, 0.5, 1)};
  Palette palette;
  const auto plots = write_comparison_plots(scratch.path(), runs, "train_value", palette);
  CHECK(plots == std::vector<std::filesystem::path>{scratch / "train_value_by_steps.svg",
                                                    scratch / "train_value_by_seconds.svg",
                                                    scratch / "train_value_by_gradient_equivalents.svg"});
  CHECK(scratch.count() == 6);
}
