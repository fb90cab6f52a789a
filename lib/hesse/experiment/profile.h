/// \file
/// Performance profiles (Dolan and More 2002): how often a solver is within a factor tau of the best one.
///
/// With t_{p,s} the cost of solver s on problem p, infinite where it fails,
///
///     r_{p,s} = t_{p,s} / min_s t_{p,s},     rho_s(tau) = |{p : r_{p,s} <= tau}| / (number of problems)
///
/// so rho_s(1) is the share of problems on which s is the best, and rho_s at large tau the share that it solves at all.
/// One figure for the curve is its mean height up to a ratio tau_max (as AlgoPerf scores it: Dahl et al. 2023),
///
///     area_s = 1 / (tau_max - 1) int_1^tau_max rho_s(tau) dtau.
///
/// A solver has solved a problem when our own evaluation at the point it returned has `digits` digits (LRE, absolute at
/// a minimum of 0) of a documented minimum, local ones included. Its cost is what it had spent when it first evaluated
/// such a point, so that no stopping rule, ours or theirs, weighs in. Cost is counted twice:
///
/// - evaluations: each value of f, with or without gradient or Jacobian, is 1, and each product with a curvature matrix
/// 2;
/// - seconds, the least over repetitions.
///
/// A profile is a folder:
///
///     profile.json                      settings, machine, every cell
///     results.csv                       a row for each solver and problem
///     ratios_evaluations.csv, ratios_seconds.csv   a row a problem, a column a solver
///     table.txt, table.md, table.csv, table.tex    a row a solver
///     figures/profile_evaluations.svg, figures/profile_seconds.svg, each with its CSV
#pragma once

#include "hesse/problems/problem.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// The problems and solvers of a performance profile, and what counts as solved.
struct ProfileSettings {
  std::vector<std::string> problems;  ///< each with a documented minimum
  std::vector<std::string> solvers;   ///< chains of optim/registry.h, and peers of validation/peers.h
  std::uint64_t seed = 1;             ///< of the starts
  double digits = 4;                  ///< of the minimum, that count as solved; > 0
  double tau_max = 10;                ///< up to which the area is taken; > 1
  Index repetitions = 3;              ///< of each cell, for its seconds; >= 1
  Index max_steps = 10000;            ///< of each solver, >= 1
  double max_seconds = 10;            ///< of each run (of LBFGS++ and libLBFGS only the steps are limited); > 0
  /// Builds a problem from its text; empty: problems() does.
  std::function<Problem(const std::string&)> make_problem = {};
};

/// One solver on one problem.
struct ProfileCell {
  std::string problem;
  std::string solver;
  bool solved = false;
  bool global = false;                                           ///< solved, at the documented global minimum
  double value = 0;                                              ///< f at the point returned, by our evaluation
  double digits = 0;                                             ///< of the documented minimum that is nearest
  double evaluations = std::numeric_limits<double>::infinity();  ///< until solved
  double seconds = std::numeric_limits<double>::infinity();      ///< until solved
  std::string status;                                            ///< the solver's own word, or why it threw
};

/// Costs of solvers (columns) on problems (rows) as ratios to the least of each row. A row without a finite cost, on
/// which every solver fails, is infinite throughout. Throws Error on a cost that is NaN or <= 0.
Matrix performance_ratios(const Matrix& costs);
/// rho(tau) of one solver: the share of its ratios that are at most tau.
double profile_at(ConstVectorView ratios, double tau);
/// Its mean height on [1, tau_max], in closed form. Throws Error unless tau_max > 1.
double profile_area(ConstVectorView ratios, double tau_max);

/// What every solver spent on every problem.
struct Profile {
  ProfileSettings settings;
  std::vector<ProfileCell> cells;  ///< problem by problem, each with the solvers in order
  Table table;                     ///< a row a solver
  bool interrupted = false;
  std::vector<std::string> warnings;  ///< figures that could not be drawn

  /// problems x solvers of a cost of the cells.
  Matrix costs(double ProfileCell::*cost) const;
};

/// Throws Error, before any work, on impossible settings, a problem without a documented minimum, an unknown solver, or
/// one that is named twice.
void check_profile(const ProfileSettings& settings);

/// Runs every cell; `interrupted` is asked before each, and `on_cell` told after it. Solvers that throw have failed.
Profile profile(
    const ProfileSettings& settings, const std::function<bool()>& interrupted = [] { return false; },
    const std::function<void(const ProfileCell&)>& on_cell = [](const ProfileCell&) {});

/// rho of every solver over tau, logarithmic in tau, as steps.
Plot profile_plot(const Profile& profile, double ProfileCell::*cost, std::string_view cost_name);

/// Writes the folder, created if missing.
void write_profile(Profile& profile, const std::filesystem::path& folder);

/// The whole as JSON text, as profile.json holds it.
std::string profile_json(const Profile& profile);

}  // namespace hesse
