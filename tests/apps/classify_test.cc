#include "apps/program.h"

#include "hesse/core/error.h"
#include "hesse/report/json.h"
#include "hesse/report/safetensors.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

using namespace hesse;
using namespace hesse::test;
using Catch::Matchers::Contains;

TEST_CASE("classify finds the critical point near the start and prints its certificate") {
  const ScratchFolder folder;
  // From its start Himmelblau's function leads to its one maximum, of index 2.
  const auto r = run_hesse(folder, "classify --problem himmelblau --json --output found");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["point"]["kind"] == "maximum");
  CHECK(json["point"]["index"] == 2);
  CHECK(json["point"]["certified"] == true);
  CHECK(json["point"]["resolved_share"] == 1.0);
  CHECK(json["search"]["status"] == "arrived");
  CHECK(json["point"]["zero_tolerance"]["total"].get<double>() < 1e-10);
  CHECK(parse_json(read_file(folder / "found" / "classification.json"), "file") == json);
  // The point is written as it was found: classified again it is the same, and the ways out of it are two.
  const auto again =
      run_hesse(folder, "classify --problem himmelblau --search none --at found/point.safetensors --json");
  REQUIRE(again.exit_code == 0);
  CHECK(parse_json(again.out, "stdout")["point"] == json["point"]);
  CHECK(std::filesystem::exists(folder / "found" / "escape-1.safetensors"));
  CHECK(SafetensorsFile(folder / "found" / "escape-2.safetensors").tensors().size() == 1);
  CHECK(!std::filesystem::exists(folder / "found" / "escape-3.safetensors"));

  const auto text = run_hesse(folder, "classify --problem himmelblau");
  CHECK(text.exit_code == 0);
  CHECK_THAT(text.out, Contains("a maximum") && Contains("counts as zero up to") && Contains("certified"));
}

TEST_CASE("classify seeks a saddle of the index that is asked for") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "classify --problem styblinski-tang --search follow --index 1 --json");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  CHECK(parse_json(r.out, "stdout")["point"]["index"] == 1);
}

TEST_CASE("from several starts classify tells where each led and how many came to each kind") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder,
                           "classify --problem mlp:data=gaussian-blobs:samples=30,hidden=2 --starts 5 --seed 3 "
                           "--json --output all");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  Index total = 0;
  const Json json = parse_json(r.out, "stdout");
  for (const auto& [kind, count] : json["kinds"].items()) total += count.get<Index>();
  CHECK(total == 5);
  const std::string rows = read_file(folder / "all" / "critical_points.csv");
  CHECK(std::count(rows.begin(), rows.end(), '\n') == 6);
  CHECK(run_hesse(folder, "classify --problem himmelblau --starts 2 --at all").exit_code == 2);
}

TEST_CASE("classify says what is not critical with exit code 1 and what is not finite with exit code 3") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "classify --problem rosenbrock --search none");
  CHECK(r.exit_code == 1);
  CHECK_THAT(r.out, Contains("not stationary"));
  const double far[] = {1e200, 0};
  write_safetensors(folder / "far.safetensors", std::vector{TensorToWrite::of("x", {2}, std::span<const double>(far))});
  const auto beyond = run_hesse(folder, "classify --problem rosenbrock --at far.safetensors");
  CAPTURE(beyond.out, beyond.err);
  CHECK(beyond.exit_code == 3);
  CHECK_THAT(beyond.out, Contains("the value is inf"));
}

TEST_CASE("an analysis of a run falls back on the checkpoint before a damaged one with one warning") {
  const ScratchFolder folder;
  // Interrupted nowhere: two checkpoints are left by two budgets, the second by resuming.
  REQUIRE(
      run_hesse(folder, "train --problem rosenbrock --optimizer gd:lr=1e-4 --budget 5steps --output run").exit_code ==
      0);
  std::filesystem::copy_file(folder / "run" / "checkpoint.safetensors",
                             folder / "run" / "checkpoint.previous.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  const auto whole = run_hesse(folder, "spectrum --at run --json");
  REQUIRE(whole.exit_code == 0);
  CHECK(whole.err.empty());
  std::string bytes = read_file(folder / "run" / "checkpoint.safetensors");
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  write_file(folder / "run" / "checkpoint.safetensors", bytes);
  const auto r = run_hesse(folder, "spectrum --at run --json");
  CAPTURE(r.out, r.err);
  REQUIRE(r.exit_code == 0);
  CHECK_THAT(r.err, Contains("warning") && Contains("the checkpoint before it is used"));
  Json first = parse_json(whole.out, "stdout");
  Json second = parse_json(r.out, "stdout");
  CHECK_THAT(second["at"].get<std::string>(), Contains("checkpoint.previous.safetensors"));
  CHECK(first["largest"] == second["largest"]);
}
