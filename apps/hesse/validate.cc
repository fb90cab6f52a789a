#include "command_line.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"
#include "hesse/validation/validate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct ValidateCommandOptions {
  std::vector<std::string> problem;
  std::string suite;
  std::string optimizer = ValidationOptions{}.optimizer;
  std::string ceres = "auto";
  Index seed = 1;
  double gradient_tolerance = 1e-8;
  Index max_steps = 10000;
  double max_seconds = 60;
  Index threads = 0;
  std::string csv;
  std::string output;
  bool json = false;
  bool dry_run = false;
};
void visit_options(ValidateCommandOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "a problem, as name:key=value,...; may be given several times");
  v.option("suite", o.suite,
           "analytic, mgh, nist, nist-linear, regression, network, bundle-adjustment or all (default analytic)");
  v.option(
      "optimizer", o.optimizer,
      "our side, as name:key=value,...; auto: gauss-newton on residuals, newton up to 1000 variables, else newton-cg");
  v.option(
      "ceres", o.ceres,
      "their side: lm, dogleg, subspace-dogleg, steepest-descent, cg-fr, cg-pr, cg-hs, bfgs, lbfgs, or auto: lm on "
      "residuals and lbfgs elsewhere");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point");
  v.option("gradient-tolerance", o.gradient_tolerance, Interval::positive(), "on |g|, where both sides may stop");
  v.option("max-steps", o.max_steps, Interval::closed(1, 2e9), "of either side");
  v.option("max-seconds", o.max_seconds, Interval::positive(), "of either side");
  visit_threads(o.threads, v);
  v.option("csv", o.csv, "file for the table as CSV, with all digits");
  v.option("output", o.output, "folder for validation.json and validation.csv (default: none is written)");
  v.option("json", o.json, "print JSON");
  v.option("dry-run", o.dry_run, "try every problem for a moment, and say what time all will take; write nothing");
}

std::optional<CeresMethod> ceres_method(const std::string& text) {
  if (text == "auto") return std::nullopt;
  std::vector<std::string> names = {"auto"};
  for (const auto& [name, method] : ceres_methods()) {
    if (name == text) return method;
    names.push_back(name);
  }
  fail("hesse validate: option ceres: there is no '{}'{}; choose one of {}", text, suggestion(text, names),
       fmt::join(names, ", "));
}

std::vector<std::string> problems_of(const ValidateCommandOptions& options) {
  std::vector<std::string> specs = options.problem;
  if (!options.suite.empty() || specs.empty()) {
    for (std::string& spec : validation_suite(options.suite.empty() ? "analytic" : options.suite)) {
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

std::string digits(double value) { return std::isnan(value) ? "" : fmt::format("{:.1f}", value); }

Json json_of(const ValidationSide& side) {
  Json json;
  json["method"] = side.method;
  json["status"] = side.status;
  json["message"] = side.message;
  json["value"] = json_number(side.value);
  json["gradient_norm"] = json_number(side.gradient_norm);
  json["arrived"] = side.arrived;
  json["kind"] = to_string(side.point.kind);
  json["certified"] = side.point.certified;
  json["index"] = side.point.index;
  json["least_eigenvalue"] = json_number(side.point.least_eigenvalue);
  json["largest_eigenvalue"] = json_number(side.point.largest_eigenvalue);
  json["eigenvalue_error"] = json_number(side.point.eigenvalue_error);
  json["classification"] = side.point.message;
  json["value_digits"] = json_number(side.value_digits);
  json["parameter_digits"] = json_number(side.parameter_digits);
  json["value_bound"] = json_number(side.value_bound);
  json["distance_bound"] = json_number(side.distance_bound);
  json["standard_errors"] = Json::array();
  for (const double error : side.standard_errors) json["standard_errors"].push_back(json_number(error));
  json["standard_error_digits"] = json_number(side.standard_error_digits);
  json["values"] = side.cost.values;
  json["gradients"] = side.cost.gradients;
  json["products"] = side.cost.products;
  json["seconds"] = json_number(side.seconds);
  return json;
}

Json json_of(const Validation& v) {
  Json json;
  json["problem"] = v.problem;
  json["parameters"] = v.parameters;
  json["verdict"] = to_string(v.verdict.agreement);
  json["message"] = v.verdict.message;
  json["digits"] = json_number(v.verdict.digits);
  json["distance"] = json_number(v.distance);
  json["parameter_digits"] = json_number(v.parameter_digits);
  json["hesse"] = json_of(v.hesse);
  json["ceres"] = json_of(v.ceres);
  json["ceres"]["claimed_value"] = json_number(v.claimed_value);
  json["ceres"]["claim_is_false"] = v.claim_is_false;
  return json;
}

/// "12+30+40": values, gradients and products.
std::string evaluations(const Cost& cost) {
  return fmt::format("{}+{}+{}", cost.values, cost.gradients, cost.products);
}

std::string status_of(const Validation& v) { return v.claim_is_false ? v.ceres.status + " (false)" : v.ceres.status; }

Table table_of(const std::vector<Validation>& all) {
  const bool certified = std::any_of(all.begin(), all.end(),
                                     [](const Validation& v) { return !std::isnan(v.hesse.standard_error_digits); });
  Table table;
  table.title = fmt::format("Hesse against Ceres {}; evaluations are values+gradients+products", ceres_version());
  table.columns = {{"problem", false}, {"Hesse"},        {"Ceres"},         {"digits"},        {"distance"},
                   {"evaluations"},    {"of Ceres"},     {"seconds"},       {"of Ceres"},      {"ended", false},
                   {"Ceres", false},   {"point", false}, {"Ceres'", false}, {"verdict", false}};
  // Digits of our parameters and of their standard errors, where both are certified.
  if (certified) table.columns.insert(table.columns.end(), {{"parameters"}, {"errors"}});
  // What is proven of our value, where the problem is strongly convex.
  const bool bounded =
      std::any_of(all.begin(), all.end(), [](const Validation& v) { return !std::isnan(v.hesse.value_bound); });
  if (bounded) table.columns.push_back({"f - min <="});
  for (const Validation& v : all) {
    std::vector<Cell> row = {Cell(v.problem),
                             Cell(significant(v.hesse.value, 8)),
                             Cell(significant(v.ceres.value, 8)),
                             Cell(digits(v.verdict.digits)),
                             Cell(significant(v.distance, 2)),
                             Cell(evaluations(v.hesse.cost)),
                             Cell(evaluations(v.ceres.cost)),
                             Cell(significant(v.hesse.seconds, 2)),
                             Cell(significant(v.ceres.seconds, 2)),
                             Cell(v.hesse.status),
                             Cell(status_of(v)),
                             Cell(to_string(v.hesse.point.kind)),
                             Cell(to_string(v.ceres.point.kind)),
                             Cell(to_string(v.verdict.agreement))};
    if (certified) {
      row.emplace_back(digits(v.hesse.parameter_digits));
      row.emplace_back(digits(v.hesse.standard_error_digits));
    }
    if (bounded) row.emplace_back(std::isnan(v.hesse.value_bound) ? "" : significant(v.hesse.value_bound, 2));
    table.add(std::move(row));
  }
  return table;
}

/// Every figure in full.
Table csv_table(const std::vector<Validation>& all) {
  Table table;
  table.columns = {{"problem"}, {"parameters"}, {"verdict"}, {"digits"}, {"distance"}, {"parameter_digits"}};
  for (const char* side : {"hesse", "ceres"}) {
    for (const char* column : {"method", "status", "value", "gradient_norm", "arrived", "kind", "least_eigenvalue",
                               "value_digits", "parameter_digits", "standard_error_digits", "value_bound",
                               "distance_bound", "values", "gradients", "products", "seconds"}) {
      table.columns.push_back({fmt::format("{}_{}", side, column)});
    }
  }
  table.columns.push_back({"ceres_claimed_value"});
  table.columns.push_back({"ceres_claim_is_false"});
  table.columns.push_back({"message"});
  for (const Validation& v : all) {
    std::vector<Cell> row = {Cell(v.problem),
                             Cell(fmt::format("{}", v.parameters)),
                             Cell(to_string(v.verdict.agreement)),
                             Cell(fmt::format("{}", v.verdict.digits)),
                             Cell(fmt::format("{}", v.distance)),
                             Cell(fmt::format("{}", v.parameter_digits))};
    for (const ValidationSide* side : {&v.hesse, &v.ceres}) {
      row.emplace_back(side->method);
      row.emplace_back(side->status);
      row.emplace_back(fmt::format("{}", side->value));
      row.emplace_back(fmt::format("{}", side->gradient_norm));
      row.emplace_back(side->arrived ? "yes" : "no");
      row.emplace_back(to_string(side->point.kind));
      row.emplace_back(fmt::format("{}", side->point.least_eigenvalue));
      row.emplace_back(fmt::format("{}", side->value_digits));
      row.emplace_back(fmt::format("{}", side->parameter_digits));
      row.emplace_back(fmt::format("{}", side->standard_error_digits));
      row.emplace_back(fmt::format("{}", side->value_bound));
      row.emplace_back(fmt::format("{}", side->distance_bound));
      row.emplace_back(fmt::format("{}", side->cost.values));
      row.emplace_back(fmt::format("{}", side->cost.gradients));
      row.emplace_back(fmt::format("{}", side->cost.products));
      row.emplace_back(fmt::format("{}", side->seconds));
    }
    row.emplace_back(fmt::format("{}", v.claimed_value));
    row.emplace_back(v.claim_is_false ? "yes" : "no");
    row.emplace_back(v.verdict.message);
    table.add(std::move(row));
  }
  return table;
}

constexpr std::array kAgreements = {Agreement::agree, Agreement::agree_in_value, Agreement::hesse_better,
                                    Agreement::ceres_better, Agreement::both_failed};

Index count_of(const std::vector<Validation>& all, Agreement agreement) {
  Index count = 0;
  for (const Validation& v : all) count += v.verdict.agreement == agreement ? 1 : 0;
  return count;
}

/// The sentence of each verdict that is no plain agreement.
void explain(const std::vector<Validation>& all) {
  for (const Validation& v : all) {
    if (v.verdict.agreement == Agreement::agree && !v.claim_is_false) continue;
    say("{}: {}\n", v.problem, v.verdict.message);
    if (v.claim_is_false) {
      say("  Ceres claims {} at {:.10g}, where f is {:.10g} and |g| {:.3g}\n", v.ceres.status, v.claimed_value,
          v.ceres.value, v.ceres.gradient_norm);
    }
    for (const ValidationSide* side : {&v.hesse, &v.ceres}) {
      if (!side->arrived) say("  {}: {}; {}\n", side->method, side->message, side->point.message);
    }
  }
}

/// Tries both sides on every problem, and adds what judging the two answers takes.
std::vector<TriedCells> tried(const std::vector<std::string>& specs, const ValidationOptions& options) {
  ValidationOptions trial = options;
  trial.max_seconds = std::min(kTrial, options.max_seconds);
  std::vector<TriedCells> rows;
  for (const std::string& spec : specs) {
    Problem problem = make_problem(spec, Precision::float64);
    const Validation v = solve_both(spec, problem, trial);
    TriedCells row{spec};
    for (const ValidationSide* side : {&v.hesse, &v.ceres}) add_cell(row, side->seconds, options.max_seconds);
    row.seconds += 2 * seconds_of(*problem.objective, problem.start(options.seed),
                                  classification_work(options.classify, problem.objective->size()));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int validate_command(Arguments arguments) {
  const auto options = read_command_line<ValidateCommandOptions>(
      "validate", "Solve problems with Hesse and with Ceres from the same start, and judge both answers by ourselves.",
      arguments);
  use_threads(options.threads);
  ValidationOptions validation;
  validation.optimizer = options.optimizer;
  validation.ceres = ceres_method(options.ceres);
  validation.seed = static_cast<std::uint64_t>(options.seed);
  validation.gradient_tolerance = options.gradient_tolerance;
  validation.max_steps = options.max_steps;
  validation.max_seconds = options.max_seconds;

  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path() : output_folder(options.output, "validate");
  if (options.dry_run) {
    return dry_run("problem", tried(problems_of(options), validation), 1, options.max_seconds, options.json);
  }
  std::vector<Validation> all;
  for (const std::string& spec : problems_of(options)) {
    Problem problem = make_problem(spec, Precision::float64);
    all.push_back(validate(spec, problem, validation));
  }
  if (!options.csv.empty()) write_file(options.csv, csv_text(csv_table(all)));
  Json json;
  json["ceres"] = ceres_version();
  json["optimizer"] = options.optimizer;
  json["problems"] = Json::array();
  for (const Validation& v : all) json["problems"].push_back(json_of(v));
  for (const Agreement agreement : kAgreements) json["counts"][to_string(agreement)] = count_of(all, agreement);
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "validation.json", json_text(json));
    write_file(folder / "validation.csv", csv_text(csv_table(all)));
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}", terminal_text(table_of(all), terminal_style(stdout)));
    explain(all);
    std::string counts;
    for (const Agreement agreement : kAgreements) {
      if (const Index count = count_of(all, agreement); count > 0) {
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, to_string(agreement));
      }
    }
    say("{} problems: {}\n", all.size(), counts);
  }
  const Index missed = count_of(all, Agreement::ceres_better) + count_of(all, Agreement::both_failed);
  return missed == 0 ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
