#include "apps/program.h"

#include "hesse/report/json.h"
#include "hesse/report/safetensors.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

namespace {

constexpr const char* kRelu =
    "--problem mlp:data=gaussian-blobs,hidden=6-5,activation=relu --samples 10 --iterations 3";

}  // namespace

TEST_CASE("sharpness prints every measure with its error and kind and whether it is invariant") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, std::string("sharpness ") + kRelu + " --json --output s");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  const Json& measures = json["point"]["measures"];
  CHECK(measures.size() == 23);
  int invariant = 0;
  for (const Json& m : measures) {
    CHECK(m["lower"].get<double>() <= m["value"].get<double>());
    CHECK(m["value"].get<double>() <= m["upper"].get<double>());
    invariant += m["invariant"].get<bool>() ? 1 : 0;
  }
  CHECK(invariant == 9);
  CHECK(json["point"]["left_out"].empty());
  CHECK(parse_json(read_file(folder / "s" / "sharpness.json"), "sharpness.json") == json);
  const std::string csv = read_file(folder / "s" / "sharpness.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 24);
  const std::string rises = read_file(folder / "s" / "rise.csv");
  CHECK(std::count(rises.begin(), rises.end(), '\n') == 1 + 2 * 13);
  CHECK(std::filesystem::exists(folder / "s" / "rise_plot.svg"));
  const auto table = run_hesse(folder, std::string("sharpness ") + kRelu + " --measures sam,trace --output t");
  CHECK(!std::filesystem::exists(folder / "t" / "rise.csv"));
  CHECK_THAT(table.out, Contains("lower bound") && Contains("or more") && Contains("trace") && !Contains("keskar"));
}

TEST_CASE("sharpness --rescale keeps the function and moves what is not invariant") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, std::string("sharpness ") + kRelu + " --rescale 3 --pair 2 --json");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["rescaling"]["same_function"] == true);
  CHECK(json["rescaling"]["moved"].size() == 14);
  CHECK(json["rescaling"]["stayed"].size() == 9);
  // Layer 5 is the last: what is divided there has its Hessian multiplied.
  CHECK(json["rescaled"]["measures"][0]["value"].get<double>() !=
        Approx(json["point"]["measures"][0]["value"].get<double>()).epsilon(0.01));
  const auto table = run_hesse(folder, std::string("sharpness ") + kRelu + " --rescale 3 --measures trace,fisher-rao");
  CHECK_THAT(table.out, Contains("the same function") && Contains("moved: trace") && Contains("stayed: fisher-rao"));
}

TEST_CASE("sharpness --against gives a verdict on two points of one run's problem") {
  const ScratchFolder folder;
  const std::string train =
      "train --problem mlp:data=gaussian-blobs,hidden=6,activation=relu --optimizer lbfgs --budget 20steps --output ";
  REQUIRE(run_hesse(folder, train + "one").exit_code == 0);
  REQUIRE(run_hesse(folder, train + "two --seed 2").exit_code == 0);
  const std::string sharpness = "sharpness --at one --samples 10 --measures fisher-rao,trace ";
  const auto r = run_hesse(folder, sharpness + "--against two --json");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  const double one = json["point"]["measures"][1]["value"];
  const double two = json["against"]["measures"][1]["value"];
  CHECK(json["point"]["measures"][1]["key"] == "fisher-rao");
  CHECK(json["verdict"] == (one < two ? "flatter" : "sharper"));
  // A point is not flatter than itself.
  const auto same = run_hesse(folder, sharpness + "--against one/checkpoint.safetensors");
  CHECK(same.exit_code == 0);
  CHECK_THAT(same.out, Contains("no verdict: undecided by fisher-rao"));
}

TEST_CASE("sharpness refuses what it cannot do with exit code 2 and one line") {
  const ScratchFolder folder;
  const std::pair<const char*, const char*> cases[] = {
      {"--problem rosenbrock --measures trase", "did you mean 'trace'?"},
      {"--problem rosenbrock --measures fisher-rao", "fisher"},
      {"--problem rosenbrock --measures m-sharpness", "no mean over samples"},
      {"--problem rosenbrock --rescale 2", "no network"},
      {"--problem rosenbrock --rescale -2", "out of range"},
      {"--problem rosenbrock --rescale 2 --against x", "not both"},
      {"--problem rosenbrock --rho 0", "out of range"},
      {"--problem mlp:data=gaussian-blobs,hidden=4 --rescale 2", "activation=relu"},
      {"--problem mlp:data=gaussian-blobs,hidden=4,activation=relu --rescale 2 --pair 2", "--pair 1 to 1"},
      {"--problem mlp:data=gaussian-blobs,hidden=4 --layer layer7.weight --measures relative-flatness",
       "layer7.weight"},
      {"--problem rosenbrock --at nowhere", "nowhere"},
      {"--problem rosenbrock --against nowhere", "nowhere"},
      {"--at nowhere", "there is no 'nowhere'"},
  };
  for (const auto& [arguments, part] : cases) {
    const auto r = run_hesse(folder, std::string("sharpness ") + arguments);
    CAPTURE(arguments, r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK_THAT(r.err, Contains(part));
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    CHECK(folder.count() == 0);
  }
}

TEST_CASE("sharpness at a point that is not finite names it and exits with 3") {
  const ScratchFolder folder;
  const std::vector<double> x = {std::numeric_limits<double>::infinity(), 1};
  const TensorToWrite tensors[] = {TensorToWrite::of("x", {2}, x)};
  write_safetensors(folder / "x.safetensors", tensors);
  const auto r = run_hesse(folder, "sharpness --problem rosenbrock --at x.safetensors");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 3);
  CHECK_THAT(r.out, Contains("x[0] is inf"));
}
