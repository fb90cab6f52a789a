/// \file
/// Ways to a critical point of f from any point, of whatever kind: methods that go downhill find minima alone.
///
///     gradient_norm   |g|^2 falls with every step: p = -H^+ g, the least-residual solution by MINRES, and backtracking
///     until
///                     |g(x + t p)|^2 <= |g|^2 + 2e-4 t p'Hg (Newton-MR: Roosta, Liu, Xu and Mahoney 2022, Algorithm
///                     1). It ends at a critical point of f, or where g is in the null space of H
///     follow          along the eigenvectors of the k least eigenvalues uphill and along all others downhill, each by
///                     Newton's step on |H|, in a trust region that goes by how well H predicted the change of g:
///                     towards a saddle of index k (Cerjan and Miller 1981; Baker 1986; for products alone, E and Zhou
///                     2011). From a critical point of another index it leaves along the eigenvector of the k-th least
///
/// Neither is sure to arrive: the result says how it ended, and classify() what the point is.
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>

namespace hesse {

enum class SearchMethod { gradient_norm, follow };

/// How a critical point is sought.
struct SearchOptions {
  SearchMethod method = SearchMethod::gradient_norm;
  Index index = 1;                    ///< k, of `follow`: in [0, n]
  double gradient_tolerance = 1e-10;  ///< on |g|_2, >= 0; where rounding forbids it the search stalls
  Index max_steps = 200;
  Index max_inner_iterations = 0;  ///< products a step of MINRES or conjugate gradients; 0: the dimension
  double eigen_tolerance = 1e-6;   ///< of the eigenvectors that are followed, relative to |H|
  std::uint64_t seed = 0;          ///< of their start vectors
};

/// How a search ended.
enum class SearchStatus {
  arrived,  ///< |g| <= gradient_tolerance, and for `follow` k eigenvalues found negative and the next not
  stalled,  ///< no step lowers |g| (or, for `follow`, is predicted well) beyond rounding
  step_limit,
  non_finite,  ///< f, g or a product is NaN or infinite; x is the last point where they were not
};
/// "arrived", "stalled", ...
const char* to_string(SearchStatus status);

/// Where a search ended, and what it spent.
struct SearchResult {
  SearchStatus status = SearchStatus::stalled;
  Index steps = 0;
  Index gradients = 0;
  Index products = 0;
  double value = 0;          ///< f at x
  double gradient_norm = 0;  ///< |g| at x
  double distance = 0;       ///< |x - start|
  std::string message;       ///< one sentence with the numbers
};

/// Moves x. Throws Error on impossible options.
SearchResult find_stationary(Objective& f, Vector& x, const SearchOptions& options = {});

}  // namespace hesse
