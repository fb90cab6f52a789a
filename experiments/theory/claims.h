// What theory says of first-order methods, each claim with what is measured here and a verdict.
#pragma once

#include <string>
#include <vector>

namespace hesse::theory {

struct Measurement {
  std::string setting;  // "condition 1e4, heavy ball"
  double measured = 0;
  double low = 0;  // the claim holds when low <= measured <= high
  double high = 0;
  bool holds() const { return measured >= low && measured <= high; }
};

struct Claim {
  std::string name;
  std::string text;  // one sentence, with what `measured` is
  std::string source;
  std::vector<Measurement> (*measure)();
};

// Each in the file of its subject; a new one is a function and a line there.
std::vector<Claim> deterministic_claims();
std::vector<Claim> stochastic_claims();
std::vector<Claim> adaptive_claims();
std::vector<Claim> training_claims();

}  // namespace hesse::theory
