#include "apps/program.h"

#include "hesse/report/json.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
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

void check_memory(const ScratchFolder& folder, const std::string& command) {
  const auto r = run_hesse(folder, command);
  CAPTURE(command, r.err);
  REQUIRE(r.exit_code <= 1);
  const Json memory = parse_json(r.out, "stdout")["memory"];
  const double peak = memory["peak"].get<double>();
  CAPTURE(peak / 1048576, memory["stated"].get<double>() / 1048576);
  CHECK(std::abs(memory["stated"].get<double>() / peak - 1) <= 0.2);
  CHECK_FALSE(memory["at_most"].get<bool>());
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

TEST_CASE("the class and cross-class parts add up to the Gauss-Newton matrix and to each eigenvalue") {
  const ScratchFolder folder;
  const double trace = spectrum(folder, "--curvature gauss-newton --trace")["trace"]["value"].get<double>();
  for (const std::string matrix : {"hessian", "gauss-newton"}) {
    CAPTURE(matrix);
    const Json json = spectrum(folder, "--top 6 --classes --curvature " + matrix + " --output " + matrix)["classes"];
    const Json& cross = json["cross_class"];
    CHECK(cross["converged"] == true);
    const Json& parts = cross["parts"];
    double sum = 0;
    for (const char* part : {"classes", "cross", "own", "within"}) sum += parts[part]["trace"]["value"].get<double>();
    // 46 products form all of it.
    CHECK(sum == Approx(trace).epsilon(1e-12));
    CHECK(cross["trace"]["value"].get<double>() == Approx(trace).epsilon(1e-12));
    CHECK(parts["classes"]["rank"] == 4);
    CHECK(parts["cross"]["rank"] == 4 * 2);
    REQUIRE(cross["eigenvectors"].size() == 6);
    for (const Json& v : cross["eigenvectors"]) {
      double share = 0;
      for (const char* part : {"classes", "cross", "own", "within", "not_gauss_newton"}) share += v[part].get<double>();
      // v'Av is the eigenvalue up to the square of the residual, and rounding.
      CHECK(share == Approx(v["eigenvalue"].get<double>()).epsilon(1e-9));
      if (matrix == "gauss-newton") CHECK(v["not_gauss_newton"].get<double>() == 0);
    }
    const int outliers = cross["outliers"].get<int>();
    for (const char* part : {"classes", "cross", "own"}) CHECK(parts[part]["outliers_without"].get<int>() <= outliers);
    // No more than the span has dimensions.
    CHECK(cross["off_class_span"]["outliers"].get<int>() <= 4);
    CHECK(cross["off_cross_span"]["edge"].get<double>() <= cross["off_class_span"]["edge"].get<double>() + 1e-5);
    CHECK_THAT(read_file(folder / matrix / "class_parts.csv"), Contains("within"));
    CHECK_THAT(read_file(folder / matrix / "class_shares.csv"), Contains("not Gauss-Newton"));
    CHECK_THAT(read_file(folder / matrix / "report.html"), Contains("where the eigenvalues come from"));
  }
}

TEST_CASE("the class and cross-class parts have the same bits for any number of threads") {
  const ScratchFolder folder;
  const std::string options = "--top 6 --classes --precision float --threads ";
  CHECK(spectrum(folder, options + "1")["classes"] == spectrum(folder, options + "3")["classes"]);
}

TEST_CASE("another loss has class means and no cross-class structure and another problem neither") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "spectrum --problem mlp:data=gaussian-blobs:samples=60,hidden=4,loss=squared-error --top 3 "
                           "--classes --json");
  CAPTURE(r.out);
  CHECK(r.exit_code == 0);
  CHECK_THAT(r.err, Contains("no cross-class structure") && Contains("the loss is squared-error"));
  const Json classes = parse_json(r.out, "stdout")["classes"];
  CHECK(classes["eigenvalues"].size() == 3);
  CHECK(!classes.contains("cross_class"));
  CHECK_THAT(classes["cross_class_left_out"].get<std::string>(), Contains("squared-error"));
  const auto none = run_hesse(folder, "spectrum --problem rosenbrock --classes --output out");
  CHECK(none.exit_code == 2);
  CHECK_THAT(none.err, Contains("no network with one class label"));
  CHECK(!std::filesystem::exists(folder / "out"));
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

TEST_CASE("a matrix that is positive definite has a condition number and another has none") {
  const ScratchFolder folder;
  const std::string problem = "spectrum --problem quadratic:n=300,condition=1000,spacing=linear --json ";
  const auto r = run_hesse(folder, problem + "--tolerance 1e-9 --top 2 --bottom 2");
  REQUIRE(r.exit_code == 0);
  const Json condition = parse_json(r.out, "stdout")["condition_number"];
  // The interval holds the exact number: 1e-9 of the norm, 1, is 1e-6 of the least eigenvalue.
  CHECK(condition["lower"].get<double>() <= 1000);
  CHECK(condition["upper"].get<double>() >= 1000);
  CHECK(condition["value"].get<double>() == Approx(1000).epsilon(2e-6));
  CHECK(!spectrum(folder, "--top 1 --bottom 1").contains("condition_number"));
  CHECK(!parse_json(run_hesse(folder, problem + "--top 2 --bottom 0").out, "stdout").contains("condition_number"));
}

TEST_CASE("the diagonal adds up to the trace and its file names every parameter") {
  const ScratchFolder folder;
  const Json json = spectrum(folder, "--top 1 --bottom 0 --diagonal --trace --output found");
  CHECK(json["diagonal"]["exact"] == true);
  CHECK(json["diagonal"]["error_norm"] == 0);
  const std::string rows = read_file(folder / "found" / "diagonal.csv");
  CHECK_THAT(rows, Contains("parameter,value,standard_error\n"));
  double sum = 0;
  std::size_t lines = 0;
  for (std::size_t at = rows.find('\n') + 1; at < rows.size(); at = rows.find('\n', at) + 1) {
    const std::string line = rows.substr(at, rows.find('\n', at) - at);
    const std::size_t last = line.rfind(',');
    sum += std::stod(line.substr(line.rfind(',', last - 1) + 1));
    ++lines;
  }
  CHECK(lines == 46);
  CHECK(sum == Approx(json["trace"]["value"].get<double>()).epsilon(1e-12));
  // With fewer products than parameters it is an estimate, with its error.
  const Json estimated = spectrum(folder, "--top 1 --bottom 0 --diagonal --products 20 --error 1e-6");
  CHECK(estimated["diagonal"]["exact"] == false);
  CHECK(estimated["diagonal"]["error_norm"].get<double>() > 0);
  CHECK(estimated["diagonal"]["products"] == 20);
}

TEST_CASE("both densities integrate to one") {
  const ScratchFolder folder;
  for (const char* method : {"lanczos", "kernel-polynomial", "kernel-polynomial --all"}) {
    spectrum(folder, fmt::format("--density --density-method {0} --output '{0}'", method));
    const std::string rows = read_file(folder / method / "density.csv");
    double before = std::nan("");
    double last = 0;
    double integral = 0;
    for (std::size_t at = rows.find('\n') + 1; at < rows.size(); at = rows.find('\n', at) + 1) {
      const std::string line = rows.substr(at, rows.find('\n', at) - at);
      const std::size_t comma = line.find(',');
      const double lambda = std::stod(line);
      const double density = std::stod(line.substr(comma + 1));
      if (before == before) integral += 0.5 * (density + last) * (lambda - before);
      before = lambda;
      last = density;
    }
    CAPTURE(method);
    // The trapezoidal rule on 400 points, of bumps a hundredth of the range wide or more.
    CHECK(integral == Approx(1).epsilon(0.02));
  }
  const auto r = run_hesse(folder, "spectrum " + kProblem + "--top 0 --density --density-method kernel-polynomial");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("both ends"));
}

TEST_CASE("an eigenspace overlaps fully with itself and less with another point's") {
  const ScratchFolder folder;
  spectrum(folder, "--seed 1 --top 3 --bottom 0");
  REQUIRE(run_hesse(folder, "train " + kProblem + "--optimizer gd --budget 3steps --output run --quiet").exit_code ==
          0);
  const Json same =
      parse_json(run_hesse(folder, "spectrum --at run --against run --top 3 --bottom 0 --json").out, "stdout");
  CHECK(same["against"]["overlap"].get<double>() == Approx(1).epsilon(1e-9));
  const Json other = spectrum(folder, "--seed 2 --top 3 --bottom 0 --against run");
  CHECK(other["against"]["overlap"].get<double>() < 1);
  CHECK(other["against"]["overlap"].get<double>() >= 0);
  const auto r = run_hesse(folder, "spectrum " + kProblem + "--top 0 --against run");
  CHECK(r.exit_code == 2);
  CHECK_THAT(r.err, Contains("--against"));
}

TEST_CASE("what is told of memory in advance is within a fifth of the peak") {
  const ScratchFolder folder;
  const std::string problem =
      "spectrum --problem mlp:data=gaussian-blobs:samples=2500:features=200,hidden=300-150,activation=tanh --json ";
  for (const char* what : {"--top 5 --bottom 0 --tolerance 0.1 --precision float",
                           "--top 0 --bottom 0 --trace --products 60 --precision float",
                           "--top 0 --bottom 0 --diagonal --products 40 --precision double",
                           "--top 5 --bottom 0 --tolerance 0.1 --curvature kfac --precision float",
                           "--top 5 --bottom 0 --tolerance 0.1 --curvature ekfac --precision double",
                           "--block layer3 --all --precision float",
                           "--top 2 --bottom 0 --tolerance 0.1 --classes --products 10 --precision float",
                           "--top 0 --bottom 0 --density --probes 2 --steps 50 --precision double"}) {
    check_memory(folder, problem + what);
  }
  // What a single search may take, it need not.
  const auto r = run_hesse(folder, problem + "--top 5 --bottom 0 --tolerance 0.1 --precision float --single-search");
  REQUIRE(r.exit_code == 0);
  const Json memory = parse_json(r.out, "stdout")["memory"];
  CHECK(memory["at_most"].get<bool>());
  CHECK(memory["peak"].get<double>() <= 1.2 * memory["stated"].get<double>());
}

TEST_CASE("memory is told of objectives that are no networks too") {
  const ScratchFolder folder;
  for (const char* what :
       {"--problem rosenbrock:n=300000 --top 20 --bottom 0 --tolerance 0.5", "--problem quadratic:n=2500 --all"}) {
    check_memory(folder, std::string("spectrum --json ") + what);
  }
  // 20 cameras that all see the same 5000 points: a Jacobian of 19 MB, and half of that or all in an operator.
  std::string file = "20 5000 100000\n";
  for (int point = 0; point < 5000; ++point) {
    for (int camera = 0; camera < 20; ++camera) file += fmt::format("{} {} {} {}\n", camera, point, point % 70, camera);
  }
  for (int camera = 0; camera < 20; ++camera) file += fmt::format("0\n0.1\n0\n{}\n0\n0\n500\n0\n0\n", 0.01 * camera);
  for (int point = 0; point < 5000; ++point) file += fmt::format("{}\n{}\n-5\n", point % 71 * 0.01, point % 97 * 0.01);
  write_file(folder / "cameras.txt", file);
  for (const char* curvature : {"hessian", "gauss-newton"}) {
    check_memory(folder, fmt::format("spectrum --json --problem bundle-adjustment:file={} --curvature {} --top 2 "
                                     "--bottom 0 --tolerance 0.5",
                                     (folder / "cameras.txt").string(), curvature));
  }
}
