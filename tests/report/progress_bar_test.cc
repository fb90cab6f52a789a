#include "hesse/report/progress_bar.h"

#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

class Idle final : public Optimizer {
 public:
  StepReport step(Objective&, Vector&) override { return {}; }
  StateView state() override { return {}; }
};

/// Plays `steps` steps, ten an epoch, and returns each text that was written.
std::vector<std::string> play(TerminalStyle style, const Stopping& stopping, std::int64_t steps,
                              Termination termination = Termination::budget, const std::string& label = "adam",
                              std::int64_t first = 0) {
  std::vector<std::string> out;
  ProgressBar bar([&out](std::string_view text) { out.emplace_back(text); }, style, label, stopping);
  Idle optimizer;
  const Vector x = Vector::Zero(1);
  Progress progress;
  progress.step = first;
  progress.epochs = static_cast<double>(first) / 10;
  bar.begin(progress, x, optimizer);
  while (progress.step < steps) {
    ++progress.step;
    progress.epochs = static_cast<double>(progress.step) / 10;
    progress.seconds = static_cast<double>(progress.step) / 100;
    StepReport report;
    report.value = 0.5;
    report.gradient_norm = 1e-3;
    CHECK_FALSE(bar.after_step({progress, report, x, optimizer}));
  }
  Summary summary;
  summary.termination = termination;
  summary.message = "the budget of steps is spent";
  summary.value = 0.5;
  summary.gradient_norm = 1e-3;
  summary.progress = progress;
  bar.end(summary, x);
  return out;
}

}  // namespace

TEST_CASE("into a pipe goes one plain line at the start, one for each tenth of the budget, and why it ended") {
  Stopping stopping;
  stopping.max_steps = GENERATE(10, 100, 1000);
  const auto lines = play({.width = 0}, stopping, stopping.max_steps);
  REQUIRE(lines.size() == 11);
  CHECK_THAT(lines[0], Contains("adam") && Contains("0 %") && Contains("step 0"));
  for (std::size_t i = 1; i < 10; ++i) CHECK_THAT(lines[i], Contains(std::to_string(10 * i) + " %"));
  CHECK_THAT(lines[3], Contains("f 0.50000") && Contains("|g| 0.00100") && Contains("/s") && Contains("left"));
  CHECK_THAT(lines.back(), Contains("the budget of steps is spent"));
  for (const std::string& line : lines) {
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find_first_of("\r\033") == std::string::npos);
  }
}

TEST_CASE("the budget that will be spent first counts: epochs here, not the larger number of steps") {
  Stopping stopping;
  stopping.max_steps = 1000;
  stopping.max_epochs = 2;  // 20 steps
  const auto lines = play({}, stopping, 20);
  CHECK(lines.size() == 11);
  CHECK_THAT(lines[5], Contains(" 50 %") && Contains("step 10"));
}

TEST_CASE("a resumed run begins at its own tenth") {
  Stopping stopping;
  stopping.max_steps = 100;
  const auto lines = play({}, stopping, 100, Termination::budget, "", 55);
  REQUIRE(lines.size() == 6);
  CHECK_THAT(lines[0], Contains(" 55 %"));
  CHECK_THAT(lines[1], Contains(" 60 %"));
}

TEST_CASE("without a budget lines come at steps 1, 2, 5, 10, ...") {
  const auto lines = play({}, {}, 60, Termination::gradient);
  REQUIRE(lines.size() == 8);
  const int steps[] = {0, 1, 2, 5, 10, 20, 50};
  for (std::size_t i = 0; i < 7; ++i) CHECK_THAT(lines[i], Contains("step " + std::to_string(steps[i]) + " "));
  CHECK_THAT(lines[3], !Contains("%") && !Contains("left"));
}

TEST_CASE("on a terminal the line is redrawn in place, ten times a second at most, and never wraps") {
  Stopping stopping;
  stopping.max_steps = 100'000;
  const Index width = GENERATE(20, 40, 80);
  const bool unicode = GENERATE(false, true);
  const auto begin = std::chrono::steady_clock::now();
  const auto texts = play({.interactive = true, .unicode = unicode, .width = width}, stopping, 50'000);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  CHECK(static_cast<double>(texts.size()) <= 2 + 10 * passed.count() + 1);
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    REQUIRE(texts[i].starts_with("\r\033[K"));
    CHECK(display_width(texts[i].substr(4)) < width);
    CHECK_THAT(texts[i], !Contains("\n"));
  }
  CHECK_THAT(texts.back(), Contains("the budget of steps is spent") && Contains("\n"));
  CHECK_THAT(texts.back(), !Contains("\033[3"));
}

TEST_CASE("the last line is coloured where allowed: green when the run arrived, red when it failed") {
  const TerminalStyle style{.interactive = true, .color = true};
  CHECK_THAT(play(style, {}, 1, Termination::gradient).back(), Contains("\033[32m"));
  CHECK_THAT(play(style, {}, 1, Termination::non_finite).back(), Contains("\033[31m"));
  CHECK_THAT(play(style, {}, 1, Termination::budget).back(), !Contains("\033[3"));
}

TEST_CASE("a stream that is a file gets plain lines") {
  const hesse::test::ScratchFolder scratch;
  std::FILE* file = std::fopen((scratch / "log").c_str(), "w");
  {
    ProgressBar bar(file, "run", {});
    Idle optimizer;
    bar.begin({}, Vector(), optimizer);
    CHECK_THAT(read_file(scratch / "log"), Contains("run  step 0") && Contains("\n"));  // flushed
  }
  std::fclose(file);
}

TEST_CASE("durations are told in their two largest units") {
  CHECK(duration_text(0) == "0.0 s");
  CHECK(duration_text(0.00042) == "0.4 ms");
  CHECK(duration_text(0.0999) == "99.9 ms");
  CHECK(duration_text(0.1) == "0.1 s");
  CHECK(duration_text(9.94) == "9.9 s");
  CHECK(duration_text(9.96) == "10 s");
  CHECK(duration_text(59.6) == "1 min 0 s");
  CHECK(duration_text(200) == "3 min 20 s");
  CHECK(duration_text(7500) == "2 h 5 min");
  CHECK(duration_text(1e6) == "11 d 13 h");
  CHECK(duration_text(1e300) == "?");
  CHECK(duration_text(std::numeric_limits<double>::quiet_NaN()) == "?");
}

TEST_CASE("a run that threw ends its line with what it threw") {
  std::vector<std::string> out;
  TerminalStyle style;
  style.interactive = true;
  ProgressBar bar([&out](std::string_view text) { out.emplace_back(text); }, style, "adam", {});
  Idle optimizer;
  bar.begin({}, Vector::Zero(1), optimizer);
  bar.fail("the factor is singular");
  REQUIRE(out.size() == 2);
  CHECK(out.back() == "\r\033[Kadam  failed: the factor is singular\n");
}
