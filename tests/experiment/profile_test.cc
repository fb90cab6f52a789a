#include "hesse/experiment/profile.h"

#include "hesse/core/error.h"
#include "hesse/objective/block_residual_objective.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/validation/peers.h"

#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace hesse;
using test::ScratchFolder;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Freudenstein and Roth (1963): 1/2 |r|^2 has minima 0 at (5, 4) and 24.4921... at (11.41..., -0.8968...).
struct FreudensteinRoth {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = -13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1];
    r[1] = -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1];
  }
};

/// The same as a block of residuals, and three times over.
struct FreudensteinRothBlock {
  static constexpr int kResiduals = 2;
  static constexpr std::array<int, 1> kVariables = {2};
  template <class T>
  void operator()(Index, const T* const* x, T* r) const {
    FreudensteinRoth{}(x[0], r);
  }
};
struct FreudensteinRothCopies {
  template <class T>
  void operator()(const T* x, T* r) const {
    for (int k = 0; k < 3; ++k) FreudensteinRoth{}(x + 2 * k, r + 2 * k);
  }
};

Problem freudenstein_roth(const std::string&) {
  Problem problem;
  problem.objective = std::make_unique<ResidualObjective<FreudensteinRoth>>(FreudensteinRoth{}, 2, 2);
  problem.start = [](std::uint64_t) -> Vector { return Eigen::Vector2d(0.5, -2); };
  problem.minimum_value = 0;
  problem.local_minima = {48.98425368 / 2};
  return problem;
}

/// Points on a line, which it fits.
struct Line {
  template <class T>
  void operator()(const T* x, T* r) const {
    for (int i = 0; i < 3; ++i) r[i] = x[0] + static_cast<double>(i) * x[1] - (1.0 + 2.0 * i);
  }
};

ProfileSettings small() {
  ProfileSettings settings;
  settings.problems = {"rosenbrock", "beale", "himmelblau"};
  settings.solvers = {"lbfgs", "newton-cg", "gd:lr=1e-3", "ceres-lbfgs"};
  settings.repetitions = 1;
  settings.max_steps = 300;
  return settings;
}

const ProfileCell& cell_of(const Profile& profile, const std::string& problem, const std::string& solver) {
  for (const ProfileCell& cell : profile.cells) {
    if (cell.problem == problem && cell.solver == solver) return cell;
  }
  throw std::runtime_error("no such cell");
}

}  // namespace

TEST_CASE("ratios are costs over the least of their row, infinite where a solver fails or all do") {
  Matrix costs(3, 3);
  costs << 2, 4, 8, kInfinity, 5, 5, kInfinity, kInfinity, kInfinity;
  const Matrix r = performance_ratios(costs);
  Matrix expected(3, 3);
  expected << 1, 2, 4, kInfinity, 1, 1, kInfinity, kInfinity, kInfinity;
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 3; ++j) CHECK(r(i, j) == expected(i, j));
  }
  CHECK(profile_at(r.col(0), 1) == Approx(1.0 / 3));
  CHECK(profile_at(r.col(1), 1) == Approx(1.0 / 3));
  CHECK(profile_at(r.col(1), 2) == Approx(2.0 / 3));
  CHECK(profile_at(r.col(2), 1e300) == Approx(2.0 / 3));
  CHECK(profile_at(Vector(), 1) == 0);
  Matrix zero = Matrix::Zero(1, 1);
  CHECK_THROWS_AS(performance_ratios(zero), Error);
  CHECK_THROWS_AS(performance_ratios(Matrix::Constant(1, 1, std::nan(""))), Error);
}

TEST_CASE("the area of a profile is the integral of its steps") {
  Vector ratios(5);
  ratios << 1, 1.5, 3, 20, kInfinity;
  // Midpoints of a fine grid: off by at most one cell a jump.
  const double tau_max = 10;
  const int cells = 100000;
  double sum = 0;
  for (int i = 0; i < cells; ++i) sum += profile_at(ratios, 1 + (tau_max - 1) * (i + 0.5) / cells);
  CHECK(profile_area(ratios, tau_max) == Approx(sum / cells).margin(3.0 / cells));
  CHECK(profile_area(Vector::Ones(3), 4) == 1);
  CHECK(profile_area(Vector::Constant(3, kInfinity), 4) == 0);
  CHECK_THROWS_AS(profile_area(ratios, 1), Error);
}

TEST_CASE("a solver has solved what our own evaluation at its point confirms, at the cost of getting there") {
  const Profile p = profile(small());
  CHECK_FALSE(p.interrupted);
  REQUIRE(p.cells.size() == 12);
  for (const char* problem : {"rosenbrock", "beale", "himmelblau"}) {
    for (const char* solver : {"lbfgs", "newton-cg", "ceres-lbfgs"}) {
      const ProfileCell& cell = cell_of(p, problem, solver);
      CAPTURE(problem, solver, cell.status);
      CHECK(cell.solved);
      CHECK(cell.global);
      CHECK(cell.value <= 1e-4);
      CHECK(cell.digits >= 4);
      CHECK(cell.evaluations >= 2);
      CHECK(cell.seconds > 0);
      CHECK(cell.seconds < 10);
    }
  }
  // 300 steps of 1e-3 do not get along the valley.
  const ProfileCell& slow = cell_of(p, "rosenbrock", "gd:lr=1e-3");
  CHECK_FALSE(slow.solved);
  CHECK(slow.evaluations == kInfinity);
  CHECK(slow.seconds == kInfinity);
  CHECK(slow.value > 1e-4);
  CHECK(p.table.rows.size() == 4);
  CHECK(p.table.rows[0][1].text == "3");
}

TEST_CASE("evaluations are counted until the minimum is met and not until the solver stops") {
  ProfileSettings settings = small();
  settings.problems = {"rosenbrock"};
  settings.solvers = {"lbfgs"};
  const double loose = profile(settings).cells[0].evaluations;
  settings.digits = 12;
  const double tight = profile(settings).cells[0].evaluations;
  CHECK(loose < tight);
  // Plain steps downhill on a quadratic of condition 1: each is one evaluation, and the start another. f falls by
  // (1 - lr)^2 a step from n / 2 = 50, so 1e-4 is met when 0.25^k 50 <= 1e-4: k = 10.
  settings.problems = {"quadratic:n=100,condition=1"};
  settings.solvers = {"gd:lr=0.5"};
  settings.digits = 4;
  settings.max_steps = 20;
  CHECK(profile(settings).cells[0].evaluations == 11);
}

TEST_CASE("a product counts as two evaluations") {
  // Newton's step on a quadratic of condition 1 is one product, and the trust region of radius 1 grows from step to
  // step.
  ProfileSettings settings = small();
  settings.problems = {"quadratic:n=4,condition=1,rotated=false"};
  settings.solvers = {"newton-cg+trust-region:trust_radius=1e3"};
  const ProfileCell cell = profile(settings).cells[0];
  CAPTURE(cell.status);
  // The start's gradient, one product, and the gradient at the trial point, which is the minimum.
  CHECK(cell.evaluations == 1 + 2 + 1);
}

TEST_CASE("a local minimum that is documented counts as solved, and not as global") {
  ProfileSettings settings = small();
  settings.make_problem = freudenstein_roth;
  settings.problems = {"freudenstein-roth"};
  settings.solvers = {"lbfgs"};
  const ProfileCell cell = profile(settings).cells[0];
  CAPTURE(cell.value, cell.status);
  CHECK(cell.solved);
  CHECK(cell.global == (cell.value < 1));
  settings.make_problem = [](const std::string& spec) {
    Problem problem = freudenstein_roth(spec);
    problem.start = [](std::uint64_t) -> Vector { return Eigen::Vector2d(11, -1); };
    return problem;
  };
  const ProfileCell local = profile(settings).cells[0];
  CHECK(local.solved);
  CHECK_FALSE(local.global);
  CHECK(local.value == Approx(24.4921).epsilon(1e-4));
}

TEST_CASE("methods that ask for residuals are watched as those that ask for values") {
  ProfileSettings settings = small();
  settings.make_problem = [](const std::string&) {
    Problem problem;
    problem.objective = std::make_unique<ResidualObjective<Line>>(Line{}, 2, 3);
    problem.start = [](std::uint64_t) -> Vector { return Eigen::Vector2d(5, -5); };
    problem.minimum_value = 0;
    return problem;
  };
  settings.problems = {"line"};
  settings.solvers = {"ceres-lm", "ceres-dogleg", "lbfgs"};
  const Profile p = profile(settings);
  for (const ProfileCell& cell : p.cells) {
    CAPTURE(cell.solver, cell.status, cell.evaluations);
    CHECK(cell.solved);
  }
  // Linear residuals: the start with its Jacobian, and a Gauss-Newton step whose value is met at once.
  CHECK(p.cells[1].evaluations == 2);
}

TEST_CASE("settings that make no sense are refused before any work") {
  const auto refused = [](void (*change)(ProfileSettings&), const char* why) {
    ProfileSettings settings = small();
    change(settings);
    CHECK_THROWS_WITH(check_profile(settings), Catch::Contains(why));
  };
  refused([](ProfileSettings& s) { s.problems.clear(); }, "no problem");
  refused([](ProfileSettings& s) { s.solvers.clear(); }, "no solver");
  refused([](ProfileSettings& s) { s.digits = 0; }, "digits");
  refused([](ProfileSettings& s) { s.digits = std::nan(""); }, "digits");
  refused([](ProfileSettings& s) { s.tau_max = 1; }, "ratio");
  refused([](ProfileSettings& s) { s.repetitions = 0; }, "repetitions");
  refused([](ProfileSettings& s) { s.solvers.push_back("lbfgs"); }, "twice");
  refused([](ProfileSettings& s) { s.solvers = {"lbgfs"}; }, "did you mean 'lbfgs'?");
  refused([](ProfileSettings& s) { s.solvers = {"ceres-lbgfs"}; }, "did you mean 'ceres-lbfgs'?");
  refused([](ProfileSettings& s) { s.problems = {"softmax-regression:data=gaussian-blobs"}; }, "no documented minimum");
  CHECK_NOTHROW(check_profile(small()));
}

TEST_CASE("a solver that lacks its structure has failed, and the others' cells are as without it") {
  ProfileSettings settings = small();
  settings.solvers = {"lbfgs", "ceres-lm"};
  const Profile with = profile(settings);
  settings.solvers = {"lbfgs"};
  const Profile without = profile(settings);
  for (std::size_t i = 0; i < without.cells.size(); ++i) {
    CHECK(with.cells[2 * i].value == without.cells[i].value);
    CHECK(with.cells[2 * i].evaluations == without.cells[i].evaluations);
    CHECK_FALSE(with.cells[2 * i + 1].solved);
    CHECK_THAT(with.cells[2 * i + 1].status, Catch::Contains("failed: "));
  }
}

TEST_CASE("evaluations are counted alike for residuals in blocks and for the same in one piece") {
  ProfileSettings settings = small();
  settings.problems = {"blocks", "whole"};
  settings.solvers = {"lbfgs", "gauss-newton+levenberg-marquardt:solver=cg", "ceres-lm", "ceres-lbfgs"};
  settings.make_problem = [](const std::string& spec) {
    constexpr Index copies = 3;
    Problem problem;
    if (spec == "blocks") {
      std::vector<Index> variables = {0};
      std::vector<BlockResidualObjective<FreudensteinRothBlock>::Uses> uses;
      for (Index k = 0; k < copies; ++k) {
        variables.push_back(2 * (k + 1));
        uses.push_back({k});
      }
      problem.objective = std::make_unique<BlockResidualObjective<FreudensteinRothBlock>>(FreudensteinRothBlock{},
                                                                                          variables, uses, copies);
    } else {
      problem.objective =
          std::make_unique<ResidualObjective<FreudensteinRothCopies>>(FreudensteinRothCopies{}, 2 * copies, 2 * copies);
    }
    problem.start = [](std::uint64_t) -> Vector { return Eigen::Vector2d(0.5, -2).replicate(copies, 1); };
    problem.minimum_value = 0;
    problem.local_minima = {copies * 48.98425368 / 2};
    return problem;
  };
  const Profile p = profile(settings);
  for (const std::string& solver : settings.solvers) {
    CAPTURE(solver);
    const ProfileCell& blocks = cell_of(p, "blocks", solver);
    const ProfileCell& whole = cell_of(p, "whole", solver);
    CHECK(blocks.solved);
    CHECK(whole.solved);
    CHECK(blocks.evaluations == whole.evaluations);
  }
}

TEST_CASE("an interrupted profile says so and stops") {
  int asked = 0;
  const Profile p = profile(small(), [&asked] { return ++asked > 3; });
  CHECK(p.interrupted);
  CHECK(p.cells.size() == 3);
}

TEST_CASE("a profile is drawn as steps from the share of best to the share of solved") {
  const Profile p = profile(small());
  const Plot plot = profile_plot(p, &ProfileCell::evaluations, "evaluations");
  REQUIRE(plot.series.size() == 4);
  const Matrix ratios = performance_ratios(p.costs(&ProfileCell::evaluations));
  for (Index s = 0; s < 4; ++s) {
    const Curve& curve = plot.series[static_cast<std::size_t>(s)].runs[0];
    REQUIRE(curve.x.size() == curve.y.size());
    CHECK(curve.x.front() == 1);
    CHECK(std::is_sorted(curve.x.begin(), curve.x.end()));
    CHECK(std::is_sorted(curve.y.begin(), curve.y.end()));
    for (std::size_t i = 0; i < curve.x.size(); ++i) CHECK(curve.y[i] == profile_at(ratios.col(s), curve.x[i]));
  }
}

TEST_CASE("the folder of a profile holds every file, and its JSON every cell") {
  const ScratchFolder scratch;
  Profile p = profile(small());
  write_profile(p, scratch / "profile");
  CHECK(p.warnings.empty());
  for (const char* file :
       {"profile.json", "results.csv", "ratios_evaluations.csv", "ratios_seconds.csv", "table.txt", "table.md",
        "table.csv", "table.tex", "figures/profile_evaluations.svg", "figures/profile_evaluations.csv",
        "figures/profile_seconds.svg", "figures/profile_seconds.csv"}) {
    CAPTURE(file);
    CHECK(std::filesystem::file_size(scratch / "profile" / file) > 0);
  }
  const Json json = read_json(scratch / "profile" / "profile.json");
  CHECK(json["cells"].size() == 12);
  CHECK(json["solvers"].size() == 4);
  CHECK(json["table"][0]["solved"] == 3);
  CHECK(json["cells"][2]["evaluations"] == "inf");
  const std::string ratios = read_file(scratch / "profile" / "ratios_evaluations.csv");
  CHECK(ratios.starts_with("problem,lbfgs,newton-cg,gd:lr=1e-3,ceres-lbfgs\n"));
}
