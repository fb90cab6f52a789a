#include "apps/program.h"

#include "hesse/report/csv_table.h"
#include "hesse/report/json.h"
#include "hesse/report/trace.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

namespace {

constexpr const char* kTrain =
    "train --problem mlp:data=gaussian-blobs,hidden=4,activation=tanh --optimizer sgd:lr=0.1 --budget 40steps "
    "--batch-size 0 --precision double --quiet --curvature-every 20 ";

}  // namespace

TEST_CASE("figures of the Hessian along training agree with those of spectrum where the run ended") {
  const ScratchFolder folder;
  const auto run =
      run_hesse(folder, std::string(kTrain) + "--curvature-measures top,bottom,trace,density --output run");
  CAPTURE(run.out, run.err);
  REQUIRE(run.exit_code == 0);
  const Trace rows = read_trace(folder / "run" / "curvature.csv");
  REQUIRE(rows.rows.size() == 3);
  CHECK(rows.column("step") == std::vector<double>{0, 20, 40});
  CHECK(std::filesystem::exists(folder / "run" / "curvature_density.csv"));
  CHECK_THAT(read_file(folder / "run" / "report.html"), Contains("bottom") && Contains("trace"));

  const auto at_end = run_hesse(folder, "spectrum --at run --all --json");
  CAPTURE(at_end.out, at_end.err);
  REQUIRE(at_end.exit_code == 0);
  const Json values = parse_json(at_end.out, "stdout")["largest"];
  double trace = 0;
  for (const Json& pair : values) trace += pair["value"].get<double>();
  const double largest = values.front()["value"].get<double>();
  const double least = values.back()["value"].get<double>();
  // Each by its own error: the residual of the iteration, and for the trace, which is of the formed Hessian, rounding.
  CHECK(std::abs(rows.column("sharpness").back() - std::max(largest, least)) <=
        rows.column("residual").back() + 1e-10 * std::abs(largest));
  CHECK(std::abs(rows.column("bottom").back() - std::min(largest, least)) <=
        rows.column("bottom_residual").back() + 1e-10 * std::abs(largest));
  CHECK(rows.column("trace").back() == Approx(trace).epsilon(1e-10));
}

TEST_CASE("layers and classes along training agree with those of spectrum where the run ended on any threads") {
  const ScratchFolder folder;
  const std::string measures = "--curvature-top 3 --curvature-measures top,layers,classes,overlap ";
  for (const char* threads : {"1", "3"}) {
    const auto run =
        run_hesse(folder, kTrain + measures + "--threads " + threads + " --output run-" + std::string(threads));
    CAPTURE(run.out, run.err);
    REQUIRE(run.exit_code == 0);
  }
  for (const char* file : {"curvature.csv", "curvature_layers.csv"}) {
    CHECK(read_file(folder / "run-1" / file) == read_file(folder / "run-3" / file));
  }
  const auto at_end = run_hesse(folder, "spectrum --at run-1 --top 3 --bottom 1 --per-layer --classes --trace --json");
  CAPTURE(at_end.out, at_end.err);
  REQUIRE(at_end.exit_code == 0);
  const Json json = parse_json(at_end.out, "stdout");
  const Table layers = read_csv_table(folder / "run-1" / "curvature_layers.csv");
  REQUIRE(layers.rows.size() == 6);
  for (std::size_t l = 0; l < 2; ++l) {
    const auto number = [&](const char* column) { return numbers_of(layers, column, "layers")[4 + l]; };
    const Json& layer = json["layers"][l];
    CHECK(number("step") == 40);
    CHECK(texts_of(layers, "layer", "layers")[4 + l] == layer["name"]);
    // Both are formed: rounding alone.
    CHECK(number("largest") == Approx(layer["largest"][0]["value"].get<double>()).epsilon(1e-10));
    CHECK(number("smallest") == Approx(layer["smallest"][0]["value"].get<double>()).epsilon(1e-10).margin(1e-12));
    CHECK(number("trace") == Approx(layer["trace"]["value"].get<double>()).epsilon(1e-10));
  }
  const Trace rows = read_trace(folder / "run-1" / "curvature.csv");
  // The rows' eigenvectors have residuals of up to 1e-3 |H|, over a gap to the fourth eigenvalue that is part of |H|.
  CHECK(rows.column("class_overlap").back() == Approx(json["classes"]["overlap"].get<double>()).margin(1e-2));
  CHECK(rows.column("class_alignment").back() == Approx(json["classes"]["alignment"].get<double>()).margin(1e-2));
  CHECK(rows.column("class_moment").back() ==
        Approx(json["classes"]["eigenvalues"][0].get<double>() + json["classes"]["eigenvalues"][1].get<double>() +
               (json["classes"]["eigenvalues"].size() > 2 ? json["classes"]["eigenvalues"][2].get<double>() : 0.0)));
  CHECK(std::isnan(rows.column("overlap_previous").front()));
  CHECK(rows.column("overlap_first").front() == Approx(1).epsilon(1e-12));
  CHECK_THAT(read_file(folder / "run-1" / "report.html"),
             Contains("largest eigenvalues of the layers' diagonal blocks") &&
                 Contains("overlap of the top eigenspace with that of the first row") &&
                 Contains("share of the class means' second moment in the top eigenspace"));
}

TEST_CASE("layers and classes along training are refused before any work where a problem has none") {
  const ScratchFolder folder;
  for (const auto& [measure, why] :
       {std::pair{"layers", "no more layers than one"}, std::pair{"classes", "no network with one class label"}}) {
    const auto r = run_hesse(folder, std::string("train --problem rosenbrock --optimizer gd:lr=1e-3 --budget 5steps "
                                                 "--quiet --curvature-every 1 --output run --curvature-measures ") +
                                         measure);
    CHECK(r.exit_code == 2);
    CHECK_THAT(r.err, Contains(why));
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    CHECK(!std::filesystem::exists(folder / "run"));
  }
}

TEST_CASE("a measure along training that there is not is refused before any work") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, std::string(kTrain) + "--curvature-measures top,tarce --output run");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("no measure 'tarce'") && Contains("did you mean 'trace'"));
  CHECK(!std::filesystem::exists(folder / "run"));
}
