/// \file
/// Problems with constraints by name.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/objective/constrained_problem.h"

namespace hesse {

using ConstrainedProblemRegistry = Registry<ConstrainedProblem, const NoContext&>;

/// Those of Hock and Schittkowski (1981) under their numbers, hs6, hs71, ..., and examples that users know: the dual of
/// the support vector machine, least squares on the simplex, a step under a bound on the divergence. A new one is an
/// entry in hock_schittkowski.cc or constrained_examples.cc.
const ConstrainedProblemRegistry& constrained_problems();

}  // namespace hesse
