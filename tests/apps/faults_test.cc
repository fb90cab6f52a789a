#include "apps/program.h"

#include "hesse/core/blas_kernels.h"
#include "hesse/problems/problem.h"
#include "hesse/report/checkpoint.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

using namespace hesse;
using Catch::Matchers::Contains;
using test::Printed;
using test::run_hesse;
using test::ScratchFolder;

#ifdef HESSE_FAIL_NTH

namespace {

constexpr const char* kTrain =
    "train --problem mlp:data=gaussian-blobs,hidden=8 --optimizer kfac --budget 10steps --threads 2 --quiet "
    "--checkpoint-seconds 0.001 --output run";

/// A run of which the n-th call of a kind fails. The kernels that the program would choose are named, so that it does
/// not start again, without what fails.
Printed run_with_failure(const ScratchFolder& folder, const std::string& kind, long n) {
  const char* const kernels = better_blas_kernels();
  return run_hesse(
      folder, kTrain,
      fmt::format("export {}OPENBLAS_NUM_THREADS=1 HESSE_FAIL={}:{} LD_PRELOAD='{}'",
                  kernels != nullptr ? fmt::format("OPENBLAS_CORETYPE={} ", kernels) : "", kind, n, HESSE_FAIL_NTH));
}

/// Every file that is there is whole: the record and the checkpoint are read, and the run can be gone on with or is
/// refused in one line.
void check_folder(const ScratchFolder& folder) {
  if (!std::filesystem::exists(folder / "run" / "run.json")) return;
  const Printed resumed = run_hesse(folder, "resume run --quiet");
  CAPTURE(resumed.out, resumed.err);
  CHECK((resumed.exit_code == 0 || resumed.exit_code == 3));
  CHECK_THAT(resumed.err, !Contains("damaged") && !Contains("unexpected"));
}

}  // namespace

TEST_CASE("a write or flush or renaming that fails is named and the run goes on once it works again") {
  const std::string kind = GENERATE("write", "fsync", "rename");
  const ScratchFolder whole;
  REQUIRE(run_hesse(whole, kTrain).exit_code == 0);
  const Problem problem = problems().make(parse_spec("mlp:data=gaussian-blobs,hidden=8"), {});
  const auto end_in = [&](const ScratchFolder& folder) {
    return load_parameters(folder / "run" / kCheckpointFile, problem.objective->layout());
  };
  int failed = 0;
  for (long i = 0; i < 12; ++i) {
    // Dense at the start, then further and further apart.
    const long n = 1 + i * (i + 5) / 6;
    const ScratchFolder folder;
    const Printed r = run_with_failure(folder, kind, n);
    CAPTURE(kind, n, r.exit_code, r.err);
    CHECK((r.exit_code == 0 || r.exit_code == 1));
    if (r.exit_code == 1) {
      ++failed;
      CHECK_THAT(r.err, Contains("Input/output error"));
      CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    }
    check_folder(folder);
    // To the same bits.
    if (std::filesystem::exists(folder / "run" / "run.json")) {
      CHECK(end_in(folder) == end_in(whole));
    }
  }
  // Else nothing was planted.
  CHECK(failed >= 5);
}

TEST_CASE("an allocation that fails at any time ends the program in one line with whole files or none") {
  int failed = 0;
  for (long i = 0; i < 48; ++i) {
    const long n = 1 + i * (i + 3) * 5;
    const ScratchFolder folder;
    const Printed r = run_with_failure(folder, "malloc", n);
    CAPTURE(n, r.exit_code, r.err, r.out);
    // 3: the method had no memory, and the record says so.
    CHECK((r.exit_code == 0 || r.exit_code == 1 || r.exit_code == 3));
    if (r.exit_code == 1) {
      ++failed;
      CHECK_THAT(r.err, Contains("out of memory"));
      CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    }
    if (r.exit_code == 3) {
      CHECK_THAT(read_file(folder / "run" / "run.json"), Contains("out of memory"));
      continue;
    }
    check_folder(folder);
  }
  CHECK(failed >= 10);
}

#endif
