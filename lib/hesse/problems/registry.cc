#include "hesse/problems/problem.h"

namespace hesse {

// Each is defined beside its problems.
std::vector<ProblemEntry> analytic_entries();
std::vector<ProblemEntry> network_entries();
std::vector<ProblemEntry> nist_entries();
ProblemEntry mgh_entry();
ProblemEntry bundle_adjustment_entry();

const ProblemRegistry& problems() {
  static const ProblemRegistry registry = [] {
    std::vector<ProblemEntry> all;
    for (auto* entries : {analytic_entries, network_entries, nist_entries}) {
      for (ProblemEntry& entry : entries()) all.push_back(std::move(entry));
    }
    all.push_back(mgh_entry());
    all.push_back(bundle_adjustment_entry());
    return ProblemRegistry("problem", std::move(all));
  }();
  return registry;
}

}  // namespace hesse
