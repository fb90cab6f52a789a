// What theory says of optimization methods, each claim with what is measured here and a verdict.
#pragma once

#include "hesse/report/plot.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace hesse::theory {

struct Measurement {
  std::string setting;  // "condition 1e4, heavy ball"
  double measured = 0;
  // The claim holds when low <= measured <= high; without either, the number is shown and nothing is claimed of it.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool claimed() const { return std::isfinite(low) || std::isfinite(high); }
  bool holds() const { return !claimed() || (measured >= low && measured <= high); }
};

struct Claim {
  std::string name;
  std::string text;  // one sentence, with what `measured` is
  std::string source;
  std::vector<Measurement> (*measure)();
  Plot (*draw)();
};

// A line of one run.
inline Series line(std::string name, std::vector<double> x, std::vector<double> y) {
  return {std::move(name), {{std::move(x), std::move(y)}}};
}

// Each in the file of its subject; a new one is a function and a line there.
std::vector<Claim> deterministic_claims();
std::vector<Claim> stochastic_claims();
std::vector<Claim> adaptive_claims();
std::vector<Claim> training_claims();
std::vector<Claim> newton_claims();

}  // namespace hesse::theory
