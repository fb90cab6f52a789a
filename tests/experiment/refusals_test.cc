#include "core/refusal.h"
#include "report/scratch.h"

#include "hesse/experiment/compare.h"
#include "hesse/experiment/find_lr.h"
#include "hesse/experiment/run.h"
#include "hesse/experiment/sweep.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"

#include <catch2/catch.hpp>

#include <functional>
#include <limits>

using namespace hesse;
using Catch::Contains;

namespace {

RunSettings sound_run() {
  RunSettings settings;
  settings.problem = "rosenbrock";
  settings.method = "lbfgs";
  settings.budget = "5steps";
  return settings;
}

}  // namespace

TEST_CASE("a run refuses settings outside of their ranges") {
  Problem problem = problems().make(parse_spec("rosenbrock"), {});
  const auto said = [&](const std::function<void(RunSettings&)>& change) {
    RunSettings settings = sound_run();
    change(settings);
    return refusal([&] { check_run(settings, problem); });
  };
  REQUIRE(said([](RunSettings&) {}) == "(nothing was refused)");
  CHECK_THAT(said([](RunSettings& s) { s.batch_size = -1; }), Contains("batch_size: -1 is out of range"));
  CHECK_THAT(said([](RunSettings& s) { s.gradient_tolerance = -1; }),
             Contains("gradient_tolerance: -1 is out of range"));
  CHECK_THAT(said([](RunSettings& s) { s.target = std::numeric_limits<double>::quiet_NaN(); }),
             Contains("NaN is no target"));
  CHECK_THAT(said([](RunSettings& s) { s.checkpoint_seconds = -1; }),
             Contains("checkpoint_seconds: -1 is out of range"));
  CHECK_THAT(said([](RunSettings& s) { s.trace_rows = 0; }), Contains("trace_rows: 0 is out of range"));
  CHECK_THAT(said([](RunSettings& s) { s.save_every = -1; }), Contains("save_every: -1 is out of range"));
  CHECK_THAT(said([](RunSettings& s) { s.curvature_top = 0; }), Contains("curvature_top: 0 are out of range"));
}

TEST_CASE("a comparison refuses to have no method and one method twice") {
  Problem problem = problems().make(parse_spec("rosenbrock"), {});
  ComparisonSettings settings;
  settings.run = sound_run();
  CHECK_THAT(refusal([&] { check_comparison(settings, problem); }), Contains("no optimizer is given"));
  settings.methods = {"lbfgs", "bfgs"};
  REQUIRE(refusal([&] { check_comparison(settings, problem); }) == "(nothing was refused)");
  settings.repetitions = 0;
  CHECK_THAT(refusal([&] { check_comparison(settings, problem); }), Contains("0 repetitions are not possible"));
  settings.repetitions = 1;
  settings.trials = -1;
  CHECK_THAT(refusal([&] { check_comparison(settings, problem); }), Contains("-1 trials are not possible"));
  settings.trials = 0;
  settings.methods = {"lbfgs", "lbfgs"};
  CHECK_THAT(refusal([&] { check_comparison(settings, problem); }), Contains("'lbfgs' is given twice"));
}

TEST_CASE("a sweep refuses to be of nothing") {
  const test::ScratchFolder folder;
  SweepSettings settings;
  settings.run = sound_run();
  const auto said = [&] { return refusal([&] { plan_sweep(settings, folder.path()); }); };
  CHECK_THAT(said(), Contains("no problem is given"));
  settings.problems = {"rosenbrock"};
  CHECK_THAT(said(), Contains("no optimizer is given"));
  settings.methods = {"lbfgs"};
  settings.repetitions = 0;
  CHECK_THAT(said(), Contains("0 repetitions are not possible"));
  settings.repetitions = 1;
  settings.samples = -1;
  CHECK_THAT(said(), Contains("-1 samples are not possible"));
  settings.samples = 0;
  REQUIRE(said() == "(nothing was refused)");
  SweepExecution execution;
  execution.workers = 0;
  CHECK_THAT(refusal([&] { run_sweep(plan_sweep(settings, folder.path()), folder.path(), execution); }),
             Contains("0 workers are not possible"));
}

TEST_CASE("the range test of learning rates refuses too few steps and bounds that it never meets") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  const auto optimizer = make_optimizer("sgd", {f, 0});
  const auto said = [&](const FindLrOptions& options) {
    return refusal([&] { find_lr(*optimizer, f, Vector::Ones(2), options); });
  };
  CHECK_THAT(said({.steps = 9}), Contains("9 steps are too few"));
  CHECK_THAT(said({.smoothing = 1}), Contains("smoothing 1 is not in [0, 1)"));
  CHECK_THAT(said({.stop = 1}), Contains("stop 1 is not above 1"));
}
