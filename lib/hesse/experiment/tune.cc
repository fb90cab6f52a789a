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

std::string at_power(const std::string& method, double power) {
  OptimizerSpec chain = parse_optimizer(method);
  const auto rate = rate_of(chain.method);
  if (!rate) return {};
  auto& arguments = chain.method.arguments;
  std::erase_if(arguments, [](const auto& argument) { return argument.first == "lr"; });
  arguments.insert(arguments.begin(), {"lr", fmt::format("{:.3g}", *rate * std::pow(10.0, power))});
  return chain.text();
}

double next_power(std::span<const Tried> tried) {
  if (tried.empty()) return 0;
  std::vector<Tried> sorted(tried.begin(), tried.end());
  std::sort(sorted.begin(), sorted.end(), [](const Tried& a, const Tried& b) { return a.power < b.power; });
  const auto best =
      std::min_element(sorted.begin(), sorted.end(), [](const Tried& a, const Tried& b) { return a.score < b.score; });
  // The only rate so far is at both edges: the higher one comes first, as the one that may train faster, unless this
  // one diverged.
  if (best + 1 == sorted.end() && std::isfinite(best->score)) return best->power + 1;
  if (best == sorted.begin()) return best->power - 1;
  const double below = best->power - (best - 1)->power;
  const double above = (best + 1)->power - best->power;
  return above >= below ? best->power + 0.5 * above : best->power - 0.5 * below;
}

Tuning tune(const RunSettings& settings, Problem& problem, Index trials, const std::filesystem::path& folder,
            const std::function<RunHooks(const std::string&)>& hooks_of) {
  Tuning tuning{settings.method, settings.method, {}, false, false};
  if (at_power(settings.method, 0).empty()) return tuning;
  std::vector<Tried> tried;
  while (std::ssize(tried) < trials) {
    const double power = next_power(tried);
    RunSettings one = settings;
    one.method = at_power(settings.method, power);
    Trial trial{one.method, run(one, problem, folder / fmt::format("trial-{}", tried.size() + 1), hooks_of(one.method)),
                power};
    if (trial.outcome.status == RunStatus::interrupted) {
      tuning.interrupted = true;
      return tuning;
    }
    tried.push_back({power, trial.score()});
    tuning.trials.push_back(std::move(trial));
  }
  const auto by_score = [](const Tried& a, const Tried& b) {
    return a.score < b.score || (a.score == b.score && a.power < b.power);
  };
  const auto by_power = [](const Tried& a, const Tried& b) { return a.power < b.power; };
  const auto best = std::min_element(tried.begin(), tried.end(), by_score);
  if (best != tried.end() && std::isfinite(best->score)) {
    tuning.best = tuning.trials[static_cast<std::size_t>(best - tried.begin())].method;
    const auto [lowest, highest] = std::minmax_element(tried.begin(), tried.end(), by_power);
    tuning.at_edge = best->power == lowest->power || best->power == highest->power;
  }
  return tuning;
}

}  // namespace hesse
