/// \file
/// What the tests of "every optimizer" run over.
#pragma once

#include "hesse/optim/registry.h"

#include <string>
#include <vector>

namespace hesse {

/// Directions with globalisations other than their own.
inline const std::vector<std::string>& globalized_methods() {
  static const std::vector<std::string> all = {
      "newton+backtracking",
      "newton+more-thuente",
      "newton+cubic",
      "newton:indefinite=modified-cholesky+backtracking",
      "newton+trust-region:scaled=true,memory=5",
      "newton+trust-region:subproblem=dogleg",
      "newton+trust-region:subproblem=gltr",
      "newton-cg+backtracking",
      "newton-cg+cubic",
      "newton-minres+trust-region:subproblem=gltr",
      "saddle-free:subspace=5",
      "bfgs+backtracking:eta=0.85",
      "bfgs+trust-region:subproblem=dogleg",
      "lbfgs+hager-zhang",
      "lbfgs+trust-region",
      "nonlinear-cg:form=polak-ribiere+more-thuente:gtol=0.1",
      "sr1+cubic",
  };
  return all;
}

/// Methods that hold matrices of n x n.
inline bool needs_entries(const std::string& method) {
  return method.starts_with("newton+") || method.starts_with("newton:") || method == "newton" ||
         method.starts_with("saddle-free") || method.starts_with("bfgs") || method.starts_with("sr1");
}

/// Methods that work in a Krylov space whose size changes from step to step, and with it that of their small matrices.
inline bool has_growing_subspace(const std::string& method) {
  return method.find("gltr") != std::string::npos || method == "newton-cg+cubic";
}

/// Methods that need a network: its layers, its predictive distribution, or the Gauss-Newton matrix of its loss.
inline bool needs_network(const std::string& method) {
  return method.starts_with("kfac") || method.starts_with("ekfac") || method.starts_with("sophia-g") ||
         method.starts_with("natural-gradient") || method.starts_with("hessian-free");
}

/// Methods that sample from a mean over samples.
inline bool needs_samples(const std::string& method) {
  return method.starts_with("subsampled-newton") || method.starts_with("online-lbfgs") ||
         method.starts_with("multi-batch-lbfgs") || method.starts_with("stochastic-lbfgs");
}

/// Every optimizer, directions with several globalisations, and every modifier and schedule around one with a momentum.
/// `sums`: with those that need a mean over samples, or a network. Not gauss-newton, which needs residuals.
inline std::vector<std::string> every_method(bool sums) {
  std::vector<std::string> all = optimizers().names();
  std::erase(all, "gauss-newton");
  if (!sums) std::erase_if(all, [](const std::string& name) { return needs_network(name) || needs_samples(name); });
  all.insert(all.end(), globalized_methods().begin(), globalized_methods().end());
  for (const auto& entry : modifiers().entries()) {
    if (entry.name == "accumulate" && !sums) continue;
    std::string text = "momentum+" + entry.name;
    for (const OptionInfo& option : entry.options) {
      if (option.name == "steps") text += ":steps=40";
    }
    all.push_back(text);
  }
  return all;
}

}  // namespace hesse
