#include "hesse/validation/validate.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/least_squares.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/validation/standard_errors.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

std::string optimizer_for(Objective& f, const ValidationOptions& options) {
  if (options.optimizer != "auto") return options.optimizer;
  if (find_whole<Residuals>(f) != nullptr) return "gauss-newton";
  return f.size() <= 1000 ? "newton" : "newton-cg";
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> documented_minima(const Problem& problem) {
  std::vector<double> minima = problem.local_minima;
  if (problem.minimum_value) minima.push_back(*problem.minimum_value);
  return minima;
}

ValidationSide run_hesse(Problem& problem, const Vector& x0, const ValidationOptions& options) {
  ValidationSide side;
  side.method = optimizer_for(*problem.objective, options);
  side.x = x0;
  try {
    const auto optimizer = make_optimizer(side.method, {*problem.objective, options.seed});
    Stopping stopping;
    stopping.gradient_tolerance = options.gradient_tolerance;
    stopping.max_steps = options.max_steps;
    stopping.max_seconds = options.max_seconds;
    const Summary summary = minimize(*optimizer, *problem.objective, side.x, stopping);
    side.status = to_string(summary.termination);
    side.message = summary.message;
    side.cost = summary.progress.cost;
    side.seconds = summary.progress.seconds;
  } catch (const Error& e) {
    side.status = "failed";
    side.message = e.what();
  }
  return side;
}

ValidationSide run_ceres(Problem& problem, const Vector& x0, const ValidationOptions& options, Validation& validation) {
  Objective& f = *problem.objective;
  CeresOptions ceres;
  ceres.method = options.ceres             ? *options.ceres
                 : is_least_squares(f, x0) ? CeresMethod::levenberg_marquardt
                                           : CeresMethod::lbfgs;
  // Ceres measures the largest entry: below this one, |g|_2 is within our tolerance.
  ceres.gradient_tolerance = options.gradient_tolerance / std::sqrt(static_cast<double>(x0.size()));
  ceres.max_iterations = options.max_steps;
  ceres.max_seconds = options.max_seconds;
  ValidationSide side;
  side.method = fmt::format("ceres-{}", to_string(ceres.method));
  side.x = x0;
  try {
    const CeresResult result = ceres_solve(f, x0, ceres);
    side.status = to_string(result.claim);
    side.message = result.message;
    side.x = result.x;
    side.cost = result.cost;
    side.seconds = result.seconds;
    validation.claimed_value = result.claimed_value;
    validation.claim_is_false = result.claim_is_false();
  } catch (const Error& e) {
    side.status = "failed";
    side.message = e.what();
    validation.claimed_value = kNaN;
  }
  return side;
}

/// What our own evaluation says of the point that a side returned.
void judge_side(ValidationSide& side, Problem& problem, const ValidationOptions& options) {
  ClassifyOptions classify_options = options.classify;
  classify_options.gradient_tolerance = options.gradient_tolerance;
  side.point = classify(*problem.objective, side.x, classify_options);
  side.value = side.point.value;
  side.gradient_norm = side.point.gradient_norm;
  side.value_digits = kNaN;
  bool documented = false;
  for (const double minimum : documented_minima(problem)) {
    side.value_digits = std::fmax(side.value_digits, log_relative_error(side.value, minimum));
    documented = documented || is_documented_minimum(side.value, minimum);
  }
  side.parameter_digits = kNaN;
  for (const Vector& minimiser : problem.minimisers) {
    side.parameter_digits = std::fmax(side.parameter_digits, log_relative_error(side.x, minimiser));
  }
  const double mu = problem.strong_convexity;
  side.value_bound = mu > 0 ? side.gradient_norm * side.gradient_norm / (2 * mu) : kNaN;
  side.distance_bound = mu > 0 ? side.gradient_norm / mu : kNaN;
  side.standard_errors = standard_errors(*problem.objective, side.x);
  side.standard_error_digits =
      side.standard_errors.size() == problem.standard_errors.size() && problem.standard_errors.size() > 0
          ? log_relative_error(side.standard_errors, problem.standard_errors)
          : kNaN;
  // A documented value counts where the gradient is not small enough, since f may be known no better, and where the
  // Hessian is singular; never at a point from which f falls. A singular point of another value may be a plateau.
  const CriticalKind kind = side.point.kind;
  const bool known = !documented_minima(problem).empty();
  const bool by_value = documented && kind != CriticalKind::saddle && kind != CriticalKind::maximum;
  const bool by_kind = kind == CriticalKind::minimum || (!known && side.point.may_be_minimum());
  side.arrived = side.status != "failed" && kind != CriticalKind::non_finite && (by_value || by_kind);
}

Answer answer_of(const ValidationSide& side) {
  std::string kind = to_string(side.point.kind);
  if (side.point.kind == CriticalKind::saddle || side.point.kind == CriticalKind::maximum) kind = "a " + kind;
  return {side.arrived, side.value, side.status == "failed" ? "missing, since it failed" : kind};
}

double relative_distance(Problem& problem, const Vector& x, const Vector& y) {
  const HiddenLayer network = hidden_layer_of(*problem.objective);
  const double apart =
      network.hidden > 0 ? distance_up_to_units(x, y, network) : distance_up_to_minimisers(x, y, problem.minimisers);
  return apart / std::max(1.0, norm(x));
}

std::vector<std::string> analytic_suite() {
  return {"rosenbrock",           "rosenbrock:n=10", "beale",
          "himmelblau",           "double-well",     "styblinski-tang",
          "styblinski-tang:n=10", "quadratic",       "quadratic:condition=1e6"};
}

std::vector<std::string> mgh_suite() {
  std::vector<std::string> specs;
  for (int number = 1; number <= 35; ++number) {
    for (const int start : {1, 10, 100}) specs.push_back(fmt::format("mgh:number={},start={}", number, start));
  }
  return specs;
}

/// By NIST's levels of difficulty: lower, average, higher.
std::vector<std::string> nist_suite() {
  std::vector<std::string> specs;
  for (const char* set :
       {"Misra1a", "Chwirut2", "Chwirut1", "Lanczos3", "Gauss1",   "Gauss2", "DanWood",  "Misra1b", "Kirby2",
        "Hahn1",   "Nelson",   "MGH17",    "Lanczos1", "Lanczos2", "Gauss3", "Misra1c",  "Misra1d", "Roszman1",
        "ENSO",    "MGH09",    "Thurber",  "BoxBOD",   "Rat42",    "MGH10",  "Eckerle4", "Rat43",   "Bennett5"}) {
    for (const int start : {1, 2}) specs.push_back(fmt::format("nist:set={},start={}", set, start));
  }
  return specs;
}

std::vector<std::string> nist_linear_suite() {
  std::vector<std::string> specs;
  for (const char* set : {"Norris", "Pontius", "NoInt1", "NoInt2", "Filip", "Longley", "Wampler1", "Wampler2",
                          "Wampler3", "Wampler4", "Wampler5"}) {
    specs.push_back(fmt::format("nist-linear:set={}", set));
  }
  return specs;
}

/// Strictly convex by the penalty on all parameters, so that there is one minimum.
std::vector<std::string> regression_suite() {
  return {"softmax-regression:data=digits,l2=1e-2,l2_biases=true",
          "softmax-regression:data=digits,l2=1e-4,l2_biases=true",
          "logistic-regression:data=breast-cancer,l2=1e-2,l2_biases=true",
          "logistic-regression:data=breast-cancer,l2=1e-4,l2_biases=true",
          "linear-regression:l2=1e-2,l2_biases=true",
          "linear-regression:l2=1e-4,l2_biases=true"};
}

std::vector<std::string> network_suite() {
  return {"mlp:data=digits,hidden=8,activation=tanh,l2=1e-2,l2_biases=true",
          "mlp:data=breast-cancer,hidden=4,activation=tanh,l2=1e-2,l2_biases=true"};
}

std::vector<std::string> bundle_adjustment_suite() { return {"bundle-adjustment"}; }

struct Suite {
  const char* name;
  std::vector<std::string> (*specs)();
};
constexpr Suite kSuites[] = {{"analytic", analytic_suite},
                             {"mgh", mgh_suite},
                             {"nist", nist_suite},
                             {"nist-linear", nist_linear_suite},
                             {"regression", regression_suite},
                             {"network", network_suite},
                             {"bundle-adjustment", bundle_adjustment_suite}};

}  // namespace

bool is_documented_minimum(double value, double minimum) {
  return minimum != 0 ? log_relative_error(value, minimum) >= 5 : std::abs(value) <= 1e-10;
}

Validation solve_both(const std::string& spec, Problem& problem, const ValidationOptions& options) {
  if (!(options.gradient_tolerance > 0)) {
    fail("validate: a gradient tolerance of {} is not possible; give a positive number", options.gradient_tolerance);
  }
  if (options.max_steps < 1 || !(options.max_seconds > 0)) {
    fail("validate: {} steps and {} s; give at least one step and a positive time", options.max_steps,
         options.max_seconds);
  }
  Validation validation;
  validation.problem = spec;
  validation.description = problem.description;
  validation.parameters = problem.objective->size();
  const Vector x0 = problem.start(options.seed);
  validation.hesse = run_hesse(problem, x0, options);
  validation.ceres = run_ceres(problem, x0, options, validation);
  return validation;
}

Validation validate(const std::string& spec, Problem& problem, const ValidationOptions& options) {
  Validation validation = solve_both(spec, problem, options);
  judge_side(validation.hesse, problem, options);
  judge_side(validation.ceres, problem, options);
  validation.distance = relative_distance(problem, validation.hesse.x, validation.ceres.x);
  validation.parameter_digits = log_relative_error(validation.hesse.x, validation.ceres.x);
  AgreementOptions agreement = options.agreement;
  agreement.documented = documented_minima(problem);
  validation.verdict = judge(answer_of(validation.hesse), answer_of(validation.ceres), validation.distance, agreement);
  return validation;
}

std::vector<std::string> validation_suite(std::string_view name) {
  std::vector<std::string> specs;
  for (const Suite& suite : kSuites) {
    if (name != "all" && name != suite.name) continue;
    for (std::string& spec : suite.specs()) specs.push_back(std::move(spec));
  }
  if (specs.empty()) {
    const std::vector<std::string> names = validation_suites();
    fail("there is no suite '{}'{}; there are {}", name, suggestion(name, names), fmt::join(names, ", "));
  }
  return specs;
}

std::vector<std::string> validation_suites() {
  std::vector<std::string> names;
  for (const Suite& suite : kSuites) names.emplace_back(suite.name);
  names.emplace_back("all");
  return names;
}

}  // namespace hesse
