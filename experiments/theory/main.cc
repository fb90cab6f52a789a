// Measures the claims of theory on first-order methods. Usage: hesse_theory [NAME...]; all when none is named. Prints a
// Markdown table and exits with 1 when a claim does not hold.

#include "claims.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cmath>
#include <exception>

using namespace hesse;
using namespace hesse::theory;

namespace {

std::string range_of(const Measurement& m) {
  if (std::isinf(m.high)) return fmt::format(">= {}", significant(m.low, 4));
  return fmt::format("[{}, {}]", significant(m.low, 4), significant(m.high, 4));
}

int run(const std::vector<std::string>& wanted) {
  std::vector<Claim> all;
  for (const auto& part : {deterministic_claims(), stochastic_claims(), adaptive_claims(), training_claims()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::vector<std::string> names;
  for (const Claim& claim : all) names.push_back(claim.name);
  for (const std::string& name : wanted) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      fail("there is no claim '{}'{}", name, suggestion(name, names));
    }
  }
  bool hold = true;
  for (const Claim& claim : all) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), claim.name) == wanted.end()) continue;
    Table table;
    table.columns = {{"setting", false}, {"measured"}, {"claimed"}, {"verdict", false}};
    for (const Measurement& m : claim.measure()) {
      hold = hold && m.holds();
      table.add({Cell(m.setting), Cell(significant(m.measured, 4)), Cell(range_of(m)),
                 Cell(m.holds() ? "reproduced" : "not reproduced")});
    }
    fmt::print("**{}**. {} ({}).\n\n{}\n", claim.name, claim.text, claim.source, markdown_text(table));
  }
  return hold ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    fmt::print(stderr, "hesse_theory: {}\n", e.what());
    return 2;
  }
}
