#include "apps/program.h"
#include "report/page_check.h"

#include "hesse/report/command_record.h"
#include "hesse/report/json.h"
#include "hesse/report/run_record.h"
#include "hesse/report/table.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

using namespace hesse;
using namespace hesse::test;
using Catch::Matchers::Contains;

namespace {

const std::string kProblem = "--problem mlp:data=gaussian-blobs:samples=40:classes=3,hidden=4,activation=tanh ";

std::string page_in(const ScratchFolder& folder, const std::string& name) {
  const std::string page = read_file(folder / name);
  CHECK(tag_trouble(page) == "");
  return page;
}

}  // namespace

TEST_CASE("what a command leaves has a page and tells every option as given and as used") {
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "spectrum " + kProblem + "--top 2 --bottom 1 --seed 7 --output s").exit_code == 0);
  const CommandRecord record = read_command_record(folder / "s" / kCommandFile);
  CHECK(record.command == "spectrum");
  CHECK(record.exit_code == 0);
  CHECK(record.seconds > 0);
  CHECK_FALSE(record.software.compiler.empty());
  const auto option = [&](const std::string& name) {
    const auto at = std::find_if(record.options.begin(), record.options.end(),
                                 [&](const AskedOption& asked) { return asked.name == name; });
    REQUIRE(at != record.options.end());
    return *at;
  };
  CHECK(option("top").given);
  CHECK(option("top").used == "2");
  CHECK_FALSE(option("curvature").given);
  CHECK(option("curvature").used == "hessian");
  const std::string page = page_in(folder, "s/report.html");
  CHECK_THAT(page, Contains("<h2>Spectrum</h2>") && Contains("hesse spectrum: given and used"));
  // The eigenvalues of the record and of the page are the same.
  const Json json = read_json(folder / "s" / "spectrum.json");
  CHECK_THAT(page, Contains(significant(json["largest"][0]["value"].get<double>(), 8)));
}

TEST_CASE("a comparison with a method that diverges has one page which names it") {
  const ScratchFolder folder;
  const auto r =
      run_hesse(folder,
                "compare --problem rosenbrock --optimizer lbfgs --optimizer gd:lr=1 --repetitions 2 --budget "
                "40steps --output c --quiet");
  REQUIRE(r.exit_code == 0);
  const std::string page = page_in(folder, "c/report.html");
  CHECK_THAT(page, Contains("2 of 4 runs did not end well: gd:lr=1 seed 1 (diverged at step"));
  CHECK_THAT(page, Contains("median, 25-75 %, 2 seeds"));
  int pages = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "c")) {
    pages += entry.path().filename() == "report.html" ? 1 : 0;
  }
  CHECK(pages == 1);
}

TEST_CASE("an interrupted run has a page that says so and the resumed one a new page") {
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "train --problem rosenbrock --optimizer lbfgs --budget 5steps --output r").exit_code == 0);
  CHECK_THAT(page_in(folder, "r/report.html"), Contains("the budget of 5 steps is spent"));
  // As a killed run leaves it.
  RunRecord record = read_run_record(folder / "r" / kRunFile);
  record.verdict.reset();
  record.budget = "9steps";
  write_run_record(folder / "r" / kRunFile, record);
  REQUIRE(run_hesse(folder, "report r").exit_code == 0);
  CHECK_THAT(page_in(folder, "r/report.html"), Contains("unfinished: there is no verdict"));
  REQUIRE(run_hesse(folder, "resume r").exit_code == 0);
  CHECK_THAT(page_in(folder, "r/report.html"), Contains("the budget of 9 steps is spent"));
  CHECK(read_command_record(folder / "r" / kCommandFile).command == "train");
}

TEST_CASE("a report is drawn without a library and without gnuplot and still has its tables") {
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "train --problem rosenbrock --optimizer lbfgs --budget 5steps --output r").exit_code == 0);
  std::filesystem::remove(folder / "r" / kCommandFile);
  const auto r = run_hesse(folder, "report r --output p.html", "export HESSE_DATA_DIR=/nonexistent PATH=/nonexistent");
  CHECK(r.exit_code == 0);
  const std::string page = page_in(folder, "p.html");
  CHECK_THAT(page,
             Contains("Figures are static: the drawing library") && Contains("Not drawn: gnuplot is not installed"));
  CHECK_THAT(page, Contains("given and used"));
  const auto paper = run_hesse(folder, "report r --output p", "export HESSE_DATA_DIR=/nonexistent PATH=/nonexistent");
  CHECK(paper.exit_code == 0);
  CHECK_THAT(paper.err, Contains("warning: ") && Contains("were not drawn"));
  CHECK(std::filesystem::exists(folder / "p" / "tables"));
}

TEST_CASE("several folders are drawn into one page") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 3; ++seed) {
    REQUIRE(run_hesse(folder, fmt::format("train {}--optimizer sgd --budget 2epochs --seed {} --output all/run-{}",
                                          kProblem, seed, seed))
                .exit_code == 0);
  }
  REQUIRE(run_hesse(folder, "classify --at all/run-1 --output all/point").exit_code <= 1);
  REQUIRE(run_hesse(folder, "report all --output both.html").exit_code == 0);
  const std::string page = page_in(folder, "both.html");
  CHECK_THAT(page, Contains("4 folders of records, drawn together"));
  CHECK_THAT(page, Contains("median, 25-75 %, 3 seeds") && Contains("Critical point: point"));
}

TEST_CASE("a report that cannot be drawn is refused with one line and nothing is written") {
  const ScratchFolder folder;
  const auto nothing = run_hesse(folder, "report");
  CHECK(nothing.exit_code == 2);
  CHECK_THAT(nothing.err, Contains("name the folder of a run"));
  std::filesystem::create_directories(folder / "empty");
  const auto empty = run_hesse(folder, "report empty");
  CHECK(empty.exit_code == 2);
  CHECK_THAT(empty.err, Contains("'empty' holds no records of hesse"));
  CHECK(std::filesystem::is_empty(folder / "empty"));
  CHECK(run_hesse(folder, "report missing").exit_code == 2);
  const auto two = run_hesse(folder, "report empty empty");
  CHECK(two.exit_code == 2);
  CHECK_THAT(two.err, Contains("--output"));
}

TEST_CASE("a validation leaves its records and a page with both answers") {
  const ScratchFolder folder;
  REQUIRE(run_hesse(folder, "validate --problem rosenbrock --output v").exit_code == 0);
  const Json json = read_json(folder / "v" / "validation.json");
  CHECK(json["problems"][0]["problem"] == "rosenbrock");
  CHECK(std::filesystem::exists(folder / "v" / "validation.csv"));
  CHECK_THAT(page_in(folder, "v/report.html"), Contains("Validation against Ceres") && Contains("rosenbrock"));
}
