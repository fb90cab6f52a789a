#include "command_line.h"
#include "commands.h"

#include "hesse/core/error.h"
#include "hesse/optim/constrained/solvers.h"
#include "hesse/problems/constrained_problems.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hesse::app {
namespace {

enum class ConstrainedMethod { automatic, newton_kkt, augmented_lagrangian, projected_gradient, projected_newton };

struct ConstrainedCommandOptions {
  std::string problem;
  ConstrainedMethod method = ConstrainedMethod::automatic;
  double tolerance = 1e-8;
  Index max_iterations = 200;
  bool quasi_newton = false;
  bool json = false;
};
void visit_options(ConstrainedCommandOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem,
           "a constrained problem; all of Hock and Schittkowski when left out ('hesse list constrained')");
  v.choice("method", o.method,
           {{"auto", ConstrainedMethod::automatic},
            {"newton-kkt", ConstrainedMethod::newton_kkt},
            {"augmented-lagrangian", ConstrainedMethod::augmented_lagrangian},
            {"projected-gradient", ConstrainedMethod::projected_gradient},
            {"projected-newton", ConstrainedMethod::projected_newton}},
           "auto is newton-kkt where there are equalities alone, else augmented-lagrangian; the projected ones want "
           "bounds alone or a simplex");
  v.option("tolerance", o.tolerance, Interval::open(0, 1), "on stationarity, feasibility and complementarity");
  v.option("max-iterations", o.max_iterations, Interval::closed(1, 1e6),
           "of the method; of the outer loop, where there are two");
  v.option("quasi-newton", o.quasi_newton, "augmented Lagrangian and projected Newton: L-BFGS instead of Hessians");
  v.option("json", o.json, "print JSON");
}

ConstrainedResult solved(ConstrainedProblem& problem, const ConstrainedCommandOptions& o) {
  ConstrainedOptions options;
  options.tolerance = o.tolerance;
  options.max_iterations = o.max_iterations;
  options.quasi_newton = o.quasi_newton;
  switch (o.method) {
    case ConstrainedMethod::newton_kkt: return newton_kkt(problem, options);
    case ConstrainedMethod::augmented_lagrangian: return augmented_lagrangian(problem, options);
    case ConstrainedMethod::projected_gradient: return projected_gradient(problem, options);
    case ConstrainedMethod::projected_newton: return projected_newton(problem, options);
    case ConstrainedMethod::automatic: break;
  }
  return solve(problem, options);
}

Json array_of(const Vector& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(json_number(value));
  return json;
}

Json json_of(const std::string& name, const ConstrainedProblem& problem, const ConstrainedResult& r) {
  Json json;
  json["problem"] = name;
  json["status"] = to_string(r.status);
  json["message"] = r.message;
  json["value"] = json_number(r.kkt.value);
  if (problem.minimum_value) json["published"] = json_number(*problem.minimum_value);
  json["x"] = array_of(r.x);
  json["multipliers"] = {{"equality", array_of(r.multipliers.equality)},
                         {"inequality", array_of(r.multipliers.inequality)},
                         {"lower", array_of(r.multipliers.lower)},
                         {"upper", array_of(r.multipliers.upper)}};
  json["stationarity"] = json_number(r.kkt.stationarity);
  json["primal_infeasibility"] = json_number(r.kkt.primal_infeasibility);
  json["dual_infeasibility"] = json_number(r.kkt.dual_infeasibility);
  json["complementarity"] = json_number(r.kkt.complementarity);
  json["active"] = r.kkt.active;
  json["independent"] = r.kkt.independent;
  json["second_order"] = to_string(r.kkt.second_order);
  json["least_curvature"] = json_number(r.kkt.least_curvature);
  json["iterations"] = r.iterations;
  json["inner_iterations"] = r.inner_iterations;
  json["evaluations"] = r.evaluations;
  return json;
}

void print_one(const ConstrainedProblem& problem, const ConstrainedResult& r) {
  const TerminalStyle style = terminal_style(stdout);
  say("{}\n", problem.description);
  Table point;
  point.columns = {{"variable", false}, {"value"}, {"lower bound's multiplier"}, {"upper bound's multiplier"}};
  for (Index i = 0; i < r.x.size(); ++i) {
    point.add({Cell(fmt::format("x{}", i + 1)), Cell(significant(r.x[i], 10)),
               Cell(significant(r.multipliers.lower[i], 6)), Cell(significant(r.multipliers.upper[i], 6))});
  }
  say("{}", terminal_text(point, style));
  if (r.multipliers.equality.size() + r.multipliers.inequality.size() > 0) {
    Table constraints;
    constraints.columns = {{"constraint", false}, {"multiplier"}};
    for (Index i = 0; i < r.multipliers.equality.size(); ++i) {
      constraints.add({Cell(fmt::format("equality {}", i + 1)), Cell(significant(r.multipliers.equality[i], 8))});
    }
    for (Index i = 0; i < r.multipliers.inequality.size(); ++i) {
      constraints.add({Cell(fmt::format("inequality {}", i + 1)), Cell(significant(r.multipliers.inequality[i], 8))});
    }
    say("{}", terminal_text(constraints, style));
  }
  say("{}{}\nvalue {:.10g}{}\n", to_string(r.status), r.message.empty() ? "" : ": " + r.message, r.kkt.value,
      problem.minimum_value ? fmt::format(", known to be {:.10g}", *problem.minimum_value) : std::string());
  say("stationarity {:.2g}, infeasibility {:.2g}, dual infeasibility {:.2g}, complementarity {:.2g}\n",
      r.kkt.stationarity, r.kkt.primal_infeasibility, r.kkt.dual_infeasibility, r.kkt.complementarity);
  // A support vector machine has as many bounds as samples.
  constexpr std::size_t kShown = 12;
  std::string active = r.kkt.active.empty() ? "none" : "";
  for (std::size_t i = 0; i < std::min(kShown, r.kkt.active.size()); ++i) {
    active += (i > 0 ? ", " : "") + r.kkt.active[i];
  }
  if (r.kkt.active.size() > kShown) active += fmt::format(" and {} more", r.kkt.active.size() - kShown);
  say("second order: {}, least curvature on the cone {:.4g}; active: {}{}\n", to_string(r.kkt.second_order),
      r.kkt.least_curvature, active, r.kkt.independent ? "" : " (their gradients depend on each other)");
  say("{} iterations, {} inner ones, {} evaluations\n", r.iterations, r.inner_iterations, r.evaluations);
}

}  // namespace

int constrained_command(Arguments arguments) {
  const auto options = read_command_line<ConstrainedCommandOptions>(
      "constrained", "Solve problems with constraints, and report the conditions of optimality.", arguments, "problem");
  if (!options.problem.empty()) {
    ConstrainedProblem problem = constrained_problems().make(parse_spec(options.problem), {});
    const ConstrainedResult result = solved(problem, options);
    if (options.json) {
      fmt::print("{}", json_text(json_of(options.problem, problem, result)));
    } else {
      print_one(problem, result);
    }
    return result.status == ConstrainedStatus::converged ? kDone : kTargetNotReached;
  }
  Json json = Json::array();
  Table table;
  table.title = "problems of Hock and Schittkowski (1981)";
  table.columns = {{"problem", false}, {"status", false}, {"value"},       {"published"},          {"digits"},
                   {"stationarity"},   {"infeasible"},    {"evaluations"}, {"second order", false}};
  bool all = true;
  for (const auto& entry : constrained_problems().entries()) {
    if (!entry.name.starts_with("hs")) continue;
    ConstrainedProblem problem = entry.make(parse_spec(entry.name), {});
    ConstrainedResult result;
    try {
      result = solved(problem, options);
    } catch (const Error& e) {
      // The method asked for does not fit this problem.
      result.status = ConstrainedStatus::failed;
      result.message = e.what();
      result.kkt.value = result.kkt.stationarity = result.kkt.primal_infeasibility = std::nan("");
    }
    all = all && result.status == ConstrainedStatus::converged;
    json.push_back(json_of(entry.name, problem, result));
    const double published = problem.minimum_value.value_or(std::nan(""));
    const double error = std::abs(result.kkt.value - published) / (published != 0 ? std::abs(published) : 1.0);
    table.add(
        {Cell(entry.name), Cell(to_string(result.status)), Cell(significant(result.kkt.value, 10)),
         Cell(significant(published, 10)),
         Cell(std::isfinite(error) ? fmt::format("{:.1f}", std::min(15.0, -std::log10(std::max(error, 1e-16)))) : ""),
         Cell(significant(result.kkt.stationarity, 2)), Cell(significant(result.kkt.primal_infeasibility, 2)),
         Cell(fmt::format("{}", result.evaluations)), Cell(to_string(result.kkt.second_order))});
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}", terminal_text(table, terminal_style(stdout)));
  }
  return all ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
