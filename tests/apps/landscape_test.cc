#include "apps/program.h"

#include "hesse/landscape/matching.h"
#include "hesse/nn/network_objective.h"
#include "hesse/problems/problem.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/json.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/trajectory.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace hesse;
using Catch::Matchers::Contains;
using test::hesse_signalled;
using test::run_hesse;
using test::ScratchFolder;

namespace {

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

Json record(const ScratchFolder& folder, const std::string& run) { return read_json(folder / run / "landscape.json"); }

const std::string kSmall = "mlp:data=gaussian-blobs,hidden=8";

}  // namespace

TEST_CASE("a slice of a formula leaves its values and its model with their largest difference and a figure") {
  const ScratchFolder folder;
  const auto r =
      run_hesse(folder, "landscape --problem rosenbrock --directions ends --points 11 --range 0.1 --output l");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 0);
  const Json json = record(folder, "l");
  CHECK(json["parameters"] == 2);
  CHECK(json["non_finite"] == 0);
  CHECK(json["directions"].size() == 2);
  CHECK(json["directions"][0]["curvature"].get<double>() > json["directions"][1]["curvature"].get<double>());
  CHECK(std::abs(json["cosine"].get<double>()) <= 1e-12);
  CHECK(json["largest_model_error"]["error"].get<double>() > 0);
  CHECK(lines(read_file(folder / "l" / "slice.csv")) == 1 + 11 * 11);
  if (std::system("gnuplot --version > /dev/null 2>&1") == 0) {
    CHECK(r.err.empty());
    CHECK(std::filesystem::exists(folder / "l" / "slice_plot.svg"));
    CHECK(std::filesystem::exists(folder / "l" / "slice_surface.svg"));
    CHECK_THAT(read_file(folder / "l" / "error_plot.svg"), Contains("error of the quadratic model"));
    const auto line =
        run_hesse(folder, "landscape --problem rosenbrock --directions gradient --dimensions 1 --points 11 --output m");
    CAPTURE(line.err);
    CHECK(line.exit_code == 0);
    CHECK_THAT(read_file(folder / "m" / "error_plot.svg"), Contains("error of the quadratic model"));
  }
}

TEST_CASE("a trained run is cut in the plane of its trajectory which holds the shares that it says") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "train --problem " + kSmall +
                              " --optimizer sgd:lr=0.1 --batch-size 50 --budget 40steps --save-every 4 --output run")
            .exit_code == 0);
  CHECK(trajectory_files(folder / "run").size() == 11);
  const auto r = run_hesse(folder, "landscape --trajectory run --points 9 --gradients --output l --json");
  CAPTURE(r.err);
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json == record(folder, "l"));
  CHECK(json["problem"] == kSmall);
  CHECK(json["at"] == "run/checkpoint.safetensors");
  CHECK(json["trajectory"]["points"] == 11);
  const auto shares = json["trajectory"]["shares"].get<std::vector<double>>();
  double sum = 0;
  for (const double share : shares) sum += share;
  CHECK(sum == Approx(1).epsilon(1e-13));
  CHECK(json["trajectory"]["share_in_slice"].get<double>() == Approx(shares[0] + shares[1]).epsilon(1e-9));
  CHECK(lines(read_file(folder / "l" / "trajectory.csv")) == 12);
  CHECK_THAT(read_file(folder / "l" / "slice.csv"), Contains("gradient_norm"));
  // Along the gradient at every point of it.
  const auto smooth = run_hesse(folder, "landscape --trajectory run --smoothness --points 5 --output s");
  CAPTURE(smooth.err);
  CHECK(smooth.exit_code == 0);
  CHECK(record(folder, "s")["points"].size() == 11);
  CHECK(lines(read_file(folder / "s" / "smoothness.csv")) == 1 + 11 * 6);
}

TEST_CASE("a run that is killed and resumed has the trajectory of the whole one") {
  const ScratchFolder folder;
  const auto train = [](const std::string& output) {
    return std::vector<std::string>{"train",    "--problem", kSmall,         "--optimizer", "adam",
                                    "--budget", "300steps",  "--save-every", "25",          "--checkpoint-seconds",
                                    "1e-4",     "--output",  output};
  };
  CHECK(hesse_signalled(folder, train("whole"), 0, 0) == 0);
  hesse_signalled(folder, train("killed"), SIGKILL, 50);
  const bool begun = std::filesystem::exists(folder / "killed" / "run.json");
  CHECK(hesse_signalled(folder, begun ? std::vector<std::string>{"resume", "killed"} : train("killed"), 0, 0) == 0);
  const auto one = trajectory_files(folder / "whole");
  const auto other = trajectory_files(folder / "killed");
  REQUIRE(one.size() == 13);
  REQUIRE(other.size() == 13);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(read_file(one[i].path) == read_file(other[i].path));
  CHECK(run_hesse(folder, "train --problem " + kSmall + " --budget 5steps --output none").exit_code == 0);
  CHECK(!std::filesystem::exists(folder / "none" / "trajectory"));
}

TEST_CASE("a reordered network has a barrier to itself that matching takes away") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "train --problem " + kSmall + " --optimizer lbfgs --budget 30steps --output run").exit_code ==
        0);
  Problem problem = problems().make(parse_spec(kSmall), {Precision::float64});
  const ParameterLayout& layout = problem.objective->layout();
  const Vector x = load_parameters(folder / "run" / "checkpoint.safetensors", layout);
  const auto* network = find<NetworkObjective>(*problem.objective);
  REQUIRE(network != nullptr);
  save_parameters(folder / "other.safetensors", layout, reordered(network->network(), x, {{3, 4, 5, 6, 7, 0, 1, 2}}));
  const auto r = run_hesse(folder, "landscape --at run --to other.safetensors --match --points 11 --output l");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 0);
  const Json json = record(folder, "l");
  CHECK(json["matching"]["distance"] == 0.0);
  REQUIRE(json["paths"].size() == 2);
  CHECK(json["paths"][0]["barrier"]["value"].get<double>() > 1e-3);
  CHECK(json["paths"][1]["barrier"]["value"].get<double>() <= 1e-15);
  CHECK(load_parameters(folder / "l" / "matched.safetensors", layout) == x);
  CHECK_THAT(read_file(folder / "l" / "path.csv"), Contains("test_accuracy") && Contains("\"segment, matched\""));
}

TEST_CASE("a curve between two points is trained and lies below the segment") {
  const ScratchFolder folder;
  const std::string problem = "--problem mlp:data=gaussian-blobs,hidden=4 ";
  for (const int seed : {1, 2}) {
    CHECK(run_hesse(folder, fmt::format("train {} --optimizer lbfgs --budget 20steps --seed {} --output run{}", problem,
                                        seed, seed))
              .exit_code == 0);
  }
  for (const char* kind : {"bezier", "polygon"}) {
    const auto r = run_hesse(
        folder, fmt::format("landscape --at run1 --to run2 --connect {0} --nodes 4 --budget 30steps --points 11 "
                            "--output {0} --json",
                            kind));
    CAPTURE(kind, r.err);
    CHECK(r.exit_code == 0);
    const Json json = parse_json(r.out, "stdout");
    REQUIRE(json["paths"].size() == 2);
    CHECK(json["paths"][1]["name"] == kind);
    CHECK(json["paths"][1]["highest"]["value"].get<double>() < json["paths"][0]["highest"]["value"].get<double>());
    CHECK(json["paths"][1]["length"].get<double>() > json["paths"][0]["length"].get<double>());
    CHECK(std::filesystem::exists(folder / kind / "bend.safetensors"));
  }
}

TEST_CASE("a point and itself are not connected which is said in one line") {
  const ScratchFolder folder;
  const std::string problem = "--problem mlp:data=gaussian-blobs,hidden=4 ";
  CHECK(run_hesse(folder, "train " + problem + "--optimizer lbfgs --budget 5steps --output run").exit_code == 0);
  const auto r = run_hesse(folder, "landscape --at run --to run --connect bezier --points 5 --output l");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 0);
  CHECK_THAT(r.out, Contains("nothing to connect") && Contains("(rounding)") && !Contains("times as long"));
  CHECK(record(folder, "l")["paths"].size() == 1);
}

TEST_CASE("the barrier to a point that is not finite is not called rounding") {
  const ScratchFolder folder;
  const std::vector<double> x = {std::numeric_limits<double>::infinity(), 1};
  const TensorToWrite tensors[] = {TensorToWrite::of("x", {2}, x)};
  write_safetensors(folder / "x.safetensors", tensors);
  const auto r = run_hesse(folder, "landscape --problem rosenbrock --to x.safetensors --points 5 --output l");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 3);
  CHECK_THAT(r.out, Contains("(not finite)") && !Contains("(rounding)"));
}

TEST_CASE("landscape refuses options that do not go together before any work") {
  const ScratchFolder folder;
  for (const auto& [options, part] :
       {std::pair{"--problem rosenbrock --match", "--to"},
        {"--problem rosenbrock --connect bezier", "--to"},
        {"--problem rosenbrock --directions pca", "--trajectory"},
        {"--problem rosenbrock --directions random --directions gradient --dimensions 1", "dimensions"},
        {"--problem rosenbrock --to x --smoothness", "--to"},
        {"--problem rosenbrock --smoothness --directions random", "--smoothness"},
        {"--problem rosenbrock --nodes 3", "even"},
        {"--problem rosenbrock --budget soon", "budget"},
        {"--problem rosenbrock --trajectory .", "--save-every"},
        {"--problem rosenbrock --directions nowhere.safetensors --dimensions 1", "nowhere.safetensors"},
        {"--problem rosenbrock", "filters"},
        {"--problem double-well --directions random", "one variable"},
        {"--dimensions 1", "problem"}}) {
    const auto r = run_hesse(folder, std::string("landscape ") + options + " --output l");
    CAPTURE(options, r.err);
    CHECK(r.exit_code == 2);
    CHECK(lines(r.err) == 1);
    CHECK_THAT(r.err, Contains(part));
  }
}
