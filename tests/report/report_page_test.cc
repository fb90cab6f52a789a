#include "hesse/report/report_page.h"

#include "page_check.h"
#include "scratch.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/command_record.h"
#include "hesse/report/json.h"
#include "hesse/report/run_record.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;
using test::count_of;
using test::ScratchFolder;
using test::tag_trouble;

namespace {

namespace fs = std::filesystem;

const std::string kHostile = "mlp:data=</script><img src=x onerror=alert(1)>&\"'";

struct RunOf {
  std::string method = "adam:lr=0.1";
  std::uint64_t seed = 1;
  double factor = 1;  ///< of all values
  bool diverges = false;
  std::string problem = kHostile;
  std::string budget = "10steps";
};

/// run.json and trace.csv as a run leaves them.
void write_run(const fs::path& folder, const RunOf& of) {
  fs::create_directories(folder);
  RunRecord record;
  record.problem = {of.problem, {{"data", "digits"}}};
  record.optimizer = {of.method, {{"lr", "0.1"}, {"beta1", "0.9"}}};
  record.seed = of.seed;
  record.precision = "float64";
  record.threads = 3;
  record.batch_size = 0;
  record.budget = of.budget;
  record.settings = {{"batch_size", "128"}, {"target", "-inf"}};
  record.description = "a <description>";
  record.parameters = 7;
  record.software = {"9.8.7", "a compiler", "optimized", "3.4.0", "a BLAS"};
  record.machine = {"a processor", 4};
  record.started = "2024-05-01T12:00:00Z";
  Summary summary;
  summary.termination = of.diverges ? Termination::non_finite : Termination::budget;
  summary.message = of.diverges ? "diverged at step 2" : "the budget is spent";
  summary.value = of.diverges ? std::nan("") : 0.125 * of.factor;
  summary.progress.step = 2;
  record.verdict = verdict_of(summary, {{"test_accuracy", 0.5}});
  write_run_record(folder / kRunFile, record);
  const auto row = [&](int step, const std::string& value) {
    return fmt::format("{},{},{},{},{},{},0.1,{},0.5,{}\n", step, step, 0.5 * step, step, value, 1.0 / (1 + step),
                       value, of.diverges && step == 2 ? "nan" : "0.25");
  };
  write_file(
      folder / kTraceFile,
      "step,epoch,seconds,gradient_equivalents,value,gradient_norm,step_size,train_value,test_accuracy,damping\n" +
          row(0, fmt::format("{}", of.factor)) + row(1, fmt::format("{}", 0.3 * of.factor)) +
          row(2, of.diverges ? "nan" : fmt::format("{}", 0.125 * of.factor)));
}

std::vector<Figure> figures_of(const ReportPage& page) {
  std::vector<Figure> out;
  for (const ReportSection& section : page.sections) {
    for (const auto& block : section.blocks) {
      if (const auto* figure = std::get_if<Figure>(&block)) out.push_back(*figure);
    }
  }
  return out;
}

std::vector<Table> tables_of(const ReportPage& page) {
  std::vector<Table> out;
  for (const ReportSection& section : page.sections) {
    for (const auto& block : section.blocks) {
      if (const auto* table = std::get_if<Table>(&block)) out.push_back(*table);
    }
  }
  return out;
}

const Figure& figure_named(const std::vector<Figure>& figures, const std::string& name) {
  const auto at = std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == name; });
  REQUIRE(at != figures.end());
  return *at;
}

/// The page without the library, which need not be there, and with nothing for gnuplot to draw, which takes its time.
std::string text_of(ReportPage page) {
  for (ReportSection& section : page.sections) {
    for (auto& block : section.blocks) {
      if (auto* figure = std::get_if<Figure>(&block)) {
        *figure = Figure{figure->name, figure->title, figure->caption, {}, {FigureView{"none", Plot{}}}};
      }
    }
  }
  return page_html(page, "/nonexistent");
}

ReportPage page_of(const std::vector<fs::path>& folders) { return report_page(folders); }

/// The numbers of an array that a figure names.
std::vector<double> array_of(const Json& json, const Json& position) {
  std::vector<double> out;
  for (const Json& value : json["arrays"][position.get<std::size_t>()]) {
    out.push_back(value.is_number() ? value.get<double>() : value == "inf" ? HUGE_VAL : std::nan(""));
  }
  return out;
}

}  // namespace

TEST_CASE("a run's page has its verdict and every option as given and as used and by what it was made") {
  const ScratchFolder folder;
  write_run(folder / "run", {});
  const std::string html = text_of(page_of({folder / "run"}));
  CHECK(tag_trouble(html) == "");
  CHECK_THAT(html, Contains("budget: the budget is spent"));
  CHECK_THAT(html, Contains("9.8.7") && Contains("a compiler") && Contains("a processor") && Contains("a BLAS"));
  const std::vector<Table> tables = tables_of(page_of({folder / "run"}));
  const auto options =
      std::find_if(tables.begin(), tables.end(), [](const Table& t) { return t.title == "given and used"; });
  REQUIRE(options != tables.end());
  const auto row_of = [&](const std::string& name) {
    const auto at =
        std::find_if(options->rows.begin(), options->rows.end(), [&](const auto& row) { return row[1].text == name; });
    REQUIRE(at != options->rows.end());
    return *at;
  };
  CHECK(row_of("lr")[2].text == "0.1");
  CHECK(row_of("beta1")[2].text.empty());
  CHECK(row_of("beta1")[3].text == "0.9");
  CHECK(row_of("batch_size")[2].text == "128");
  CHECK(row_of("batch_size")[3].text == "all samples");
}

TEST_CASE("no name in a record becomes a part of the page") {
  const ScratchFolder folder;
  write_run(folder / "run<b>", {.method = "adam+\"><script>alert(2)</script>"});
  const std::string html = text_of(page_of({folder / "run<b>"}));
  CHECK(tag_trouble(html) == "");
  CHECK(html.find("<img src=x") == std::string::npos);
  CHECK(html.find("<script>alert") == std::string::npos);
  // The page's own script, and none besides: without the library there are no data.
  CHECK(count_of(html, "<script") == 1);
}

TEST_CASE("a figure's numbers are those of the trace and its bands those of the seeds") {
  const ScratchFolder folder;
  for (std::uint64_t seed : {1, 2, 3}) {
    write_run(folder / "runs" / fmt::format("seed-{}", seed), {.seed = seed, .factor = static_cast<double>(seed)});
  }
  const std::vector<Figure> figures = figures_of(page_of({folder / "runs"}));
  const Figure& value = figure_named(figures, "train_value");
  CHECK_THAT(value.note, Contains("median, 25-75 %, 3 seeds"));
  CHECK_THAT(value.caption, Contains("median, 25-75 %, 3 seeds"));
  REQUIRE(value.views.size() == 3);
  Palette palette;
  const std::string text = figures_json(figures, palette);
  const Json json = parse_json(text, "page");
  const auto at = static_cast<std::size_t>(&value - figures.data());
  const Json& one = json["figures"][at];
  CHECK(one["views"][0]["name"] == "steps");
  CHECK(one["views"][1]["name"] == "seconds");
  CHECK(one["views"][2]["name"] == "gradient equivalents");
  const Json& series = one["views"][1]["series"];
  REQUIRE(series.size() == 1);
  REQUIRE(series[0]["runs"].size() == 3);
  CHECK(series[0]["runs"][1]["name"] == "seed 2");
  CHECK(array_of(json, series[0]["runs"][1]["x"]) == std::vector<double>{0, 0.5, 1});
  CHECK(array_of(json, series[0]["runs"][1]["y"]) == std::vector<double>{2, 0.6, 0.25});
  // Of 1, 2 and 3 times the same: the median is twice it, the quartiles 1.5 and 2.5 times.
  CHECK(array_of(json, series[0]["band"]["median"]) == std::vector<double>{2, 0.6, 0.25});
  CHECK(array_of(json, series[0]["band"]["lower"])[2] == Approx(1.5 * 0.125));
  CHECK(array_of(json, series[0]["band"]["upper"])[2] == Approx(2.5 * 0.125));
  // The same numbers are written once: all runs share their x.
  CHECK(series[0]["runs"][0]["x"] == series[0]["runs"][2]["x"]);
  CHECK(figure_named(figures, "telemetry_damping").small);
}

TEST_CASE("a run that diverged is named and marked and opens the band") {
  const ScratchFolder folder;
  write_run(folder / "runs" / "a", {.seed = 1});
  write_run(folder / "runs" / "b", {.seed = 2, .diverges = true});
  const ReportPage page = page_of({folder / "runs"});
  const std::string html = text_of(page);
  CHECK(tag_trouble(html) == "");
  CHECK_THAT(html, Contains("1 of 2 runs did not end well: adam:lr=0.1 seed 2 (diverged at step 2)"));
  CHECK_THAT(html, Contains("Not finite at the end, and ranked as worst from there on: adam:lr=0.1 seed 2"));
  const std::vector<Figure> figures = figures_of(page);
  Palette palette;
  const Json json = parse_json(figures_json(figures, palette), "page");
  const Json& series = json["figures"][0]["views"][0]["series"][0];
  CHECK(series["runs"][0]["diverged"] == false);
  CHECK(series["runs"][1]["diverged"] == true);
  CHECK(std::isinf(array_of(json, series["band"]["upper"]).back()));
  // What the method told of itself just ends.
  const Figure& damping = figure_named(figures, "telemetry_damping");
  for (const Curve& run : damping.views[0].plot.series[0].runs) CHECK(std::isfinite(run.y.back()));
}

TEST_CASE("studies are pooled over seeds where nothing else differs and told apart where it does") {
  const ScratchFolder folder;
  write_run(folder / "one", {.seed = 1});
  write_run(folder / "two", {.seed = 2});
  write_run(folder / "three", {.seed = 3, .budget = "20steps"});
  const auto methods = [](const ReportPage& page) {
    std::vector<std::string> names;
    const std::vector<Figure> figures = figures_of(page);
    for (const Series& series : figure_named(figures, "train_value").views[0].plot.series) {
      names.push_back(series.method);
    }
    return names;
  };
  CHECK(methods(page_of({folder / "one", folder / "two"})) == std::vector<std::string>{"adam:lr=0.1"});
  // Another budget is another experiment.
  CHECK(methods(page_of({folder / "one", folder / "three"})) ==
        std::vector<std::string>{"adam:lr=0.1 (one)", "adam:lr=0.1 (three)"});
  // The same seed twice is no sample of seeds.
  write_run(folder / "again", {.seed = 1});
  CHECK(methods(page_of({folder / "one", folder / "again"})).size() == 2);
  // Runs of different problems do not share figures.
  write_run(folder / "other", {.problem = "rosenbrock"});
  const ReportPage page = page_of({folder / "one", folder / "other"});
  const std::vector<Figure> figures = figures_of(page);
  CHECK(std::count_if(figures.begin(), figures.end(), [](const Figure& f) { return f.name == "train_value"; }) == 2);
}

TEST_CASE("a comparison's page leaves out its trials and shows the methods in their order") {
  const ScratchFolder folder;
  write_run(folder / "c" / "zeta" / "seed-1", {.method = "zeta"});
  write_run(folder / "c" / "alpha" / "seed-1", {.method = "alpha"});
  write_run(folder / "c" / "tuning" / "alpha" / "trial-1", {.method = "trial"});
  write_file(folder / "c" / "comparison.json", R"({"methods": ["zeta", "alpha"]})");
  write_file(folder / "c" / "tuning.csv", "optimizer,trial,value,chosen\nalpha,trial,1.5,yes\nalpha,other,nan,\n");
  const ReportPage page = page_of({folder / "c"});
  const std::vector<Figure> figures = figures_of(page);
  const auto& series = figure_named(figures, "train_value").views[0].plot.series;
  REQUIRE(series.size() == 2);
  CHECK(series[0].method == "zeta");
  CHECK(series[1].method == "alpha");
  const std::vector<Table> tables = tables_of(page);
  const auto trials =
      std::find_if(tables.begin(), tables.end(), [](const Table& t) { return t.title == "every trial"; });
  REQUIRE(trials != tables.end());
  CHECK(trials->rows[0][2].text == "1.5");
  CHECK(trials->rows[0][2].emphasised);
  CHECK_FALSE(trials->rows[1][2].emphasised);
}

TEST_CASE("a run without a verdict and a record that is damaged are shown beside the others") {
  const ScratchFolder folder;
  write_run(folder / "c" / "m" / "seed-1", {.seed = 1});
  write_run(folder / "c" / "m" / "seed-2", {.seed = 2});
  RunRecord killed = read_run_record(folder / "c" / "m" / "seed-2" / "run.json");
  killed.verdict.reset();
  write_run_record(folder / "c" / "m" / "seed-2" / "run.json", killed);
  fs::create_directories(folder / "c" / "m" / "seed-3");
  write_file(folder / "c" / "m" / "seed-3" / "run.json", "{\"format\": 2, <");
  write_file(folder / "c" / "comparison.json", R"({"methods": ["adam:lr=0.1"]})");
  write_file(folder / "c" / "spectrum.json", "not JSON");
  write_file(folder / "c" / "tuning.csv", "optimizer\nlbfgs\n");
  const std::string html = text_of(page_of({folder / "c"}));
  CHECK(tag_trouble(html) == "");
  CHECK_THAT(html, Contains("seed 2 (unfinished)"));
  CHECK_THAT(html, Contains("Records that could not be read"));
  CHECK_THAT(html, Contains("seed-3/run.json"));
  CHECK_THAT(html, Contains("The record cannot be shown: ") && Contains("there is no column"));
  CHECK_THAT(html, Contains("<h2>Trace</h2>"));
}

TEST_CASE("a spectrum's page holds its eigenvalues and intervals and the density with its band") {
  const ScratchFolder folder;
  write_file(folder / "spectrum.json", R"({"problem": "p", "at": "start", "curvature": "hessian", "parameters": 9,
"status": "not-converged", "message": "4 of 5", "largest": [{"value": 2.5, "residual": 1e-9}, {"value": 1.5, "residual": 0}],
"smallest": [{"value": -0.25, "residual": "nan"}], "trace": {"value": 3.5, "standard_error": 0.5, "lower": 2.5, "upper": 4.5,
"products": 10}, "layers": [{"name": "layer1", "parameters": 4, "largest": [{"value": 2, "residual": 0}], "smallest": [],
"trace": {"value": 1}, "status": "converged"}]})");
  write_file(folder / "density.csv", "lambda,density,lower,upper\n-1,0.25,0,0.5\n0,1,0.5,1.5\n1,0,0,0\n");
  const ReportPage page = page_of({folder.path()});
  const std::string html = text_of(page);
  CHECK(tag_trouble(html) == "");
  CHECK_THAT(html, Contains("verdict bad\">not-converged: 4 of 5"));
  CHECK_THAT(html, Contains("2.5000000") && Contains("-0.25000000") && Contains("layer1") && Contains("3.50000"));
  const std::vector<Figure> figures = figures_of(page);
  const ScatterPlot& ends = figure_named(figures, "eigenvalues").points.value();
  CHECK(ends.groups[0].x == std::vector<double>{1, 2, 9});
  CHECK(ends.groups[0].y == std::vector<double>{2.5, 1.5, -0.25});
  const FigureView& view = figure_named(figures, "density").views[0];
  const Band band = band_of(view.plot.series[0].runs);
  CHECK(band.median == std::vector<double>{0.25, 1, 1e-6});
  CHECK(band.lower_quartile == std::vector<double>{1e-6, 0.5, 1e-6});
  CHECK(band.upper_quartile == std::vector<double>{0.5, 1.5, 1e-6});
  Palette palette;
  const Json json = parse_json(figures_json(figures, palette), "page");
  CHECK(json["figures"][1]["views"][0]["series"][0]["runs"].empty());
}

TEST_CASE("spectra of several folders lie over each other") {
  const ScratchFolder folder;
  for (const char* name : {"flat", "sharp"}) {
    fs::create_directories(folder / name);
    write_file(folder / name / "spectrum.json",
               R"({"status": "converged", "parameters": 2, "largest": [{"value": 1, "residual": 0}], "smallest": []})");
  }
  const ReportPage page = page_of({folder / "flat", folder / "sharp"});
  const std::vector<Figure> figures = figures_of(page);
  const ScatterPlot& ends = figure_named(figures, "eigenvalues").points.value();
  REQUIRE(ends.groups.size() == 2);
  CHECK(ends.groups[0].name == "flat");
  CHECK(ends.groups[1].name == "sharp");
}

TEST_CASE("a landscape's page has the grid of its file with gaps where the loss is not finite") {
  const ScratchFolder folder;
  write_file(folder / "landscape.json",
             R"({"problem": "p", "at": "x", "largest_model_error": {"error": 0.5}, "directions": [{"label": "u"},
{"label": "v"}], "trajectory": {"share_in_slice": 0.5}})");
  std::string csv = "a,b,value,model,error\n";
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 2; ++b)
      csv += fmt::format("{},{},{},1,0\n", a, b, a == 2 && b == 1 ? "inf" : fmt::format("{}", 10 * a + b));
  }
  write_file(folder / "slice.csv", csv);
  write_file(folder / "trajectory.csv", "step,a,b,distance_from_slice,value\n0,2,1,0.5,3\n5,0,0,0,1\n");
  const ReportPage page = page_of({folder.path()});
  const std::vector<Figure> figures = figures_of(page);
  const ContourPlot& plot = figure_named(figures, "slice").surface.value();
  CHECK(plot.values(1, 1) == 11);
  CHECK(plot.path.x == std::vector<double>{2, 0});
  Palette palette;
  const Json json = parse_json(figures_json(figures, palette), "page");
  // Rows are those of b.
  CHECK(json["figures"][0]["surface"]["values"][0] == Json({0.0, 10.0, 20.0}));
  CHECK(json["figures"][0]["surface"]["values"][1][2] == "inf");
  CHECK_THAT(figures[0].caption, Contains("off by 0.500") && Contains("50.0 %"));
}

TEST_CASE("a file that holds no grid and no density and no list is refused by its own sentence") {
  const ScratchFolder folder;
  const auto page_with = [&](const std::string& json_name, const std::string& json, const std::string& csv_name,
                             const std::string& csv) {
    write_file(folder / json_name, json);
    if (!csv_name.empty()) write_file(folder / csv_name, csv);
    const std::string html = text_of(page_of({folder.path()}));
    fs::remove(folder / json_name);
    if (!csv_name.empty()) fs::remove(folder / csv_name);
    CHECK(tag_trouble(html) == "");
    CHECK(html.find("by a fault of hesse") == std::string::npos);
    return html;
  };
  // The grid of 3 x 3 places that three rows name would be filled in part; of a hundred thousand rows it fits no
  // memory.
  CHECK_THAT(page_with("landscape.json", "{}", "slice.csv", "a,b,value,model\n0,0,1,1\n1,1,1,1\n2,2,1,1\n"),
             Contains("slice.csv: 3 rows are no grid of 3 by 3 points"));
  CHECK_THAT(page_with("landscape.json", "{}", "slice.csv", "a,b,value,model\n0,0,1,1\nnan,0,1,1\n"),
             Contains("slice.csv: a point of the grid has NaN"));
  CHECK_THAT(page_with("spectrum.json", "{}", "density.csv", "lambda,density,lower,upper\n"),
             Contains("density.csv: there are no rows"));
  CHECK_THAT(page_with("spectrum.json", R"({"layers": [{"name": "W", "largest": {"value": 1}}]})", "", ""),
             Contains("diagonal blocks") && Contains("none"));
  CHECK_THAT(page_with("sharpness.json", R"({"point": {"measures": {"name": 1}}})", "", ""), Contains("measures"));
  CHECK_THAT(page_with("landscape.json", R"({"directions": {"label": 1}})", "slice.csv",
                       "a,b,value,model\n0,0,1,1\n1,0,1,1\n"),
             Contains("Landscape"));
}

TEST_CASE("the density over steps of a probe that is no number is refused") {
  const ScratchFolder folder;
  write_run(folder.path(), {});
  write_file(folder / "curvature.csv", "step,sharpness\n0,1\n");
  for (const char* probe : {"nan", "-1", "0.5", "1e300"}) {
    write_file(folder / "curvature_density.csv",
               fmt::format("step,probe,eigenvalue,weight\n0,0,1,1\n1,{},2,1\n", probe));
    CHECK_THAT(text_of(page_of({folder.path()})),
               Contains("curvature_density.csv: row 2: the probe is no whole number from 0"));
  }
}

TEST_CASE("the other records have chapters too") {
  const ScratchFolder folder;
  const auto page_with = [&](const std::string& name, const std::string& json) {
    const fs::path one = folder / ("of-" + name);
    fs::create_directories(one);
    write_file(one / name, json);
    const std::string html = text_of(page_of({one}));
    CHECK(tag_trouble(html) == "");
    CHECK(html.find("cannot be shown") == std::string::npos);
    return html;
  };
  CHECK_THAT(
      page_with("classification.json", R"({"problem": "p", "point": {"kind": "saddle", "certified": true, "index": 2,
"message": "a saddle", "least_eigenvalue": -1.5, "zero_tolerance": {"total": 1e-9}}})"),
      Contains("saddle: a saddle") && Contains("<td class=\"number\">-1.5</td>") && Contains("certificate"));
  CHECK_THAT(page_with("sharpness.json", R"({"point": {"value": 1, "measures": [{"key": "trace", "name": "trace of H",
"value": 2.5, "lower": 2, "upper": 3, "kind": "estimate", "invariant": false, "flat_is": "small", "note": "<n>"}],
"left_out": [{"name": "m", "why": "no batches"}]}})"),
             Contains("trace of H") && Contains("&lt;n&gt;") && Contains("Left out: m: no batches"));
  CHECK_THAT(page_with("validation.json", R"({"ceres": "2.1", "counts": {"agree": 1}, "problems": [{"problem": "mgh:1",
"verdict": "agree", "digits": 9.25, "hesse": {"value": 1, "kind": "minimum"}, "ceres": {"value": 1, "claim_is_false": true,
"status": "convergence"}}]})"),
             Contains("mgh:1") && Contains("convergence (false)") && Contains("9.2"));
  CHECK_THAT(page_with("verification.json", R"({"planted": false, "passed": false, "oracles": [{"name": "products",
"failure": "", "findings": [{"what": "AB", "figure": 2.5, "low": "-inf", "high": 1, "derivation": "Higham", "passed": false}]},
{"name": "threads", "failure": "out of order", "findings": []}]})"),
             Contains("do not trust") && Contains("Higham") && Contains("2.5") && Contains("out of order"));
  CHECK_THAT(page_with("diagnosis.json", R"({"finding": "bad", "checks": [{"name": "units", "finding": "bad", "figure":
"nan", "message": "all dead"}], "blocks": [], "units": []})"),
             Contains("in all: bad") && Contains("all dead"));
  CHECK_THAT(page_with("lr.json", R"({"message": "trains", "steepest": 0.1, "rate": [0.1, 1], "loss": [2, "inf"],
"smoothed": [2, 3]})"),
             Contains("trains") && Contains("<dd>0.1</dd>"));
}

TEST_CASE("a performance profile rises by a share of the problems where a solver solves one") {
  const ScratchFolder folder;
  write_file(folder / "profile.json", R"({"digits": 4, "tau_max": 10, "problems": ["p", "q"], "table": []})");
  write_file(folder / "ratios_evaluations.csv", "problem,a,b\np,1,4\nq,2,inf\n");
  const std::vector<Figure> figures = figures_of(page_of({folder.path()}));
  const auto& series = figure_named(figures, "profile_evaluations").views[0].plot.series;
  // The height at tau is that of the last point at or before it.
  const auto height = [](const Curve& curve, double tau) {
    double y = 0;
    for (std::size_t i = 0; i < curve.x.size() && curve.x[i] <= tau; ++i) y = curve.y[i];
    return y;
  };
  CHECK(height(series[0].runs[0], 1) == 0.5);
  CHECK(height(series[0].runs[0], 1.99) == 0.5);
  CHECK(height(series[0].runs[0], 2) == 1);
  CHECK(height(series[1].runs[0], 3.99) == 0);
  CHECK(height(series[1].runs[0], 4) == 0.5);
  CHECK(height(series[1].runs[0], 10) == 0.5);
}

TEST_CASE("without the library a page has static figures and says so in one line") {
  const ScratchFolder folder;
  write_run(folder / "run", {});
  const std::string html = page_html(page_of({folder / "run"}), "/nonexistent");
  CHECK(count_of(html, "Figures are static: ") == 1);
  CHECK_THAT(html, Contains("scripts/fetch_data.sh plotly"));
  CHECK(html.find("data-figure=\"") == std::string::npos);
  // Drawn by gnuplot, or why not: one or the other for each.
  CHECK(count_of(html, "data:image/svg+xml;base64,") + count_of(html, "Not drawn: ") == count_of(html, "<figure"));
  // A file that is not the pinned one is no library.
  fs::create_directories(folder / "cache" / "plotly");
  write_file(folder / "cache" / "plotly" / "plotly-cartesian.min.js", "not_the_library()");
  const std::string refused = page_html(page_of({folder / "run"}), (folder / "cache").string());
  CHECK(refused.find("not_the_library") == std::string::npos);
  CHECK_THAT(refused, Contains("is not the file that is pinned"));
}

TEST_CASE("with the library a page carries it once and its data read back") {
  const ScratchFolder folder;
  write_run(folder / "run", {});
  const ReportPage page = page_of({folder / "run"});
  const std::string html = page_html(page);
  if (count_of(html, "Figures are static: ") > 0) {
    WARN("plotly is not at hand; scripts/fetch_data.sh plotly fetches it");
    return;
  }
  CHECK(tag_trouble(html) == "");
  CHECK(count_of(html, "* plotly.js (cartesian - minified) v4.1.1") == 1);
  const std::string begin = "id=\"report-data\">";
  const std::size_t at = html.find(begin) + begin.size();
  const Json json = parse_json(html.substr(at, html.find("</script>", at) - at), "page");
  CHECK(json["figures"].size() == figures_of(page).size());
  CHECK(count_of(html, "data-figure=") == static_cast<int>(json["figures"].size()));
}

TEST_CASE("a sweep's page is headed by its folder and has its results before the traces of its cells") {
  const ScratchFolder folder;
  const fs::path sweep = folder / "sweep";
  write_run(sweep / "cells" / "0123456789abcdef", {.problem = "rosenbrock"});
  write_run(sweep / "cells" / "fedcba9876543210", {.seed = 2, .problem = "rosenbrock"});
  fs::create_directories(sweep / "figures");
  write_file(sweep / "sweep.json", "{}");
  write_file(sweep / "results.csv",
             "cell,state,reason,problem,optimizer,seed,value\n"
             "0123456789abcdef,finished,,rosenbrock,adam,1,0.5\n"
             "fedcba9876543210,finished,,rosenbrock,adam,2,0.25\n"
             "00ff00ff00ff00ff,failed,ended by signal 9,rosenbrock,adam,3,\n");
  write_file(sweep / "best.csv", "problem,optimizer,median\nrosenbrock,adam,0.375\n");
  write_file(sweep / "figures" / "rosenbrock_by_lr.csv",
             "method,x,median,lower_quartile,upper_quartile\nadam,0.1,2,1,3\nadam,1,4,3,5\n");
  const ReportPage page = page_of({sweep});
  CHECK(page.title == "sweep sweep");
  CHECK(page.subtitle == "2 cells");
  REQUIRE_FALSE(page.sections.empty());
  CHECK(page.sections.front().title == "Sweep");
  CHECK_THAT(text_of(page), Contains("3 cells: 2 finished, 1 failed, 0 to come") && Contains("ended by signal 9"));
  const Plot plot = figure_named(figures_of(page), "rosenbrock_by_lr").views[0].plot;
  REQUIRE(plot.series.size() == 1);
  REQUIRE(plot.series[0].runs.size() == 5);  // whose quartiles and median are those of the file
  CHECK(plot.series[0].runs[2].y == std::vector<double>{2, 4});
  // The traces of the cells follow, pooled over the seeds.
  CHECK_NOTHROW(figure_named(figures_of(page), "train_value"));
}

TEST_CASE("the cells of a sweep are in the order of its results and not of their folders") {
  const ScratchFolder folder;
  const fs::path sweep = folder / "sweep";
  write_run(sweep / "cells" / "aaaa", {.method = "third"});
  write_run(sweep / "cells" / "bbbb", {.method = "second"});
  write_run(sweep / "cells" / "cccc", {.method = "first"});
  write_file(sweep / "sweep.json", "{}");
  const auto rows = [&] {
    const auto tables = tables_of(page_of({sweep}));
    const auto results = std::find_if(tables.begin(), tables.end(), [](const Table& table) {
      return !table.columns.empty() && table.columns.front().name == "optimizer";
    });
    REQUIRE(results != tables.end());
    std::string names;
    for (const auto& row : results->rows) names += row.front().text + " ";
    return names;
  };
  CHECK(rows() == "third second first ");
  write_file(sweep / "results.csv",
             "cell,state,reason,problem,optimizer,seed\n"
             "cccc,finished,,p,first,1\nbbbb,finished,,p,second,1\naaaa,finished,,p,third,1\n");
  CHECK(rows() == "first second third ");
}

TEST_CASE("which end of a metric is the better one is what the records say") {
  for (const bool higher : {true, false}) {
    const ScratchFolder folder;
    for (const auto& [method, score] : std::vector<std::pair<std::string, double>>{{"a", 1}, {"b", 2}}) {
      write_run(folder / method, {.method = method});
      RunRecord record = read_run_record(folder / method / kRunFile);
      record.verdict->metrics = {{"score", score}};
      record.higher_is_better.emplace();
      if (higher) record.higher_is_better->push_back("score");
      write_run_record(folder / method / kRunFile, record);
    }
    const Table table = tables_of(page_of({folder / "a", folder / "b"})).front();
    const auto column = static_cast<std::size_t>(
        std::find_if(table.columns.begin(), table.columns.end(), [](const auto& c) { return c.name == "score"; }) -
        table.columns.begin());
    REQUIRE(column < table.columns.size());
    CHECK(table.rows[0][column].emphasised == !higher);
    CHECK(table.rows[1][column].emphasised == higher);
  }
}

TEST_CASE("figures that one cause keeps from being drawn are one warning") {
  const ScratchFolder folder;
  write_run(folder / "run", {});
  const ReportPage page = page_of({folder / "run"});
  REQUIRE(figures_of(page).size() > 1);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (folder / "nothing").c_str(), 1);
  const std::vector<std::string> warnings = write_paper_files(folder / "paper", page);
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings.front(), Contains(fmt::format("and {} more were not drawn", 2 * figures_of(page).size() - 1)) &&
                                   Contains("gnuplot"));
}

TEST_CASE("figures and tables for papers are written with their captions") {
  const ScratchFolder folder;
  write_run(folder / "run", {.problem = "rosenbrock"});
  const std::vector<std::string> warnings = write_paper_files(folder / "paper", page_of({folder / "run"}));
  CHECK(fs::exists(folder / "paper" / "tables" / "options-given-and-used.md"));
  CHECK(fs::exists(folder / "paper" / "tables" / "options-given-and-used.tex"));
  CHECK(fs::exists(folder / "paper" / "tables" / "options-given-and-used.csv"));
  CHECK_THAT(read_file(folder / "paper" / "figures" / "captions.md"), Contains("training objective of rosenbrock"));
  if (!warnings.empty()) {
    CHECK_THAT(warnings.front(), Contains("gnuplot"));
    return;
  }
  CHECK_THAT(read_file(folder / "paper" / "figures" / "train_value_by_gradient_equivalents.svg"), Contains("<svg"));
  CHECK(read_file(folder / "paper" / "figures" / "train_value_by_steps.pdf").starts_with("%PDF"));
}

TEST_CASE("a folder without records is refused in one sentence") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH(page_of({folder.path()}), Contains("holds no records of hesse"));
  CHECK_THROWS_WITH(page_of({folder / "missing"}), Contains("is no folder"));
}

TEST_CASE("what a command was asked reads back and stands in the page") {
  const ScratchFolder folder;
  write_file(folder / "diagnosis.json", R"({"finding": "good"})");
  CommandRecord record;
  record.command = "diagnose";
  record.options = asked_options({"hesse diagnose", {{"problem", "p"}}},
                                 {{"problem", "text", "p", "", "", {}}, {"steps", "whole number", "100", "", "", {}}});
  record.software = {"1", "2", "3", "4", "5"};
  record.machine = {"6", 7};
  record.threads = 8;
  record.started = "2024-05-01T12:00:00Z";
  record.seconds = 1.5;
  record.exit_code = 3;
  write_command_record(folder / kCommandFile, record);
  const CommandRecord back = read_command_record(folder / kCommandFile);
  CHECK(back.command == "diagnose");
  REQUIRE(back.options.size() == 2);
  CHECK(back.options[0].given);
  CHECK_FALSE(back.options[1].given);
  CHECK(back.options[1].used == "100");
  CHECK(back.machine.cores == 7);
  CHECK(back.seconds == 1.5);
  CHECK(back.exit_code == 3);
  CHECK_THAT(text_of(page_of({folder.path()})), Contains("hesse diagnose: given and used"));
  write_report(folder.path());
  CHECK(tag_trouble(read_file(folder / kReportFile)) == "");
}
