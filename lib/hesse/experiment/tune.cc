#include "hesse/experiment/tune.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

namespace hesse {
namespace {

constexpr double kWorst = std::numeric_limits<double>::infinity();

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

const char* to_string(Search search) { return search == Search::rate ? "rate" : "space"; }

double TuningTrial::value() const {
  const Verdict& v = outcome.verdict;
  const bool diverged = outcome.status == RunStatus::failed || v.termination == to_string(Termination::non_finite);
  return diverged || !std::isfinite(v.value) ? kWorst : v.value;
}

double TuningTrial::score(double target) const {
  if (!std::isfinite(target)) return value();
  return value() <= target ? outcome.verdict.progress.cost.gradient_equivalents : kWorst;
}

BestOf best_of(std::vector<double> scores) {
  std::sort(scores.begin(), scores.end());
  const std::size_t n = scores.size();
  BestOf best;
  for (std::size_t k = 1; k <= n; ++k) {
    // Of all subsets of k, the share whose best is no worse than scores[i] is 1 - C(n - i - 1, k) / C(n, k).
    const auto quantile = [&](double q) {
      double none_so_far = 1;
      for (std::size_t i = 0; i < n; ++i) {
        const auto left = static_cast<double>(n - i);
        none_so_far *= std::max(0.0, left - static_cast<double>(k)) / left;
        if (1 - none_so_far >= q * (1 - 1e-12)) return scores[i];
      }
      return scores.back();
    };
    best.lower.push_back(quantile(0.25));
    best.median.push_back(quantile(0.5));
    best.upper.push_back(quantile(0.75));
  }
  return best;
}

std::vector<double> halton_point(std::size_t dimensions, std::uint64_t seed, std::uint64_t index) {
  constexpr std::uint64_t kPrimes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29};
  if (dimensions > std::size(kPrimes)) {
    fail("search: {} options are tuned at once, and {} is the most that is possible", dimensions, std::size(kPrimes));
  }
  const RandomStream shift(seed, Purpose::search);
  std::vector<double> point;
  for (std::size_t d = 0; d < dimensions; ++d) {
    // The radical inverse of index + 1, for which 0 is no point.
    double u = 0;
    double place = 1;
    for (std::uint64_t rest = index + 1; rest > 0; rest /= kPrimes[d]) {
      place /= static_cast<double>(kPrimes[d]);
      u += place * static_cast<double>(rest % kPrimes[d]);
    }
    u += shift.uniform(d);
    point.push_back(u < 1 ? u : u - 1);
  }
  return point;
}

std::size_t tuned_options(const std::string& method) {
  const auto& options = optimizers().at(parse_optimizer(method).method.name).options;
  return static_cast<std::size_t>(std::count_if(options.begin(), options.end(),
                                                [](const OptionInfo& option) { return option.search.has_value(); }));
}

std::string at_point(const std::string& method, std::span<const double> point) {
  OptimizerSpec chain = parse_optimizer(method);
  std::size_t d = 0;
  for (const OptionInfo& option : optimizers().at(chain.method.name).options) {
    if (!option.search) continue;
    double value = option.search->at(point[d++]);
    auto& arguments = chain.method.arguments;
    const auto given = std::find_if(arguments.begin(), arguments.end(),
                                    [&](const auto& argument) { return argument.first == option.name; });
    if (given != arguments.end() && option.search->scale == SearchRange::Scale::logarithmic) {
      value *= parse_number("option " + option.name, given->second) / parse_number("default", option.value);
    }
    const std::string text = fmt::format("{:.3g}", value);
    if (given != arguments.end()) {
      given->second = text;
    } else {
      arguments.emplace_back(option.name, text);
    }
  }
  return chain.text();
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
  const auto best = std::min_element(sorted.begin(), sorted.end(), [](const Tried& a, const Tried& b) {
    return std::pair(a.score, a.value) < std::pair(b.score, b.value);
  });
  // The only rate so far is at both edges: the higher one comes first, as the one that may train faster, unless this
  // one diverged.
  const bool diverged = std::isinf(best->score) && std::isinf(best->value);
  if (best + 1 == sorted.end() && !diverged) return best->power + 1;
  if (best == sorted.begin()) return best->power - 1;
  const double below = best->power - (best - 1)->power;
  const double above = (best + 1)->power - best->power;
  return above >= below ? best->power + 0.5 * above : best->power - 0.5 * below;
}

namespace {

/// One trial more; false when it was interrupted.
bool run_trial(Tuning& tuning, const RunSettings& settings, const std::string& method, Problem& problem,
               const std::filesystem::path& folder, const std::function<RunHooks(const std::string&)>& hooks_of) {
  RunSettings one = settings;
  one.method = method;
  TuningTrial trial{
      method, run(one, problem, folder / fmt::format("trial-{}", tuning.trials.size() + 1), hooks_of(one.method))};
  tuning.interrupted = trial.outcome.status == RunStatus::interrupted;
  if (!tuning.interrupted) tuning.trials.push_back(std::move(trial));
  return !tuning.interrupted;
}

void search_rate(Tuning& tuning, const RunSettings& settings, Problem& problem, Index trials,
                 const std::filesystem::path& folder, const std::function<RunHooks(const std::string&)>& hooks_of) {
  std::vector<Tried> tried;
  while (std::ssize(tried) < trials) {
    const double power = next_power(tried);
    if (!run_trial(tuning, settings, at_power(settings.method, power), problem, folder, hooks_of)) return;
    tried.push_back({power, tuning.trials.back().score(settings.target), tuning.trials.back().value()});
  }
  const auto by_score = [](const Tried& a, const Tried& b) {
    return std::tuple(a.score, a.value, a.power) < std::tuple(b.score, b.value, b.power);
  };
  const auto by_power = [](const Tried& a, const Tried& b) { return a.power < b.power; };
  const auto best = std::min_element(tried.begin(), tried.end(), by_score);
  if (best != tried.end() && std::isfinite(best->value)) {
    tuning.best = tuning.trials[static_cast<std::size_t>(best - tried.begin())].method;
    const auto [lowest, highest] = std::minmax_element(tried.begin(), tried.end(), by_power);
    tuning.at_edge = best->power == lowest->power || best->power == highest->power;
  }
}

void search_space(Tuning& tuning, const RunSettings& settings, Problem& problem, Index trials,
                  const std::filesystem::path& folder, const std::function<RunHooks(const std::string&)>& hooks_of) {
  const std::size_t dimensions = tuned_options(settings.method);
  for (Index i = 0; i < trials; ++i) {
    const std::string method =
        i == 0 ? settings.method
               : at_point(settings.method, halton_point(dimensions, settings.seed, static_cast<std::uint64_t>(i - 1)));
    if (!run_trial(tuning, settings, method, problem, folder, hooks_of)) return;
  }
  const auto rank = [&](const TuningTrial& trial) { return std::pair(trial.score(settings.target), trial.value()); };
  const auto best = std::min_element(tuning.trials.begin(), tuning.trials.end(),
                                     [&](const TuningTrial& a, const TuningTrial& b) { return rank(a) < rank(b); });
  if (best != tuning.trials.end() && std::isfinite(best->value())) tuning.best = best->method;
}

}  // namespace

Tuning tune(const RunSettings& settings, Problem& problem, Search search, Index trials,
            const std::filesystem::path& folder, const std::function<RunHooks(const std::string&)>& hooks_of) {
  Tuning tuning{settings.method, settings.method, {}, false, false};
  if (search == Search::rate) {
    if (!at_power(settings.method, 0).empty()) search_rate(tuning, settings, problem, trials, folder, hooks_of);
  } else if (tuned_options(settings.method) > 0) {
    search_space(tuning, settings, problem, trials, folder, hooks_of);
  }
  return tuning;
}

}  // namespace hesse
