#include "hesse/experiment/tune.h"

#include "hesse/core/error.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace hesse {
namespace {

/// The learning rate that a method has, as it is written or by default.
std::optional<double> rate_of(const Spec& spec) {
  for (const OptionInfo& option : optimizers().at(spec.name).options) {
    if (option.name != "lr") continue;
    for (const auto& [name, text] : spec.arguments) {
      if (name == "lr") return parse_number("option lr", text);
    }
    return parse_number("option lr", option.value);
  }
  return std::nullopt;
}

}  // namespace

double Trial::score() const {
  const bool diverged =
      outcome.status == RunStatus::failed || outcome.verdict.termination == to_string(Termination::non_finite);
  return diverged || !std::isfinite(outcome.verdict.value) ? std::numeric_limits<double>::infinity()
                                                           : outcome.verdict.value;
}

std::vector<std::string> trial_methods(const std::string& method, Index trials) {
  OptimizerSpec chain = parse_optimizer(method);
  const auto rate = rate_of(chain.method);
  std::vector<std::string> methods;
  if (!rate) return methods;
  auto& arguments = chain.method.arguments;
  std::erase_if(arguments, [](const auto& argument) { return argument.first == "lr"; });
  arguments.insert(arguments.begin(), {"lr", ""});
  for (Index i = 0; i < trials; ++i) {
    const double power = 0.5 * (static_cast<double>(i) - 0.5 * static_cast<double>(trials - 1));
    arguments.front().second = fmt::format("{:.3g}", *rate * std::pow(10.0, power));
    methods.push_back(chain.text());
  }
  return methods;
}

Tuning tune(const RunSettings& settings, Problem& problem, Index trials, const std::filesystem::path& folder,
            const std::function<RunHooks(const std::string&)>& hooks_of) {
  Tuning tuning{settings.method, settings.method, {}, false, false};
  for (const std::string& method : trial_methods(settings.method, trials)) {
    RunSettings one = settings;
    one.method = method;
    Trial trial{method,
                run(one, problem, folder / fmt::format("trial-{}", tuning.trials.size() + 1), hooks_of(method))};
    if (trial.outcome.status == RunStatus::interrupted) {
      tuning.interrupted = true;
      return tuning;
    }
    tuning.trials.push_back(std::move(trial));
  }
  const auto best = std::min_element(tuning.trials.begin(), tuning.trials.end(),
                                     [](const Trial& a, const Trial& b) { return a.score() < b.score(); });
  if (best != tuning.trials.end() && std::isfinite(best->score())) {
    tuning.best = best->method;
    tuning.at_edge = best == tuning.trials.begin() || best + 1 == tuning.trials.end();
  }
  return tuning;
}

}  // namespace hesse
