#include "apps/program.h"

#include "hesse/report/json.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

TEST_CASE("hesse validate brings Hesse and Ceres to one minimum, in a table, in JSON and in CSV") {
  const ScratchFolder folder;
  const auto table = run_hesse(folder, "validate --problem rosenbrock --problem beale");
  CHECK(table.exit_code == 0);
  CHECK(table.err.empty());
  CHECK_THAT(table.out, Contains("2 problems: 2 agree"));

  const auto r = run_hesse(folder, "validate --problem himmelblau --optimizer lbfgs --ceres bfgs --json --csv h.csv");
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  REQUIRE(json["problems"].size() == 1);
  const Json& one = json["problems"][0];
  CHECK(one["verdict"] == "agree");
  CHECK(one["digits"].get<double>() >= 8);
  CHECK(one["hesse"]["method"] == "lbfgs");
  CHECK(one["hesse"]["kind"] == "minimum");
  CHECK(one["hesse"]["certified"] == true);
  CHECK(one["ceres"]["method"] == "ceres-bfgs");
  CHECK(one["ceres"]["status"] == "CONVERGENCE");
  CHECK(one["ceres"]["claim_is_false"] == false);
  CHECK(one["ceres"]["gradients"].get<int>() > 0);
  CHECK(json["counts"]["agree"] == 1);
  const std::string csv = read_file(folder / "h.csv");
  CHECK(csv.starts_with("problem,parameters,verdict,digits,distance,parameter_digits,hesse_method,"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 2);
}

TEST_CASE("hesse validate exits with 1 where Hesse does not arrive, and says why") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "validate --problem rosenbrock --optimizer gd:lr=1e-6 --max-steps 200");
  CHECK(r.exit_code == 1);
  CHECK_THAT(r.out, Contains("only Ceres arrived") && Contains("not stationary"));
}

TEST_CASE("hesse validate refuses what does not exist") {
  const ScratchFolder folder;
  const auto method = run_hesse(folder, "validate --ceres lbgfs");
  CHECK(method.exit_code == 2);
  CHECK_THAT(method.err, Contains("did you mean 'lbfgs'?"));
  CHECK(run_hesse(folder, "validate --suite analytics").exit_code == 2);
  CHECK(run_hesse(folder, "validate --gradient-tolerance 0").exit_code == 2);
  CHECK(run_hesse(folder, "validate --problem nonsense").exit_code == 2);
}

TEST_CASE("hesse profile leaves its folder, table and figures, with a peer beside the optimizers") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "profile --problem rosenbrock --problem beale --optimizer lbfgs --optimizer newton-cg "
                           "--optimizer ceres-lbfgs --repetitions 1 --output profile --json");
  CAPTURE(r.err);
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["cells"].size() == 6);
  for (const Json& row : json["table"]) CHECK(row["solved"] == 2);
  CHECK_THAT(r.err, Contains("ceres-lbfgs on beale: solved after"));
  for (const char* file : {"profile.json", "results.csv", "ratios_evaluations.csv", "ratios_seconds.csv", "table.txt",
                           "figures/profile_evaluations.svg", "figures/profile_seconds.svg"}) {
    CHECK(std::filesystem::exists(folder / "profile" / file));
  }
  const auto table = run_hesse(folder, "profile --problem beale --optimizer lbfgs --quiet --output second");
  CHECK(table.exit_code == 0);
  CHECK(table.err.empty());
  CHECK_THAT(table.out, Contains("solved to 4 digits"));
  const auto usual = run_hesse(folder, "profile --problem beale --repetitions 1 --quiet --output usual --json");
  const Json solvers = parse_json(usual.out, "stdout")["solvers"];
  CHECK(usual.exit_code == 0);
  CHECK(solvers.size() >= 7);
  CHECK(solvers[0] == "gauss-newton");
}

TEST_CASE("hesse profile refuses bad settings before it writes anything") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "profile --problem beale --optimizer lbfgs --optimizer lbfgs").exit_code == 2);
  CHECK(run_hesse(folder, "profile --problem beale --optimizer lbfgs --tau-max 1").exit_code == 2);
  CHECK(run_hesse(folder, "profile --problem beale --optimizer lbfgs --digits 0").exit_code == 2);
  const auto unknown = run_hesse(folder, "profile --problem beale --optimizer lbfgssp");
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, Contains("there is no optimizer or peer called"));
  CHECK(folder.count() == 0);
}
