// Measures the claims of theory on optimization methods. Usage: hesse_theory [--figures FOLDER] [NAME...]; all when
// none is named. Prints Markdown tables and exits with 1 when a claim does not hold; with --figures, draws NAME.svg for
// each and shows it in the text.

#include "claims.h"

#include "hesse/core/blas_kernels.h"
#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

using namespace hesse;
using namespace hesse::theory;

namespace {

std::string range_of(const Measurement& m) {
  if (!m.claimed()) return "";
  if (std::isinf(m.high)) return fmt::format(">= {}", significant(m.low, 4));
  if (std::isinf(m.low)) return fmt::format("<= {}", significant(m.high, 4));
  return fmt::format("[{}, {}]", significant(m.low, 4), significant(m.high, 4));
}

int run(std::vector<std::string> wanted) {
  std::filesystem::path figures;
  if (!wanted.empty() && wanted[0] == "--figures") {
    if (wanted.size() < 2) fail("--figures: name the folder to draw into");
    figures = wanted[1];
    wanted.erase(wanted.begin(), wanted.begin() + 2);
    std::filesystem::create_directories(figures);
  }
  std::vector<Claim> all;
  for (const auto& part :
       {deterministic_claims(), stochastic_claims(), adaptive_claims(), training_claims(), newton_claims()}) {
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
                 Cell(!m.claimed() ? ""
                      : m.holds()  ? "reproduced"
                                   : "not reproduced")});
    }
    fmt::print("**{}**. {} ({}).\n\n{}\n", claim.name, claim.text, claim.source, markdown_text(table));
    if (figures.empty()) continue;
    Palette palette;
    write_plot(figures / (claim.name + ".svg"), claim.draw(), palette);
    fmt::print("![{}]({})\n\n", claim.name, (figures / (claim.name + ".svg")).string());
  }
  return hold ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  restart_with_better_blas_kernels(argv);
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    fmt::print(stderr, "hesse_theory: {}\n", e.what());
    return 2;
  }
}
