#include "hesse/problems/constrained_problems.h"

#include <vector>

namespace hesse {

// Each is defined beside its problems.
std::vector<ConstrainedProblemRegistry::Entry> hock_schittkowski();
std::vector<ConstrainedProblemRegistry::Entry> constrained_examples();

const ConstrainedProblemRegistry& constrained_problems() {
  static const ConstrainedProblemRegistry registry = [] {
    std::vector<ConstrainedProblemRegistry::Entry> all;
    for (auto* entries : {hock_schittkowski, constrained_examples}) {
      for (auto& entry : entries()) all.push_back(std::move(entry));
    }
    return ConstrainedProblemRegistry("constrained problem", std::move(all));
  }();
  return registry;
}

}  // namespace hesse
