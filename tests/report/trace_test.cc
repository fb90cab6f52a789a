#include "hesse/report/trace.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

class Idle final : public Optimizer {
 public:
  StepReport step(Objective&, Vector&) override { return {}; }
  StateView state() override { return {}; }
};

/// Plays a run of ten steps an epoch to an observer, as the loop does.
struct Player {
  Idle optimizer;
  Vector x = Vector::Zero(1);
  Progress progress;

  void begin(Observer& observer) { observer.begin(progress, x, optimizer); }
  void to(Observer& observer, std::int64_t last, std::int64_t telemetry_from = 1) {
    while (progress.step < last) {
      ++progress.step;
      progress.epochs = static_cast<double>(progress.step) / 10;
      progress.seconds = static_cast<double>(progress.step) / 3;
      progress.cost.gradient_equivalents = progress.epochs;
      x[0] = 1 / static_cast<double>(progress.step);
      StepReport report;
      report.value = x[0] + 1;
      report.gradient_norm = std::numeric_limits<double>::infinity();
      report.step_size = 0.1;
      if (progress.step >= telemetry_from) report.tell("damping", static_cast<double>(progress.step) / 7);
      CHECK_FALSE(observer.after_step({progress, report, x, optimizer}));
    }
  }
  void end(Observer& observer, Termination termination = Termination::budget) {
    Summary summary;
    summary.termination = termination;
    summary.progress = progress;
    observer.end(summary, x);
  }
};

const std::function<double(const Vector&)> kTrain = [](const Vector& x) { return 2 * x[0]; };
const std::vector<Metric> kMetrics = {{"test_loss", false, [](const Vector& x) { return x[0] / 3; }}};

std::vector<double> steps_of(TraceSchedule schedule, std::int64_t last) {
  const ScratchFolder scratch;
  TraceObserver observer(scratch / "trace.csv", schedule, kTrain, {});
  Player player;
  player.begin(observer);
  player.to(observer, last);
  player.end(observer);
  return read_trace(scratch / "trace.csv").column("step");
}

}  // namespace

TEST_CASE("a trace holds each figure of each recorded step, exactly, and reads back to the same bits") {
  const ScratchFolder scratch;
  TraceObserver observer(scratch / "trace.csv", {.count = 3}, kTrain, kMetrics);
  Player player;
  player.begin(observer);
  player.to(observer, 7);
  player.end(observer);
  const Trace trace = read_trace(scratch / "trace.csv");
  CHECK(trace.columns == std::vector<std::string>{"step", "epoch", "seconds", "gradient_equivalents", "value",
                                                  "gradient_norm", "step_size", "train_value", "test_loss", "damping"});
  CHECK(trace.column("step") == std::vector<double>{0, 3, 6, 7});
  CHECK(trace.column("seconds") == std::vector<double>{0, 1, 2, 7.0 / 3});
  CHECK(trace.column("epoch")[1] == 0.3);
  CHECK(trace.column("train_value") == std::vector<double>{0, 2 * (1.0 / 3), 2 * (1.0 / 6), 2 * (1.0 / 7)});
  CHECK(trace.column("test_loss")[1] == (1.0 / 3) / 3);
  CHECK(trace.column("value")[3] == 1.0 / 7 + 1);
  CHECK(std::isnan(trace.column("value")[0]));
  CHECK(std::isinf(trace.column("gradient_norm")[1]));
  CHECK(std::isnan(trace.column("damping")[0]));
  CHECK(trace.column("damping")[2] == 6.0 / 7);
  CHECK(trace_text(trace) == read_file(scratch / "trace.csv"));
  CHECK(trace_text(observer.trace()) == trace_text(trace));
  CHECK_THROWS_WITH(trace.column("dampin"), Contains("did you mean 'damping'"));
}

TEST_CASE("rows fall on every k-th step, evenly in an epoch, or evenly in the logarithm, and on both ends") {
  using Spacing = TraceSchedule::Spacing;
  CHECK(steps_of({Spacing::steps, 4}, 10) == std::vector<double>{0, 4, 8, 10});
  CHECK(steps_of({Spacing::steps, 100}, 0) == std::vector<double>{0});
  CHECK(steps_of({Spacing::epochs, 1}, 35) == std::vector<double>{0, 10, 20, 30, 35});
  CHECK(steps_of({Spacing::epochs, 2}, 20) == std::vector<double>{0, 5, 10, 15, 20});
  CHECK(steps_of({Spacing::epochs, 1000}, 3) == std::vector<double>{0, 1, 2, 3});
  // 10^(1/3) = 2.15, 10^(2/3) = 4.64: the first whole steps at or after them.
  CHECK(steps_of({Spacing::decades, 3}, 100) == std::vector<double>{0, 1, 3, 5, 10, 22, 47, 100});
  CHECK_THROWS_AS(TraceObserver("x", {.count = 0}, kTrain, {}), Error);
}

TEST_CASE("a run that diverged ends in a row that has nothing but its counters") {
  const ScratchFolder scratch;
  TraceObserver observer(scratch / "trace.csv", {}, kTrain, kMetrics);
  Player player;
  player.begin(observer);
  player.to(observer, 2);
  player.progress.step = 3;  // the loop shows observers no step that failed
  player.end(observer, Termination::non_finite);
  const Trace trace = read_trace(scratch / "trace.csv");
  CHECK(trace.column("step") == std::vector<double>{0, 1, 2, 3});
  CHECK(trace.column("epoch").back() == 0.2);
  for (const char* name : {"value", "train_value", "test_loss", "damping"})
    CHECK(std::isnan(trace.column(name).back()));
}

TEST_CASE("each row is in the file before the next step") {
  const ScratchFolder scratch;
  TraceObserver observer(scratch / "trace.csv", {}, kTrain, kMetrics);
  Player player;
  player.begin(observer);
  for (std::int64_t step = 1; step <= 3; ++step) {
    player.to(observer, step);
    CHECK(read_trace(scratch / "trace.csv").column("step").back() == static_cast<double>(step));
  }
}

TEST_CASE("telemetry that first appears later gets a column, unknown before") {
  const ScratchFolder scratch;
  TraceObserver observer(scratch / "trace.csv", {}, kTrain, {});
  Player player;
  player.begin(observer);
  player.to(observer, 4, 3);
  const std::vector<double> damping = read_trace(scratch / "trace.csv").column("damping");
  REQUIRE(damping.size() == 5);
  for (const std::size_t i : {0u, 1u, 2u}) CHECK(std::isnan(damping[i]));
  CHECK(damping[3] == 3.0 / 7);
}

TEST_CASE("a run that was killed and resumed from an older step leaves the trace of one that was not") {
  const ScratchFolder scratch;
  Player straight;
  TraceObserver reference(scratch / "reference.csv", {.count = 2}, kTrain, kMetrics);
  straight.begin(reference);
  straight.to(reference, 20);
  straight.end(reference);

  const std::int64_t checkpoint = GENERATE(1, 7, 8, 11);
  Player player;
  {
    TraceObserver observer(scratch / "trace.csv", {.count = 2}, kTrain, kMetrics);
    player.begin(observer);
    player.to(observer, checkpoint);
    Player beyond = player;
    beyond.to(observer, 12);
  }
  // Killed in the middle of a row.
  write_file(scratch / "trace.csv", read_file(scratch / "trace.csv") + "13,1.3,0.2");
  TraceObserver observer(scratch / "trace.csv", {.count = 2}, kTrain, kMetrics);
  player.begin(observer);
  player.to(observer, 20);
  player.end(observer);
  CHECK(read_file(scratch / "trace.csv") == read_file(scratch / "reference.csv"));
}

TEST_CASE("a resumed run with other metrics is refused, a fresh run replaces an old trace") {
  const ScratchFolder scratch;
  write_file(scratch / "trace.csv", "step,other\n1,2\n");
  TraceObserver observer(scratch / "trace.csv", {}, kTrain, kMetrics);
  Player player;
  player.progress.step = 5;
  CHECK_THROWS_WITH(player.begin(observer), Contains("columns are those of another run"));
  player.progress.step = 0;
  player.begin(observer);
  CHECK(read_trace(scratch / "trace.csv").rows.size() == 1);
}

TEST_CASE("metrics and telemetry that cannot name a column are refused") {
  const auto named = [](const char* name) {
    return std::vector<Metric>{{name, false, [](const Vector&) { return 0.0; }}};
  };
  CHECK_THROWS_WITH(TraceObserver("x", {}, kTrain, named("a,b")), Contains("'a,b'"));
  CHECK_THROWS_WITH(TraceObserver("x", {}, kTrain, named("")), Contains("cannot name a column"));
  CHECK_THROWS_WITH(TraceObserver("x", {}, kTrain, named("value")), Contains("name of another column"));
  const ScratchFolder scratch;
  TraceObserver missing(scratch / "none/trace.csv", {}, kTrain, {});
  Player player;
  CHECK_THROWS_WITH(player.begin(missing), Contains("create the folder"));
  TraceObserver observer(scratch / "trace.csv", {}, kTrain, {});
  player.begin(observer);
  StepReport report;
  report.tell("a b", 1);
  player.progress.step = 1;
  CHECK_THROWS_WITH(observer.after_step({player.progress, report, player.x, player.optimizer}), Contains("'a b'"));
}

TEST_CASE("malformed traces are refused with the file and the line") {
  const auto [text, part] = GENERATE(table<std::string, std::string>({
      {"", "line 1: the header is missing"},
      {"step,epoch", "line 1: the header is missing"},
      {"\n", "line 1: '' is not a column name"},
      {"step,\n", "line 1: '' is not a column name"},
      {"step,a b\n", "line 1: 'a b'"},
      {"step,\"a\"\n", "line 1: '\"a\"'"},
      {"step,a,a\n", "'a' is there twice"},
      {"epoch,step\n", "first column must be 'step'"},
      {"step,a\n1\n", "line 2: expected 2 entries, found 1"},
      {"step,a\n1,2,3\n", "line 2: expected 2 entries, found 3"},
      {"step,a\n1,2\n\n", "line 3: expected 2 entries, found 1"},
      {"step,a\n1,\n", "line 2: column 'a': ''"},
      {"step,a\n1,x\n", "line 2: column 'a': 'x'"},
      {"step,a\n1, 2\n", "column 'a': ' 2'"},
      {"step,a\n1,2 \n", "column 'a': '2 '"},
      {"step,a\n1,+2\n", "column 'a': '+2'"},
      {"step,a\n1,0x10\n", "column 'a': '0x10'"},
      {"step,a\n1,1e999\n", "column 'a': '1e999'"},
      {"step,a\n1,1;5\n", "column 'a'"},
      {"step,a\nnan,1\n", "line 2: the step nan"},
      {"step,a\ninf,1\n", "line 2"},
      {"step,a\n-1,1\n", "line 2: the step -1"},
      {"step,a\n1.5,1\n", "line 2: the step 1.5"},
      {"step,a\n1e300,1\n", "line 2: the step 1e300"},
      {"step,a\n1,\x1b[31m\n", "line 2: column 'a': '?[31m'"},
      {"step,\x1b[31m\n", "line 1: '?[31m'"},
      {"step,a\n1,1\n1,1\n", "line 3: the step 1 does not follow the step 1"},
      {"step,a\n2,1\n1,1\n", "line 3: the step 1 does not follow the step 2"},
      {std::string("step,a\n1,\0\n", 11), "line 2: column 'a'"},
  }));
  CAPTURE(text);
  CHECK_THROWS_WITH(parse_trace(text, "bad.csv"), Contains("bad.csv: ") && Contains(part));
}

TEST_CASE("a row that is still being written is left out, and Windows line ends are read") {
  CHECK(parse_trace("step,a\n1,2\n3,4", "t").rows == std::vector<std::vector<double>>{{1, 2}});
  CHECK(parse_trace("step,a\r\n1,-inf\r\n", "t").rows[0][1] == -std::numeric_limits<double>::infinity());
}
