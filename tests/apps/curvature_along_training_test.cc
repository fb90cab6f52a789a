#include "apps/program.h"

#include "hesse/report/json.h"
#include "hesse/report/trace.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>
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

TEST_CASE("a measure along training that there is not is refused before any work") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, std::string(kTrain) + "--curvature-measures top,tarce --output run");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("no measure 'tarce'") && Contains("did you mean 'trace'"));
  CHECK(!std::filesystem::exists(folder / "run"));
}
