#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/objective/finite_sum.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"
#include "hesse/validation/derivative_check.h"

#include <cstdio>
#include <numeric>

namespace hesse::app {
namespace {

struct CheckOptions {
  std::string problem;
  Index seed = 1;
  Index directions = 3;
  Index samples = 200;
  Precision precision = Precision::float64;
  Index threads = 0;
  bool json = false;
};
void visit_options(CheckOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of the directions");
  v.option("directions", o.directions, Interval::closed(1, 1000), "random directions");
  v.option("samples", o.samples, Interval::closed(0, 1e9), "samples of a data set that are used; 0 means all");
  visit_precision(o.precision, v);
  visit_threads(o.threads, v);
  v.option("json", o.json, "print JSON");
}

}  // namespace

int check_derivatives_command(Arguments arguments) {
  const auto options = read_command_line<CheckOptions>(
      "check-derivatives", "Check gradient and Hessian products against central differences.", arguments);
  use_threads(options.threads);
  Problem problem = make_problem(options.problem, options.precision);
  Objective& f = *problem.objective;
  if (auto* sum = find<FiniteSum>(f); sum != nullptr && options.samples > 0 && options.samples < sum->sample_count()) {
    std::vector<Index> first(static_cast<std::size_t>(options.samples));
    std::iota(first.begin(), first.end(), Index{0});
    sum->select(first);
  }
  DerivativeCheckOptions check_options;
  check_options.directions = static_cast<int>(options.directions);
  check_options.seed = static_cast<std::uint64_t>(options.seed);
  if (options.precision == Precision::float32 && find<FiniteSum>(f) != nullptr) {
    // The best central difference of a function known to eps is off by about eps^(2/3).
    check_options.gradient_threshold = 1e-3;
    check_options.product_threshold = 1e-2;
    check_options.symmetry_threshold = 1e-4;
  }
  const Vector x = problem.start(static_cast<std::uint64_t>(options.seed));
  const DerivativeCheck check = check_derivatives(f, x, check_options);

  if (options.json) {
    Json json;
    json["problem"] = options.problem;
    json["precision"] = to_string(options.precision);
    json["parameters"] = x.size();
    json["good"] = check.good();
    json["gradient_error"] = json_number(check.gradient_error);
    json["product_error"] = json_number(check.product_error);
    json["asymmetry"] = json_number(check.asymmetry);
    json["worst_block"] = check.worst_block;
    json["sweep"] = Json::array();
    for (const SweepPoint& p : check.sweep) {
      json["sweep"].push_back({{"step", json_number(p.step)},
                               {"gradient_error", json_number(p.gradient_error)},
                               {"product_error", json_number(p.product_error)}});
    }
    fmt::print("{}", json_text(json));
  } else {
    Table table;
    table.title = fmt::format("relative error of central differences, {}", options.problem);
    table.columns = {{"step"}, {"gradient"}, {"Hessian product"}};
    for (const SweepPoint& p : check.sweep) {
      table.add({Cell(fmt::format("{:.0e}", p.step)), Cell(fmt::format("{:.1e}", p.gradient_error)),
                 Cell(fmt::format("{:.1e}", p.product_error))});
    }
    say("{}\n{}", problem.description, terminal_text(table, terminal_style(stdout)));
    const auto verdict = [](bool good) { return good ? "good" : "WRONG"; };
    say("gradient         {:.1e} <= {:.0e}: {}\n", check.gradient_error, check_options.gradient_threshold,
        verdict(check.gradient_good));
    say("Hessian product  {:.1e} <= {:.0e}: {} (largest discrepancy in {})\n", check.product_error,
        check_options.product_threshold, verdict(check.product_good), check.worst_block);
    say("symmetry         {:.1e} <= {:.0e}: {}\n", check.asymmetry, check_options.symmetry_threshold,
        verdict(check.symmetric));
  }
  return check.good() ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
