#include "apps/program.h"

#include "hesse/problems/problem.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/json.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/trajectory.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

namespace {

const std::string kProblem = "mlp:data=gaussian-blobs,hidden=4";

/// The parameters `x` under other names.
void write_renamed(const std::filesystem::path& path, const ParameterLayout& layout, const Vector& x,
                   const std::vector<std::string>& names) {
  std::vector<TensorToWrite> tensors;
  for (std::size_t b = 0; b < names.size(); ++b) {
    const ParameterBlock& block = layout.blocks()[b];
    tensors.push_back(TensorToWrite::of(
        names[b], block.shape, std::span<const double>(x.data() + block.offset, static_cast<std::size_t>(block.size))));
  }
  write_safetensors(path, tensors);
}

}  // namespace

TEST_CASE("a network under PyTorch's names is analysed as the same one under its own") {
  const ScratchFolder folder;
  const Problem problem = problems().make(parse_spec(kProblem), {Precision::float64});
  const ParameterLayout& layout = problem.objective->layout();
  const Vector x = problem.start(7);
  save_parameters(folder / "own.safetensors", layout, x);
  write_renamed(folder / "torch.safetensors", layout, x,
                {"net.0.weight", "net.0.bias", "net.10.weight", "net.10.bias"});
  const auto json_of = [&](const std::string& command, const std::string& point) {
    const auto r = run_hesse(folder, fmt::format("{} --problem {} {} --json", command, kProblem, point));
    CAPTURE(command, point, r.err);
    CHECK(r.exit_code <= 1);  // a start is no critical point
    const bool renamed = point.find("--weights") != std::string::npos || point.find("torch") != std::string::npos;
    if (renamed) {
      CHECK_THAT(r.err, Contains("net.10.weight is layer2.weight"));
    } else {
      CHECK(r.err.empty());
    }
    return parse_json(r.out, "stdout");
  };
  const std::string own = "--at own.safetensors", torch = "--weights torch.safetensors";
  CHECK(json_of("spectrum", own)["largest"] == json_of("spectrum", torch)["largest"]);
  CHECK(json_of("spectrum", torch)["at"] == "torch.safetensors");
  CHECK(json_of("classify --search none", own)["point"] == json_of("classify --search none", torch)["point"]);
  const std::string sharpness = "sharpness --measures trace ";
  CHECK(json_of(sharpness, own)["point"] == json_of(sharpness, torch)["point"]);
  CHECK(json_of(sharpness, own + " --against torch.safetensors")["against"]["value"] ==
        json_of(sharpness, own)["point"]["value"]);
  const std::string slice = "landscape --directions random --points 3 --output ";
  CHECK(json_of(slice + "a", own)["value"] == json_of(slice + "b", torch)["value"]);
  CHECK(json_of("landscape --points 3 --output c", own + " --to torch.safetensors")["paths"][0]["length"] == 0.0);
}

TEST_CASE("weights that no network is given for or that do not fit it end in one line and exit code 2") {
  const ScratchFolder folder;
  const Problem problem = problems().make(parse_spec(kProblem), {Precision::float64});
  write_renamed(folder / "w.safetensors", problem.objective->layout(), problem.start(1),
                {"0.weight", "0.bias", "2.weight", "2.bias"});
  std::filesystem::create_directories(folder / "empty");
  for (const std::string command : {"spectrum", "classify", "sharpness", "landscape"}) {
    for (const auto& [arguments, part] :
         {std::pair<std::string, const char*>{"--weights w.safetensors", "name it by --problem"},
          {"--weights w.safetensors --at run --problem " + kProblem, "not both"},
          {"--weights w.safetensors --problem mlp:data=gaussian-blobs,hidden=5", "'layer1.weight' [5, "},
          {"--weights nowhere --problem " + kProblem, "nowhere"},
          {"--weights empty --problem " + kProblem, "no checkpoint and no NPY file"}}) {
      const auto r = run_hesse(folder, command + " " + arguments);
      CAPTURE(command, arguments, r.err);
      CHECK(r.exit_code == 2);
      CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
      CHECK_THAT(r.err, Contains(part));
    }
  }
}
