#include "hesse/core/error.h"
#include "hesse/experiment/compare.h"
#include "hesse/linalg/operators.h"
#include "hesse/optim/time_limit.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/json.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <new>
#include <stdexcept>
#include <thread>

using namespace hesse;
using test::ScratchFolder;

namespace {

/// sum_i (i + 1) x_i^2 / 2, whose Hessian throws where it is formed in blocks, as `newton` does, and takes its time
/// for a single product, as `newton-cg` asks for one after the other.
class Quirky final : public Objective {
 public:
  explicit Quirky(bool starved = false) : starved_(starved) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * x.dot(d_.cwiseProduct(x)); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = d_.cwiseProduct(x);
    return value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    return function_operator(4, [this](ConstMatrixView X, MatrixView Y) {
      if (X.cols() > 1 && starved_) throw std::bad_alloc();
      if (X.cols() > 1) throw std::runtime_error("the Hessian is out of order");
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
      Y = d_.asDiagonal() * X;
    });
  }

 private:
  bool starved_;
  ParameterLayout layout_{4};
  Vector d_ = Vector::LinSpaced(4, 1, 4);
};

Problem quirky() {
  Problem problem;
  problem.objective = std::make_unique<Quirky>();
  problem.value = [](const Vector& x) { return Quirky().value(x); };
  problem.start = [](std::uint64_t seed) { return Vector::Constant(4, static_cast<double>(seed)); };
  return problem;
}

Vector end_of(const std::filesystem::path& run) { return load_parameters(run / kCheckpointFile, ParameterLayout(4)); }

}  // namespace

TEST_CASE("A method that diverges and one that throws and one that hangs are rows and leave the others' bits alone") {
  const ScratchFolder folder;
  ComparisonSettings settings;
  settings.run.problem = "rosenbrock";  // for the record
  settings.run.budget = "40steps";
  settings.repetitions = 2;
  const std::vector<std::string> sound = {"momentum:lr=0.01", "adam:lr=0.01"};
  settings.methods = {sound[0], "gd:lr=1e9", "newton", "newton-cg+trust-region:trust_radius=1e-3", sound[1]};
  // What a person who waits would set: a limit on the clock, here for the one that hangs.
  std::vector<std::unique_ptr<TimeLimit>> limits;
  const auto hooks_of = [&](const ComparisonCell& cell) {
    RunHooks hooks;
    if (cell.method.starts_with("newton-cg")) {
      hooks.observers.push_back(limits.emplace_back(std::make_unique<TimeLimit>(0.1)).get());
    }
    return hooks;
  };
  Problem with = quirky();
  const Comparison all = compare(settings, with, folder / "with", hooks_of);
  REQUIRE(all.cells.size() == 10);
  CHECK(all.table.rows.size() == 5);
  CHECK_FALSE(all.interrupted);
  for (const ComparisonCell& cell : all.cells) {
    CAPTURE(cell.method, cell.outcome.verdict.message);
    const std::string& termination = cell.outcome.verdict.termination;
    if (cell.method == "gd:lr=1e9") {
      CHECK(termination == "non-finite");
    } else if (cell.method == "newton") {
      CHECK(cell.outcome.status == RunStatus::failed);
      CHECK(cell.outcome.verdict.message == "the Hessian is out of order");
    } else if (cell.method.starts_with("newton-cg")) {
      CHECK(termination == "user");
      CHECK(cell.outcome.verdict.progress.step < 40);
    } else {
      CHECK(termination == "budget");
      CHECK(cell.outcome.verdict.progress.step == 40);
    }
  }

  // Memory that a method cannot have is told as what it is.
  settings.methods = {"newton"};
  Problem short_of_memory = quirky();
  short_of_memory.objective = std::make_unique<Quirky>(true);
  const Comparison starved = compare(settings, short_of_memory, folder / "starved", hooks_of);
  REQUIRE(starved.cells.size() == 2);
  CHECK(starved.cells[0].outcome.status == RunStatus::failed);
  CHECK_THAT(starved.cells[0].outcome.verdict.message, Catch::Contains("out of memory"));
  settings.methods = sound;

  Problem without = quirky();
  const Comparison few = compare(settings, without, folder / "without", hooks_of);
  REQUIRE(few.cells.size() == 4);
  for (const ComparisonCell& cell : few.cells) {
    for (const ComparisonCell& same : all.cells) {
      if (same.method != cell.method || same.seed != cell.seed) continue;
      CAPTURE(cell.method, cell.seed);
      CHECK(end_of(cell.folder) == end_of(same.folder));
      CHECK(cell.outcome.verdict.value == same.outcome.verdict.value);
    }
  }
}
