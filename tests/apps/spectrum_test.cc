#include "apps/program.h"

#include "hesse/report/json.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

using namespace hesse;
using namespace hesse::test;
using Catch::Matchers::Contains;

namespace {

const std::string kProblem = "--problem mlp:data=gaussian-blobs:samples=60:classes=4,hidden=6,activation=tanh ";

Json spectrum(const ScratchFolder& folder, const std::string& options) {
  const auto r = run_hesse(folder, "spectrum " + kProblem + options + " --json");
  CAPTURE(options, r.out, r.err);
  REQUIRE(r.exit_code == 0);
  return parse_json(r.out, "stdout");
}

}  // namespace

TEST_CASE("a layer's spectrum is the same as a block and in the table of layers") {
  const ScratchFolder folder;
  const Json layers = spectrum(folder, "--top 1 --bottom 1 --per-layer")["layers"];
  REQUIRE(layers.size() == 2);
  for (const Json& layer : layers) {
    const Json block = spectrum(folder, "--top 1 --bottom 1 --block " + layer["name"].get<std::string>());
    CHECK(block["largest"][0]["value"].get<double>() ==
          Approx(layer["largest"][0]["value"].get<double>()).epsilon(1e-10));
    CHECK(block["blocks"][0] == layer["name"]);
  }
  // 2 inputs, 6 units, 4 classes.
  CHECK(layers[0]["parameters"] == 2 * 6 + 6);
  CHECK(layers[1]["parameters"] == 6 * 4 + 4);
}

TEST_CASE("every eigenvalue is told and their sum is the trace") {
  const ScratchFolder folder;
  const Json json = spectrum(folder, "--all --trace --output whole");
  const Json& values = json["largest"];
  REQUIRE(values.size() == 46);
  double sum = 0;
  for (const Json& pair : values) sum += pair["value"].get<double>();
  CHECK(json["trace"]["value"].get<double>() == Approx(sum).epsilon(1e-10));
  CHECK(json["proved"] == true);
  const std::string rows = read_file(folder / "whole" / "spectrum.csv");
  CHECK(std::count(rows.begin(), rows.end(), '\n') == 47);
}

TEST_CASE("shares of subspaces lie between 0 and 1 and classes need a top eigenspace") {
  const ScratchFolder folder;
  const Json json = spectrum(folder, "--top 4 --classes");
  for (const double share : {json["gradient_alignment"].get<double>(), json["classes"]["overlap"].get<double>(),
                             json["classes"]["alignment"].get<double>()}) {
    CHECK(share >= 0);
    CHECK(share <= 1 + 1e-12);
  }
  const auto r = run_hesse(folder, "spectrum " + kProblem + "--top 0 --classes");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("--top 1"));
}

TEST_CASE("the spectra of approximations are those of positive semidefinite matrices") {
  const ScratchFolder folder;
  for (const char* matrix : {"kfac", "ekfac", "gradient-covariance", "fisher"}) {
    const Json json = spectrum(folder, fmt::format("--curvature {} --top 1 --bottom 1", matrix));
    CAPTURE(matrix);
    CHECK(json["curvature"] == matrix);
    CHECK(json["largest"][0]["value"].get<double>() > 0);
    CHECK(json["smallest"][0]["value"].get<double>() >= -1e-12 * json["norm"].get<double>());
  }
  const auto r = run_hesse(folder, "spectrum --problem rosenbrock --curvature kfac");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("no Kronecker factors"));
  CHECK(run_hesse(folder, "spectrum " + kProblem + "--block layr1").exit_code == 2);
}
