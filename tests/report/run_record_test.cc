#include "hesse/report/run_record.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <locale>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

RunRecord example() {
  RunRecord record;
  record.problem = {"mlp:data=digits", {{"data", "digits"}, {"hidden", "128-64"}}};
  record.optimizer = {"adam:lr=0.1", {{"lr", "0.1"}, {"beta1", "0.9"}}};
  record.seed = 18446744073709551615u;
  record.precision = "float32";
  record.threads = 2;
  record.batch_size = 128;
  record.budget = "10epochs";
  record.settings = {{"target", "0.1"}, {"schedule", "cosine"}};
  record.description = "digits with a \"quote\"\nand ü";
  record.parameters = 101770;
  record.higher_is_better = {{"test_accuracy"}};
  record.software = this_software();
  record.machine = this_machine();
  record.started = utc_now();
  Summary summary;
  summary.termination = Termination::gradient;
  summary.message = "gradient norm 3.1e-9 <= 1e-8 after 412 steps";
  summary.initial_value = std::numeric_limits<double>::quiet_NaN();
  summary.value = 0.1;
  summary.gradient_norm = std::numeric_limits<double>::infinity();
  summary.progress.step = 412;
  summary.progress.epochs = 1.0 / 3;
  summary.progress.seconds = 2.5;
  summary.progress.best_value = -0.0;
  summary.progress.cost = {1, 2, 3, 4, 5.5, 6.5, 7.5, 8.5};
  record.verdict = verdict_of(summary, {{"test_loss", 0.25}, {"test_accuracy", std::nan("")}});
  return record;
}

const char* kGood = R"({"format":2,"problem":{"text":"p","used":{}},"optimizer":{"text":"o","used":{}},"seed":1,
"precision":"float64","threads":1,"batch_size":0,"budget":"","settings":{},"description":"","parameters":2,
"software":{"hesse":"","compiler":"","build":"","eigen":"","blas":""},"machine":{"processor":"","cores":1},
"started":"","verdict":null})";

}  // namespace

TEST_CASE("a record that does not say which metrics are better when higher is read as one that does not") {
  const ScratchFolder scratch;
  write_file(scratch / "run.json", kGood);
  CHECK_FALSE(read_run_record(scratch / "run.json").higher_is_better.has_value());
  RunRecord none = example();
  none.higher_is_better.emplace();
  write_run_record(scratch / "run.json", none);
  CHECK(read_run_record(scratch / "run.json").higher_is_better == std::vector<std::string>());
}

TEST_CASE("a run record reads back as it was written, field by field") {
  const ScratchFolder scratch;
  const RunRecord written = example();
  write_run_record(scratch / "run.json", written);
  const RunRecord read = read_run_record(scratch / "run.json");
  CHECK(read.problem.text == written.problem.text);
  CHECK(read.problem.used == written.problem.used);
  CHECK(read.optimizer.text == written.optimizer.text);
  CHECK(read.optimizer.used == written.optimizer.used);
  CHECK(read.seed == written.seed);
  CHECK(read.precision == "float32");
  CHECK(read.threads == 2);
  CHECK(read.batch_size == 128);
  CHECK(read.budget == "10epochs");
  CHECK(read.settings == written.settings);
  CHECK(read.description == written.description);
  CHECK(read.parameters == 101770);
  CHECK(read.higher_is_better == written.higher_is_better);
  CHECK(read.started == written.started);
  CHECK(read.software.blas == written.software.blas);
  CHECK(read.machine.processor == written.machine.processor);
  CHECK(read.machine.cores == written.machine.cores);
  REQUIRE(read.verdict);
  CHECK(read.verdict->termination == "gradient");
  CHECK(read.verdict->message == written.verdict->message);
  CHECK(std::isnan(read.verdict->initial_value));
  CHECK(read.verdict->value == 0.1);
  CHECK(std::isinf(read.verdict->gradient_norm));
  CHECK(read.verdict->metrics[0] == std::pair<std::string, double>("test_loss", 0.25));
  CHECK(std::isnan(read.verdict->metrics[1].second));
  CHECK(read.verdict->progress.epochs == 1.0 / 3);
  CHECK(std::signbit(read.verdict->progress.best_value));
  CHECK(read.verdict->progress.cost.product_samples == 7.5);
  // Written again, it is the same text: nothing was lost.
  write_run_record(scratch / "again.json", read);
  CHECK(read_file(scratch / "again.json") == read_file(scratch / "run.json"));
}

TEST_CASE("a run without a verdict yet is read as such") {
  const ScratchFolder scratch;
  RunRecord record = example();
  record.verdict.reset();
  write_run_record(scratch / "run.json", record);
  CHECK_FALSE(read_run_record(scratch / "run.json").verdict);
}

TEST_CASE("this program and this machine are named") {
  const Software software = this_software();
  CHECK_THAT(software.hesse, Catch::Matchers::Matches("[0-9]+\\.[0-9]+\\.[0-9]+"));
  CHECK_FALSE(software.compiler.empty());
  CHECK_THAT(software.eigen, Catch::Matchers::StartsWith("3."));
  CHECK_THAT(software.blas, Contains("OpenBLAS"));
  CHECK(this_machine().cores >= 1);
  CHECK_THAT(utc_now(), Catch::Matchers::Matches("20..-[01].-[0-3].T[0-2].:[0-5].:[0-6].Z"));
}

TEST_CASE("options in use are the defaults with what was given in their place, lists joined") {
  const std::vector<OptionInfo> defaults = {
      {"lr", "number", "0.001", "", ""}, {"beta1", "number", "0.9", "", ""}, {"layer", "texts", "", "", ""}};
  CHECK(used_options(parse_spec("adam:lr=0.1"), defaults) ==
        NamedTexts{{"lr", "0.1"}, {"beta1", "0.9"}, {"layer", ""}});
  Spec spec{"net", {{"layer", "dense"}, {"layer", "tanh"}}};
  CHECK(used_options(spec, defaults)[2].second == "dense,tanh");
}

TEST_CASE("run records with missing, unknown or mistyped fields are refused, naming the file and the field") {
  const ScratchFolder scratch;
  write_file(scratch / "run.json", kGood);
  CHECK_NOTHROW(read_run_record(scratch / "run.json"));
  const auto [from, to, part] = GENERATE(table<std::string, std::string, std::string>({
      {"\"format\":2", "\"format\":1", "format: records of format 1"},
      {"\"format\":2,", "", "'format' is missing"},
      {"\"seed\":1", "\"seed\":-1", "seed: expected a whole number >= 0"},
      {"\"seed\":1", "\"seed\":1.0", "seed: expected"},
      {"\"seed\":1", "\"sed\":1", "'sed' is not known"},
      {"\"threads\":1", "\"threads\":null", "threads: expected a whole number, found null"},
      {"\"budget\":\"\"", "\"budget\":3", "budget: expected a text"},
      {"\"cores\":1", "\"cores\":1,\"x\":1", "machine: the key 'x' is not known"},
      {"\"blas\":\"\"", "\"eigen\":\"\"", "'eigen' is given twice"},
      {",\"verdict\":null", "", "the key 'verdict' is missing"},
      {"\"verdict\":null", "\"verdict\":{}", "verdict: the key 'termination' is missing"},
      {"\"verdict\":null", "\"verdict\":[]", "verdict: expected an object"},
      {"\"settings\":{}", "\"settings\":{\"a\":1}", "settings.a: expected a text"},
      {"{\"text\":\"p\",\"used\":{}}", "\"p\"", "problem: expected an object"},
  }));
  std::string text = kGood;
  const auto at = text.find(from);
  if (from.starts_with(",")) {
    text.erase(text.find(",\n\"started\""));  // the verdict and what is before it
    text += ",\"started\":\"\"}";
  } else {
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }
  write_file(scratch / "run.json", text);
  CAPTURE(text);
  CHECK_THROWS_WITH(read_run_record(scratch / "run.json"), Contains("run.json: ") && Contains(part));
}

TEST_CASE("all runs below a folder are found, in the order of their paths, with their traces") {
  const ScratchFolder scratch;
  for (const char* name : {"b/seed-2", "b/seed-1", "a"}) {
    std::filesystem::create_directories(scratch / name);
    RunRecord record = example();
    record.description = name;
    write_run_record(scratch / name / kRunFile, record);
  }
  write_file(scratch / "a" / kTraceFile, "step,train_value\n0,1\n");
  const std::vector<RecordedRun> runs = read_runs(scratch.path());
  REQUIRE(runs.size() == 3);
  CHECK(runs[0].record.description == "a");
  CHECK(runs[0].trace.rows.size() == 1);
  CHECK(runs[1].record.description == "b/seed-1");
  CHECK(runs[1].trace.rows.empty());
  CHECK(read_runs(scratch / "a").size() == 1);
  CHECK_THROWS_WITH(read_runs(scratch / "none"), Contains("cannot read the folder"));
}

TEST_CASE("a locale with decimal commas changes nothing in what is written and read") {
  struct Commas final : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const ScratchFolder scratch;
  write_run_record(scratch / "before.json", example());
  const std::locale old = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const std::string old_c = std::setlocale(LC_ALL, nullptr);
  // The C library's own: compiled here, since few machines have it installed.
  const std::string compile =
      fmt::format("localedef -i de_DE -f UTF-8 '{}' > /dev/null 2>&1", (scratch / "de_DE.UTF-8").string());
  const bool compiled = std::system(compile.c_str()) == 0;
  ::setenv("LOCPATH", scratch.path().c_str(), 1);
  const bool german = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
  const std::string comma = std::localeconv()->decimal_point;
  RunRecord record = read_run_record(scratch / "before.json");
  write_run_record(scratch / "after.json", record);
  const Trace trace = parse_trace("step,a\n1000000,1234.5\n", "t");
  const std::string trace_again = trace_text(trace);
  const std::string digits = significant(1234.5);
  std::setlocale(LC_ALL, old_c.c_str());
  ::unsetenv("LOCPATH");
  std::locale::global(old);
  if (compiled) {
    CHECK(german);
    CHECK(comma == ",");
  } else {
    WARN("no German locale could be compiled: localedef or its sources are missing");
  }
  CHECK(digits == "1234");
  CHECK(record.parameters == 101770);
  CHECK(record.verdict->value == 0.1);
  CHECK(read_file(scratch / "after.json") == read_file(scratch / "before.json"));
  CHECK(trace.rows[0][1] == 1234.5);
  CHECK(trace_again == "step,a\n1000000,1234.5\n");
}
