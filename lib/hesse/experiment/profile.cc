#include "hesse/experiment/profile.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/least_squares.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/run_record.h"
#include "hesse/validation/agreement.h"
#include "hesse/validation/peers.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

namespace hesse {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// A product is a forward and a backward sweep beside those of the gradient.
constexpr double kProductCost = 2;

double evaluations_of(const Cost& cost) {
  return static_cast<double>(cost.values + cost.gradients) + kProductCost * static_cast<double>(cost.products);
}

/// What had been spent when a documented minimum was first met.
struct Hit {
  double evaluations = kInfinity;
  double seconds = kInfinity;
};

/// Passes every evaluation on to f and notes when it first meets each documented minimum.
class Watch : public Objective {
 public:
  Watch(Objective& f, const std::vector<double>& minima, double digits)
      : f_(f), counted_(f), minima_(minima), digits_(digits), hits_(minima.size()), start_(Clock::now()) {}

  const std::vector<Hit>& hits() const { return hits_; }
  /// Sets the clock to zero, before the first evaluation.
  void start_clock() { start_ = Clock::now(); }

  const ParameterLayout& layout() const override { return f_.layout(); }
  double value(const Vector& x) override { return see(counted_.value(x)); }
  double value_and_gradient(const Vector& x, Vector& g) override { return see(counted_.value_and_gradient(x, g)); }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return counted_.curvature(x, kind);
  }
  CostWeights cost_weights() const override { return f_.cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override { return f_.linearisation_cost(x, kind); }
  Precision precision() const override { return f_.precision(); }
  double value_noise() const override { return f_.value_noise(); }
  std::string explain_non_finite(const Vector& x) override { return f_.explain_non_finite(x); }
  // Not the counting objective: whoever charges the nearest one for residuals would charge it twice.
  Objective* decorated() override { return &f_; }

 protected:
  double see(double value) {
    for (std::size_t m = 0; m < minima_.size(); ++m) {
      if (std::isfinite(hits_[m].evaluations) || !(log_relative_error(value, minima_[m]) >= digits_)) continue;
      const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
      hits_[m] = {evaluations_of(counted_.cost()), std::max(seconds, 1e-9)};  // the clock counts nanoseconds
    }
    return value;
  }
  CountingObjective& counted() { return counted_; }

 private:
  Objective& f_;
  CountingObjective counted_;
  const std::vector<double>& minima_;
  double digits_;
  std::vector<Hit> hits_;
  Clock::time_point start_;
};

/// The same for an objective with residuals, whole or in blocks, which methods ask for past value and gradient.
template <class Squares, class Jacobian>
class WatchResiduals : public Watch, public Squares {
 public:
  WatchResiduals(Objective& f, Squares& squares, const std::vector<double>& minima, double digits)
      : Watch(f, minima, digits), squares_(squares) {}

  Index residual_count() const override { return squares_.residual_count(); }
  void residuals(const Vector& x, Vector& r) override {
    squares_.residuals(x, r);
    counted().count_value();
    see(0.5 * r.squaredNorm());
  }
  void residuals_and_jacobian(const Vector& x, Vector& r, Jacobian& J) override {
    squares_.residuals_and_jacobian(x, r, J);
    counted().count_gradient();
    see(0.5 * r.squaredNorm());
  }
  void second_derivative_along(const Vector& x, const Vector& v, Vector& rvv) override {
    squares_.second_derivative_along(x, v, rvv);
    // As its header prices it: two values.
    counted().count_value();
    counted().count_value();
  }

 protected:
  Squares& squares_;
};

using WatchDense = WatchResiduals<LeastSquares, Matrix>;

class WatchBlocks final : public WatchResiduals<BlockLeastSquares, BlockJacobian> {
 public:
  using WatchResiduals::WatchResiduals;
  const BlockStructure& block_structure() const override { return squares_.block_structure(); }
};

std::unique_ptr<Watch> watch(Objective& f, const std::vector<double>& minima, double digits) {
  // Decorators may add to f what is no residual, so only an objective that is itself made of them counts.
  if (auto* const squares = dynamic_cast<LeastSquares*>(&f)) {
    return std::make_unique<WatchDense>(f, *squares, minima, digits);
  }
  if (auto* const blocks = dynamic_cast<BlockLeastSquares*>(&f)) {
    return std::make_unique<WatchBlocks>(f, *blocks, minima, digits);
  }
  return std::make_unique<Watch>(f, minima, digits);
}

std::vector<double> minima_of(const Problem& problem) {
  std::vector<double> minima;
  if (problem.minimum_value) minima.push_back(*problem.minimum_value);  // the global one first
  minima.insert(minima.end(), problem.local_minima.begin(), problem.local_minima.end());
  return minima;
}

Problem problem_of(const ProfileSettings& settings, const std::string& spec) {
  return settings.make_problem ? settings.make_problem(spec) : problems().make(parse_spec(spec), {});
}

/// Runs the solver from the start and leaves its last point in x. Returns its word.
std::string run_solver(const std::string& solver, Watch& f, Vector& x, const ProfileSettings& settings) {
  if (is_peer(solver)) {
    f.start_clock();
    PeerResult result = run_peer(solver, f, x, {settings.max_steps, settings.max_seconds});
    x = std::move(result.x);
    return result.status;
  }
  const auto optimizer = make_optimizer(solver, {f, settings.seed});
  Stopping stopping;
  stopping.max_steps = settings.max_steps;
  stopping.max_seconds = settings.max_seconds;
  f.start_clock();  // after the optimizer has been read from its text, which peers are not
  const Summary summary = minimize(*optimizer, f, x, stopping);
  return fmt::format("{}: {}", to_string(summary.termination), summary.message);
}

ProfileCell run_cell(const std::string& spec, Problem& problem, const std::string& solver,
                     const ProfileSettings& settings) {
  ProfileCell cell;
  cell.problem = spec;
  cell.solver = solver;
  const std::vector<double> minima = minima_of(problem);
  const Vector start = problem.start(settings.seed);
  for (Index repetition = 0; repetition < settings.repetitions; ++repetition) {
    const auto watched = watch(*problem.objective, minima, settings.digits);
    Vector x = start;
    try {
      cell.status = run_solver(solver, *watched, x, settings);
    } catch (const Error& e) {
      cell.status = fmt::format("failed: {}", e.what());
      cell.value = std::nan("");
      return cell;
    }
    cell.value = problem.objective->value(x);
    cell.digits = 0;
    cell.solved = false;
    for (std::size_t m = minima.size(); m-- > 0;) {
      const double digits = log_relative_error(cell.value, minima[m]);
      cell.digits = std::max(cell.digits, digits);
      const Hit& hit = watched->hits()[m];
      if (!(digits >= settings.digits) || !std::isfinite(hit.evaluations)) continue;
      cell.solved = true;
      cell.global = m == 0 && problem.minimum_value.has_value();
      cell.evaluations = hit.evaluations;
      cell.seconds = std::min(cell.seconds, hit.seconds);
    }
    // What failed once fails again: solvers are deterministic, but for the clock.
    if (!cell.solved) break;
  }
  if (!cell.solved) cell.evaluations = cell.seconds = kInfinity;
  return cell;
}

Table profile_table(const Profile& profile) {
  const ProfileSettings& settings = profile.settings;
  const auto problems_count = static_cast<Index>(settings.problems.size());
  const Matrix by_evaluations = performance_ratios(profile.costs(&ProfileCell::evaluations));
  const Matrix by_seconds = performance_ratios(profile.costs(&ProfileCell::seconds));
  Table table;
  table.title = fmt::format("{} problems, solved to {:g} digits of a documented minimum; areas up to ratio {:g}",
                            problems_count, settings.digits, settings.tau_max);
  table.columns = {{"solver", false}, {"solved"},        {"global"},         {"best, evaluations"},
                   {"area"},          {"best, seconds"}, {"area in seconds"}};
  std::vector<std::array<double, 3>> merits;
  for (std::size_t s = 0; s < settings.solvers.size(); ++s) {
    Index solved = 0;
    Index global = 0;
    for (std::size_t i = s; i < profile.cells.size(); i += settings.solvers.size()) {
      solved += profile.cells[i].solved ? 1 : 0;
      global += profile.cells[i].solved && profile.cells[i].global ? 1 : 0;
    }
    const auto column = static_cast<Index>(s);
    const double area = profile_area(by_evaluations.col(column), settings.tau_max);
    const double area_in_seconds = profile_area(by_seconds.col(column), settings.tau_max);
    merits.push_back({static_cast<double>(solved), area, area_in_seconds});
    table.add({Cell(settings.solvers[s]), Cell(fmt::format("{}", solved)), Cell(fmt::format("{}", global)),
               Cell(fmt::format("{:.3f}", profile_at(by_evaluations.col(column), 1))),
               Cell(fmt::format("{:.3f}", area)), Cell(fmt::format("{:.3f}", profile_at(by_seconds.col(column), 1))),
               Cell(fmt::format("{:.3f}", area_in_seconds))});
  }
  constexpr std::array<std::size_t, 3> kColumns = {1, 4, 6};
  for (std::size_t m = 0; m < kColumns.size() && merits.size() > 1; ++m) {
    double best = 0;
    for (const auto& merit : merits) best = std::max(best, merit[m]);
    for (std::size_t s = 0; s < merits.size(); ++s) {
      table.rows[s][kColumns[m]].emphasised = best > 0 && merits[s][m] == best;
    }
  }
  return table;
}

Table results_table(const Profile& profile) {
  Table table;
  table.columns = {{"problem", false}, {"solver", false}, {"solved", false}, {"global", false}, {"value"},
                   {"digits"},         {"evaluations"},   {"seconds"},       {"status", false}};
  for (const ProfileCell& cell : profile.cells) {
    table.add({Cell(cell.problem), Cell(cell.solver), Cell(cell.solved ? "yes" : "no"),
               Cell(cell.global ? "yes" : "no"), Cell(fmt::format("{}", cell.value)),
               Cell(fmt::format("{}", cell.digits)), Cell(fmt::format("{}", cell.evaluations)),
               Cell(fmt::format("{}", cell.seconds)), Cell(cell.status)});
  }
  return table;
}

Table ratios_table(const Profile& profile, double ProfileCell::*cost) {
  const ProfileSettings& settings = profile.settings;
  const Matrix ratios = performance_ratios(profile.costs(cost));
  Table table;
  table.columns = {{"problem", false}};
  for (const std::string& solver : settings.solvers) table.columns.push_back({solver});
  for (Index p = 0; p < ratios.rows(); ++p) {
    std::vector<Cell> row = {Cell(settings.problems[static_cast<std::size_t>(p)])};
    for (Index s = 0; s < ratios.cols(); ++s) row.emplace_back(fmt::format("{}", ratios(p, s)));
    table.add(std::move(row));
  }
  return table;
}

}  // namespace

Matrix performance_ratios(const Matrix& costs) {
  Matrix ratios(costs.rows(), costs.cols());
  for (Index p = 0; p < costs.rows(); ++p) {
    for (Index s = 0; s < costs.cols(); ++s) {
      if (!(costs(p, s) > 0)) fail("performance profile: a cost of {} is not possible", costs(p, s));
    }
    const double least = costs.row(p).minCoeff();
    for (Index s = 0; s < costs.cols(); ++s) {
      ratios(p, s) = std::isfinite(costs(p, s)) ? costs(p, s) / least : kInfinity;
    }
  }
  return ratios;
}

double profile_at(ConstVectorView ratios, double tau) {
  if (ratios.size() == 0) return 0;
  return static_cast<double>((ratios.array() <= tau).count()) / static_cast<double>(ratios.size());
}

double profile_area(ConstVectorView ratios, double tau_max) {
  if (!(tau_max > 1)) fail("performance profile: an area up to ratio {} is not possible; give more than 1", tau_max);
  // A problem of ratio r adds 1/n to rho from r on.
  double sum = 0;
  for (const double r : ratios) sum += r < tau_max ? tau_max - r : 0.0;
  return ratios.size() > 0 ? sum / ((tau_max - 1) * static_cast<double>(ratios.size())) : 0.0;
}

Matrix Profile::costs(double ProfileCell::*cost) const {
  const std::size_t solvers = settings.solvers.size();
  Matrix costs(static_cast<Index>(settings.problems.size()), static_cast<Index>(solvers));
  for (std::size_t i = 0; i < cells.size(); ++i) {
    costs(static_cast<Index>(i / solvers), static_cast<Index>(i % solvers)) = cells[i].*cost;
  }
  return costs;
}

void check_profile(const ProfileSettings& settings) {
  if (settings.problems.empty()) fail("profile: no problem is given");
  if (settings.solvers.empty()) fail("profile: no solver is given; name some, as in --optimizer lbfgs");
  if (!(settings.digits > 0 && settings.digits <= kMostDigits)) {
    fail("profile: {} digits are not possible; give more than 0 and at most {:g}", settings.digits, kMostDigits);
  }
  if (!(settings.tau_max > 1))
    fail("profile: an area up to ratio {} is not possible; give more than 1", settings.tau_max);
  if (settings.repetitions < 1 || settings.max_steps < 1 || !(settings.max_seconds > 0)) {
    fail("profile: {} repetitions, {} steps and {} s; all have to be positive", settings.repetitions,
         settings.max_steps, settings.max_seconds);
  }
  std::set<std::string> named;
  for (const std::string& solver : settings.solvers) {
    if (!named.insert(solver).second) fail("profile: '{}' is given twice; keep one of them", solver);
    if (is_peer(solver)) {
      const auto& known = peers();
      if (std::find(known.begin(), known.end(), solver) != known.end()) continue;
      Problem problem = problem_of(settings, settings.problems.front());
      run_peer(solver, *problem.objective, problem.start(settings.seed));  // says what is missing
    } else {
      const OptimizerSpec spec = parse_optimizer(solver);
      if (optimizers().find(spec.method.name) == nullptr) {
        std::vector<std::string> names = optimizers().names();
        names.insert(names.end(), peers().begin(), peers().end());
        fail("profile: there is no optimizer or peer called '{}'{}", spec.method.name,
             suggestion(spec.method.name, names));
      }
    }
  }
  for (const std::string& spec : settings.problems) {
    const Problem problem = problem_of(settings, spec);
    if (minima_of(problem).empty()) {
      fail("profile: '{}' has no documented minimum by which a solver could be judged", spec);
    }
  }
}

Profile profile(const ProfileSettings& settings, const std::function<bool()>& interrupted,
                const std::function<void(const ProfileCell&)>& on_cell) {
  check_profile(settings);
  Profile result;
  result.settings = settings;
  for (const std::string& spec : settings.problems) {
    Problem problem = problem_of(settings, spec);
    for (const std::string& solver : settings.solvers) {
      if (interrupted()) {
        result.interrupted = true;
        return result;
      }
      result.cells.push_back(run_cell(spec, problem, solver, settings));
      on_cell(result.cells.back());
    }
  }
  result.table = profile_table(result);
  return result;
}

Plot profile_plot(const Profile& profile, double ProfileCell::*cost, std::string_view cost_name) {
  const Matrix ratios = performance_ratios(profile.costs(cost));
  double last = profile.settings.tau_max;
  for (const double r : ratios.reshaped()) {
    if (std::isfinite(r)) last = std::max(last, r);
  }
  // Beyond a factor of a thousand a solver has solved the problem, and no more is to be seen.
  last = std::min(last, 1000.0);
  Plot plot;
  plot.title = fmt::format("performance profile, {} problems", ratios.rows());
  plot.x_label = fmt::format("{} over those of the best solver", cost_name);
  plot.y_label = "share of problems solved";
  plot.legend = fmt::format("to {:g} digits", profile.settings.digits);
  plot.log_x = true;
  plot.higher_is_better = true;
  for (Index s = 0; s < ratios.cols(); ++s) {
    std::vector<double> jumps;
    for (const double r : ratios.col(s)) {
      if (r > 1 && r <= last) jumps.push_back(r);
    }
    std::sort(jumps.begin(), jumps.end());
    jumps.erase(std::unique(jumps.begin(), jumps.end()), jumps.end());
    Curve curve;
    const auto add = [&](double tau, double height) {
      curve.x.push_back(tau);
      curve.y.push_back(height);
    };
    add(1, profile_at(ratios.col(s), 1));
    for (const double tau : jumps) {
      // Two points a jump, so that lines draw it as a step.
      if (const double before = std::nextafter(tau, 0.0); before > curve.x.back()) add(before, curve.y.back());
      add(tau, profile_at(ratios.col(s), tau));
    }
    if (curve.x.back() < last) add(last, curve.y.back());
    plot.series.push_back({profile.settings.solvers[static_cast<std::size_t>(s)], {std::move(curve)}});
  }
  return plot;
}

std::string profile_json(const Profile& profile) {
  const ProfileSettings& settings = profile.settings;
  const Software software = this_software();
  Json json;
  json["format"] = 1;
  json["problems"] = settings.problems;
  json["solvers"] = settings.solvers;
  json["seed"] = settings.seed;
  json["digits"] = json_number(settings.digits);
  json["tau_max"] = json_number(settings.tau_max);
  json["repetitions"] = settings.repetitions;
  json["max_steps"] = settings.max_steps;
  json["max_seconds"] = json_number(settings.max_seconds);
  json["software"] = {{"hesse", software.hesse}, {"compiler", software.compiler}, {"build", software.build}};
  json["machine"] = {{"processor", this_machine().processor}, {"threads", threads()}};
  json["finished"] = utc_now();
  json["table"] = Json::array();
  const Matrix by_evaluations = performance_ratios(profile.costs(&ProfileCell::evaluations));
  const Matrix by_seconds = performance_ratios(profile.costs(&ProfileCell::seconds));
  for (std::size_t s = 0; s < settings.solvers.size(); ++s) {
    const auto column = static_cast<Index>(s);
    Index solved = 0;
    for (std::size_t i = s; i < profile.cells.size(); i += settings.solvers.size()) {
      solved += profile.cells[i].solved ? 1 : 0;
    }
    json["table"].push_back(
        {{"solver", settings.solvers[s]},
         {"solved", solved},
         {"best_evaluations", json_number(profile_at(by_evaluations.col(column), 1))},
         {"area_evaluations", json_number(profile_area(by_evaluations.col(column), settings.tau_max))},
         {"best_seconds", json_number(profile_at(by_seconds.col(column), 1))},
         {"area_seconds", json_number(profile_area(by_seconds.col(column), settings.tau_max))}});
  }
  json["cells"] = Json::array();
  for (const ProfileCell& cell : profile.cells) {
    json["cells"].push_back({{"problem", cell.problem},
                             {"solver", cell.solver},
                             {"solved", cell.solved},
                             {"global", cell.global},
                             {"value", json_number(cell.value)},
                             {"digits", json_number(cell.digits)},
                             {"evaluations", json_number(cell.evaluations)},
                             {"seconds", json_number(cell.seconds)},
                             {"status", cell.status}});
  }
  return json_text(json);
}

void write_profile(Profile& profile, const std::filesystem::path& folder) {
  const auto figures = folder / "figures";
  create_folders(figures);
  write_file(folder / "profile.json", profile_json(profile));
  write_file(folder / "results.csv", csv_text(results_table(profile)));
  write_file(folder / "ratios_evaluations.csv", csv_text(ratios_table(profile, &ProfileCell::evaluations)));
  write_file(folder / "ratios_seconds.csv", csv_text(ratios_table(profile, &ProfileCell::seconds)));
  write_file(folder / "table.txt", terminal_text(profile.table, {false, false, true, 0}));
  write_file(folder / "table.md", markdown_text(profile.table));
  write_file(folder / "table.csv", csv_text(profile.table));
  write_file(folder / "table.tex", latex_text(profile.table));
  Palette palette;
  try {
    write_plot(figures / "profile_evaluations.svg", profile_plot(profile, &ProfileCell::evaluations, "evaluations"),
               palette);
    write_plot(figures / "profile_seconds.svg", profile_plot(profile, &ProfileCell::seconds, "seconds"), palette);
  } catch (const Error& e) {
    profile.warnings.push_back(fmt::format("not all figures were drawn: {}", e.what()));
  }
}

}  // namespace hesse
