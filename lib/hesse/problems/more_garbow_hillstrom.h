/// \file
/// The test set of More, Garbow and Hillstrom (1981): sizes, starting points and what is known of the minima. The
/// residuals themselves are in more_garbow_hillstrom_functions.h; the problem registry has them as `mgh`.
#pragma once

#include "hesse/core/types.h"

#include <optional>
#include <string>
#include <vector>

namespace hesse::mgh {

constexpr Index kProblems = 35;

/// Variables and residuals of a problem.
struct Size {
  Index n;
  Index m;
};

/// The size of a problem for the n and m asked for; 0 asks for the standard one (docs/problems.md lists them). Throws
/// Error when there is no such problem or it has no such size.
Size resolve(Index number, Index n = 0, Index m = 0);

/// "Rosenbrock", "Powell badly scaled", ...
std::string name(Index number);

/// The standard starting point times `factor`. Problem 20 starts from 0: where factor is not 1, every coordinate is
/// `factor` instead, as in the authors' own program (Algorithm 566, subroutine INITPT).
Vector start(Index number, Index n, double factor = 1);

/// What is known of 1/2 |r|^2: half of what the paper gives for |r|^2, to all digits of double.
struct Minima {
  std::optional<double> value;       ///< the global minimum
  std::vector<Vector> minimisers;    ///< some of the points where it is attained; all where they are finitely many
  std::vector<double> local_values;  ///< local minima that are not global, also those that lie at infinity
};
Minima minima(Index number, const Size& size);

}  // namespace hesse::mgh
