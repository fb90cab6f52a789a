#include "hesse/experiment/budget.h"
#include "hesse/experiment/run.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/curvature_trace.h"
#include "hesse/report/preconditioner_trace.h"
#include "hesse/report/trajectory.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

using namespace hesse;
using test::ScratchFolder;

namespace {

/// x^2, which throws at its third gradient.
class Throwing final : public Objective {
 public:
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return x.squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    if (++calls_ == 3) throw std::runtime_error("the third gradient is out of order");
    g = 2 * x;
    return x.squaredNorm();
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { return nullptr; }

 private:
  ParameterLayout layout_{2};
  int calls_ = 0;
};

/// Begins a run or goes on with it, until it is interrupted after so many steps.
RunStatus run_for(int most, const RunSettings& settings, const std::filesystem::path& folder) {
  Problem problem = problems().make(parse_spec(settings.problem), {settings.precision});
  int steps = 0;
  RunHooks hooks;
  hooks.interrupted = [&] { return ++steps >= most; };
  return run(settings, problem, folder, hooks).status;
}

/// Runs whole, and interrupted after each of `stops` steps and gone on with; the files are the same to the last bit.
void check_interrupted_curvature(const RunSettings& settings, const ScratchFolder& folder,
                                 std::initializer_list<int> stops, std::initializer_list<const char*> files) {
  const auto make = [&] { return problems().make(parse_spec(settings.problem), {settings.precision}); };
  Problem whole = make();
  CHECK(run(settings, whole, folder / "whole").status == RunStatus::finished);
  for (const int stop : stops) {
    const auto name = folder / fmt::format("stopped-{}", stop);
    CHECK(run_for(stop, settings, name) == RunStatus::interrupted);
    CHECK(read_trace(name / kCurvatureFile).column("step").back() == stop);
    Problem again = make();
    CHECK(run(settings, again, name).status == RunStatus::finished);
    for (const char* file : files) CHECK(read_file(name / file) == read_file(folder / "whole" / file));
  }
}

}  // namespace

TEST_CASE("budgets are numbers with units, several joined by commas") {
  Stopping stopping;
  apply_budget("10epochs,1.5e3gradients,20steps,2.5s", stopping);
  CHECK(stopping.max_epochs == 10);
  CHECK(stopping.max_gradient_equivalents == 1500);
  CHECK(stopping.max_steps == 20);
  CHECK(stopping.max_seconds == 2.5);
  apply_budget("30seconds,1epoch", stopping);
  CHECK(stopping.max_seconds == 2.5);
  CHECK(stopping.max_epochs == 1);
  for (const char* bad :
       {"", "10", "epochs", "0steps", "-1s", "nans", "1e999s", "5parsecs", "10epochs,", "1e30steps", "0.5steps"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(apply_budget(bad, stopping), Error);
  }
}

TEST_CASE("batches that cannot grow are refused before any work") {
  Problem problem = problems().make(parse_spec("mlp:data=gaussian-blobs"), {});
  RunSettings settings;
  settings.problem = "mlp:data=gaussian-blobs";
  for (const char* method :
       {"lbfgs:full_batch_at=5", "adam:full_batch_at=9,batch=0", "adam:full_batch_at=9,batch=1000000"}) {
    settings.method = method;
    CHECK_THROWS_WITH(check_run(settings, problem), Catch::Contains("nothing to grow from"));
  }
  settings.method = "adam:full_batch_at=9,batch=16";
  CHECK_NOTHROW(check_run(settings, problem));
}

TEST_CASE("a method's batch belongs to the run, the rest to the optimizer") {
  const Method method = parse_method("adam:lr=1e-3,batch=64,beta1=0.8");
  CHECK(method.batch == 64);
  CHECK(method.optimizer.text() == "adam:lr=1e-3,beta1=0.8");
  CHECK(method.text == "adam:lr=1e-3,batch=64,beta1=0.8");
  CHECK(parse_method("lbfgs").batch == -1);
  CHECK_THROWS_AS(parse_method("adam:batch=-1"), Error);
  CHECK_THROWS_AS(parse_method("adam:batch=many"), Error);
  CHECK(parse_method("kfac:full_batch_at=500,batch=1000").full_batch_at == 500);
  CHECK(parse_method("kfac:full_batch_at=500").optimizer.text() == "kfac");
  CHECK_THROWS_WITH(parse_method("kfac:full_batch_at=1"), Catch::Contains("give a step >= 2"));
}

TEST_CASE("an objective that throws ends its run as failed, recorded and not repeated") {
  const ScratchFolder folder;
  Problem problem;
  problem.objective = std::make_unique<Throwing>();
  problem.value = [](const Vector& x) { return x.squaredNorm(); };
  problem.start = [](std::uint64_t) { return Vector::Ones(2); };
  RunSettings settings;
  settings.problem = "rosenbrock";
  settings.method = "sgd:lr=0.1";
  settings.budget = "10steps";
  const RunOutcome outcome = run(settings, problem, folder / "run");
  CHECK(outcome.status == RunStatus::failed);
  CHECK(outcome.verdict.message == "the third gradient is out of order");
  const RunOutcome again = run(settings, problem, folder / "run");
  CHECK(again.status == RunStatus::failed);
  CHECK(again.verdict.termination == "failed");
}

TEST_CASE("looking at the curvature along training leaves every bit of the run as it is") {
  const ScratchFolder folder;
  RunSettings settings;
  settings.problem = "mlp:data=gaussian-blobs,hidden=5";
  settings.method = "adam+cosine";
  settings.batch_size = 64;
  settings.budget = "40steps";
  settings.seed = 3;
  const auto parameters_after = [&](const char* name) {
    Problem problem = problems().make(parse_spec(settings.problem), {settings.precision});
    run(settings, problem, folder / name);
    return load_parameters(folder / name / kCheckpointFile, problem.objective->layout());
  };
  const Vector without = parameters_after("without");
  settings.curvature_every = 10;
  settings.curvature_top = 2;
  const Vector with = parameters_after("with");
  CHECK(with == without);
  const Trace trace = read_trace(folder / "with" / kCurvatureFile);
  CHECK(trace.column("step") == std::vector<double>{0, 10, 20, 30, 40});
  for (const double converged : trace.column("converged")) CHECK(converged == 1);
  // Adam has a diagonal of its own from the first step on.
  CHECK(std::isnan(trace.column("preconditioned")[0]));
  CHECK(std::isfinite(trace.column("preconditioned")[1]));
}

TEST_CASE("curvature along a run that was interrupted is that of one that was not to the last bit") {
  const ScratchFolder folder;
  RunSettings settings;
  settings.problem = "mlp:data=gaussian-blobs,hidden=5";
  settings.method = "adam";
  settings.batch_size = 64;
  settings.budget = "40steps";
  settings.curvature_every = 6;
  settings.curvature_measures = "top,bottom,preconditioned,trace,density,fisher-rao";
  // Between two rows, on a row, and a step beyond one.
  check_interrupted_curvature(settings, folder, {9, 12, 13}, {kCurvatureFile, kCurvatureDensityFile});
}

TEST_CASE("layers and overlaps along a run that was interrupted are those of one that was not to the last bit") {
  const ScratchFolder folder;
  RunSettings settings;
  // Layers of 240 and 243 parameters, which are not formed: their eigenvectors go on from row to row.
  settings.problem = "mlp:data=gaussian-blobs:samples=100,hidden=80";
  settings.method = "momentum:lr=0.05";
  settings.batch_size = 50;
  settings.budget = "12steps";
  settings.curvature_every = 4;
  settings.curvature_top = 2;
  settings.curvature_measures = "layers,classes,overlap";
  check_interrupted_curvature(settings, folder, {5, 8}, {kCurvatureFile, kCurvatureLayersFile});
  const std::string layers = read_file(folder / "whole" / kCurvatureLayersFile);
  CHECK(std::count(layers.begin(), layers.end(), '\n') == 1 + 2 * 4);
}

TEST_CASE("each preconditioner of a run has a line at every row of its trace however often the run was interrupted") {
  const ScratchFolder folder;
  RunSettings settings;
  settings.problem = "mlp:data=gaussian-blobs:samples=100,hidden=5";
  settings.method = "kfac:inverse_period=4";
  settings.batch_size = 20;
  settings.budget = "4epochs";
  settings.trace_rows = 2;
  Problem problem = problems().make(parse_spec(settings.problem), {settings.precision});
  // What another run has left in the folder is none of this one.
  std::filesystem::create_directories(folder / "run");
  write_file(folder / "run" / kPreconditionersFile, "step\nno step\n");
  for (const int part : {7, 6}) CHECK(run_for(part, settings, folder / "run") == RunStatus::interrupted);
  CHECK(run(settings, problem, folder / "run").status == RunStatus::finished);
  const RecordedRun recorded = read_run(folder / "run");
  const Table table = read_csv_table(folder / "run" / kPreconditionersFile);
  const std::vector<double> steps = numbers_of(table, "step", "table");
  const std::vector<double> conditions = numbers_of(table, "condition", "table");
  const std::vector<double> staleness = numbers_of(table, "staleness", "table");
  const std::vector<std::string> names = texts_of(table, "preconditioner", "table");
  // All rows of the trace but the one before the first step.
  const std::vector<double> rows = recorded.trace.column("step");
  const std::vector<double> worst = recorded.trace.column("condition");
  const std::vector<double> since = recorded.trace.column("staleness");
  REQUIRE(steps.size() == 4 * (rows.size() - 1));
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const std::size_t first = 4 * (r - 1);
    for (std::size_t i = first; i < first + 4; ++i) {
      CHECK(steps[i] == rows[r]);
      CHECK(staleness[i] == since[r]);
    }
    CHECK(*std::max_element(&conditions[first], &conditions[first] + 4) == worst[r]);
  }
  CHECK(std::vector<std::string>(names.begin(), names.begin() + 4) ==
        std::vector<std::string>{"layer1.weight:A", "layer1.weight:G", "layer2.weight:A", "layer2.weight:G"});
  const std::vector<Figure> figures = preconditioner_figures(recorded);
  REQUIRE(figures.size() == 2);
  CHECK(figures[0].name == "preconditioner_condition");
  CHECK(figures[0].views.front().plot.series.size() == 4);
  CHECK(figures[1].name == "preconditioner_staleness");
  // Methods without any leave no file.
  settings.method = "adam";
  run(settings, problem, folder / "adam");
  CHECK_FALSE(std::filesystem::exists(folder / "adam" / kPreconditionersFile));
}

TEST_CASE("a point of the trajectory that could not be written is there once the run has gone on") {
  const ScratchFolder folder;
  RunSettings settings;
  settings.problem = "mlp:data=gaussian-blobs,hidden=5";
  settings.method = "adam";
  settings.batch_size = 64;
  settings.budget = "30steps";
  settings.save_every = 10;
  settings.checkpoint_seconds = 1e-9;  // at every step
  Problem problem = problems().make(parse_spec(settings.problem), {settings.precision});
  CHECK(run(settings, problem, folder / "whole").status == RunStatus::finished);
  // A folder in the place of the file.
  const auto obstacle = folder / "stopped" / kTrajectoryFolder / "step-000000020.safetensors";
  std::filesystem::create_directories(obstacle / "full");
  CHECK_THROWS_AS(run(settings, problem, folder / "stopped"), WriteError);
  std::filesystem::remove_all(obstacle);
  CHECK(run(settings, problem, folder / "stopped").status == RunStatus::finished);
  const auto whole = trajectory_files(folder / "whole");
  const auto stopped = trajectory_files(folder / "stopped");
  REQUIRE(whole.size() == 4);
  REQUIRE(stopped.size() == 4);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(read_file(stopped[i].path) == read_file(whole[i].path));
}

TEST_CASE("settings survive their record") {
  const ScratchFolder folder;
  RunSettings settings;
  settings.problem = "rosenbrock:n=4";
  settings.method = "lbfgs:memory=3";
  settings.seed = 5;
  settings.budget = "7steps";
  settings.target = 1e-3;
  settings.precision = Precision::float64;
  settings.save_every = 4;
  settings.curvature_every = 3;
  settings.curvature_top = 2;
  settings.curvature_measures = "bottom,trace";
  Problem problem = problems().make(parse_spec(settings.problem), {});
  CHECK(run(settings, problem, folder / "run").status == RunStatus::finished);
  const RunSettings read = settings_of(read_run_record(folder / "run" / kRunFile));
  CHECK(read.problem == settings.problem);
  CHECK(read.method == settings.method);
  CHECK(read.seed == settings.seed);
  CHECK(read.budget == settings.budget);
  CHECK(read.target == settings.target);
  CHECK(read.precision == settings.precision);
  CHECK(read.save_every == settings.save_every);
  CHECK(read.curvature_every == settings.curvature_every);
  CHECK(read.curvature_top == settings.curvature_top);
  CHECK(read.curvature_measures == settings.curvature_measures);
}
