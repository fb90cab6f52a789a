#include "hesse/core/error.h"
#include "hesse/data/data_cache.h"
#include "hesse/data/nist.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/problems/nist_models.h"
#include "hesse/problems/problem.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hesse {
namespace nist {

const std::vector<std::string>& nonlinear_names() {
  static const std::vector<std::string> names = {
      "Misra1a", "Chwirut2", "Chwirut1", "Lanczos3", "Gauss1",   "Gauss2", "DanWood",  "Misra1b", "Kirby2",
      "Hahn1",   "Nelson",   "MGH17",    "Lanczos1", "Lanczos2", "Gauss3", "Misra1c",  "Misra1d", "Roszman1",
      "ENSO",    "MGH09",    "Thurber",  "BoxBOD",   "Rat42",    "MGH10",  "Eckerle4", "Rat43",   "Bennett5"};
  return names;
}

const std::vector<std::string>& linear_names() {
  static const std::vector<std::string> names = {"Norris",   "Pontius",  "NoInt1",   "NoInt2",   "Filip",   "Longley",
                                                 "Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5"};
  return names;
}

NistReference load(const std::string& name) {
  const auto& linear = linear_names();
  const bool is_linear = std::find(linear.begin(), linear.end(), name) != linear.end();
  NistReference set = read_nist(fetched_file(is_linear ? "nist-linear" : "nist", name + ".dat"));
  if (name == "Roszman1" && set.parameters[0] > 1) set.parameters[0] -= 1;
  return set;
}

}  // namespace nist

namespace {

enum class NistStart { far, close };

struct NistOptions {
  std::string set = "Misra1a";
  NistStart start = NistStart::far;
};

void visit_options(NistOptions& o, OptionVisitor& v) {
  v.option("set", o.set, "name as NIST writes it, of the 27 from Misra1a to Bennett5; a wrong one shows all");
  v.choice("start", o.start, {{"1", NistStart::far}, {"2", NistStart::close}},
           "starting values of the file: 1 far from the certified ones, 2 closer");
}

struct LinearNistOptions {
  std::string set = "Longley";
};

void visit_options(LinearNistOptions& o, OptionVisitor& v) {
  v.option("set", o.set, "name as NIST writes it, of the 11 from Norris to Wampler5; a wrong one shows all");
}

NistReference read(const char* problem, const std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail("{}: there is no set '{}'{}; the sets are {}", problem, name, suggestion(name, names), fmt::join(names, ", "));
  }
  return nist::load(name);
}

Problem problem_of(const NistReference& set, Vector start) {
  Problem problem;
  const Index n = set.parameters.size();
  const Index m = set.y.size();
  problem.objective = nist::visit(set, [&](const auto& residuals) -> std::unique_ptr<Objective> {
    return std::make_unique<ResidualObjective<std::decay_t<decltype(residuals)>>>(residuals, n, m);
  });
  Objective* const f = problem.objective.get();
  problem.value = [f](const Vector& b) { return f->value(b); };
  problem.start = [start = std::move(start)](std::uint64_t) { return start; };
  problem.minimum_value = set.residual_sum_of_squares / 2;
  problem.minimisers = {set.parameters};
  problem.standard_errors = set.standard_deviations;
  problem.description = fmt::format("{} of NIST's reference data: {} observations, {} parameters of a {} model",
                                    set.name, m, n, set.linear ? "linear" : "nonlinear");
  return problem;
}

Problem make_nist(const NistOptions& o, const ProblemContext&) {
  const NistReference set = read("nist", nist::nonlinear_names(), o.set);
  return problem_of(set, set.starts[o.start == NistStart::far ? 0 : 1]);
}

Problem make_linear_nist(const LinearNistOptions& o, const ProblemContext&) {
  const NistReference set = read("nist-linear", nist::linear_names(), o.set);
  return problem_of(set, Vector::Zero(set.parameters.size()));
}

}  // namespace

std::vector<ProblemEntry> nist_entries() {
  return {registry_entry<NistOptions, Problem, const ProblemContext&>(
              "nist", "27 nonlinear regressions with certified parameters and standard errors",
              "NIST Statistical Reference Datasets (1997)", make_nist),
          registry_entry<LinearNistOptions, Problem, const ProblemContext&>(
              "nist-linear", "11 linear regressions with certified parameters and standard errors",
              "NIST Statistical Reference Datasets (1997)", make_linear_nist)};
}

}  // namespace hesse
