/// \file
/// Problems with constraints by name.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/objective/constrained_problem.h"

namespace hesse {

using ConstrainedProblemRegistry = Registry<ConstrainedProblem, const NoContext&>;

/// Those of Hock and Schittkowski (1981) under their numbers: hs6, hs71, ... A new one is an entry in
/// hock_schittkowski.cc.
const ConstrainedProblemRegistry& constrained_problems();

}  // namespace hesse
