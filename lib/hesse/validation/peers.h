/// \file
/// Minimisers of other libraries behind one function, for comparisons: Ceres Solver, LBFGS++ (Qiu) and libLBFGS
/// (Okazaki). The last two are optional where Hesse is built.
#pragma once

#include "hesse/objective/objective.h"

#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// Names of the peers that this build has: "ceres-lm", "ceres-lbfgs", ..., "lbfgspp", "liblbfgs".
const std::vector<std::string>& peers();
/// True for a name that is a peer's, whether this build has it or not.
bool is_peer(std::string_view name);

/// When a peer ends.
struct PeerOptions {
  Index max_iterations = 10000;  ///< >= 1
  double max_seconds = 1e9;      ///< of Ceres, which has such a limit; > 0
};

/// Where a peer ended, judged by our own evaluation.
struct PeerResult {
  Vector x;
  std::string status;  ///< the peer's own word; to be believed only after an evaluation at x
};

/// Runs a peer on f from x0 with its own defaults, except that it is to go on for as long as it can: tolerances are 0.
/// LBFGS++ gets the strong Wolfe conditions (LineSearchNocedalWright), since its default, Armijo's alone, leaves
/// curvature of either sign, and it stops where f no longer changes, since its next step would be 0/0. An exception
/// that it throws (its line searches do) becomes the status, and x is what it left. Throws Error on an unknown name, a
/// peer that this build lacks, and where f lacks what the peer needs.
PeerResult run_peer(std::string_view name, Objective& f, const Vector& x0, const PeerOptions& options = {});

}  // namespace hesse
