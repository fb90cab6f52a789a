/// \file
/// One problem solved by one of our methods and by one of Ceres', from the same start, and both answers judged by the
/// same evaluation: what `hesse validate` prints a row of (docs/validation.md).
#pragma once

#include "hesse/curvature/critical_point.h"
#include "hesse/problems/problem.h"
#include "hesse/validation/agreement.h"
#include "hesse/validation/ceres_bridge.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// Which methods are held against each other, and when they end.
struct ValidationOptions {
  /// A chain, as optim/registry.h reads it; "auto" is gauss-newton (by Levenberg and Marquardt) where there are
  /// residuals, newton up to 1000 variables, and newton-cg beyond.
  std::string optimizer = "auto";
  /// Nothing: Levenberg-Marquardt where f is half a sum of squared residuals, L-BFGS elsewhere.
  std::optional<CeresMethod> ceres;
  std::uint64_t seed = 1;            ///< of the start
  double gradient_tolerance = 1e-8;  ///< on |g|_2, where both sides may stop; > 0
  Index max_steps = 10000;           ///< of either side, >= 1
  double max_seconds = 60;           ///< of either side, > 0
  ClassifyOptions classify;          ///< its gradient tolerance is the one above
  AgreementOptions agreement;        ///< its documented minima are those of the problem
};

/// One side's answer. All figures but `status`, `message`, `cost` and `seconds` are of our own evaluation at x.
struct ValidationSide {
  std::string method;
  std::string status;  ///< the side's own word: a Termination, a CeresClaim, or "failed"
  std::string message;
  Vector x;
  double value = 0;
  double gradient_norm = 0;
  Cost cost;
  double seconds = 0;
  CriticalPoint point;
  bool arrived = false;
  /// LRE of f against the documented minimum it is nearest to, and of x against the documented minimiser (the least
  /// over its entries); NaN where none is documented.
  double value_digits = 0;
  double parameter_digits = 0;
  /// Proven bounds on f(x) - min f and on the distance to the one minimiser, |g|^2 / (2 mu) and |g| / mu, where the
  /// problem is known to be strongly convex; else NaN.
  double value_bound = 0;
  double distance_bound = 0;
  /// Of the parameters, from the curvature at x (standard_errors.h); empty where there are none.
  Vector standard_errors;
  /// LRE of them against the certified ones, the least over the entries; NaN where none are certified.
  double standard_error_digits = 0;
};

/// Both answers, and the verdict on them.
struct Validation {
  std::string problem;  ///< as given
  std::string description;
  Index parameters = 0;
  ValidationSide hesse;
  ValidationSide ceres;
  double claimed_value = 0;     ///< Ceres' own final cost
  bool claim_is_false = false;  ///< Ceres claimed convergence, and our evaluation contradicts it
  double distance = 0;          ///< of the points up to symmetries, over max(1, |x|); NaN when one is not finite
  double parameter_digits = 0;  ///< LRE of Hesse's x against Ceres', the least over the entries
  AgreementVerdict verdict;
};

/// True when a value is one of a documented minimum: 5 digits of it (documents give six), or at most 1e-10 where the
/// minimum is 0.
bool is_documented_minimum(double value, double minimum);

/// Runs both sides from problem.start(seed) and leaves their answers as they say, unjudged: what validate() begins
/// with. Throws Error on impossible options.
Validation solve_both(const std::string& spec, Problem& problem, const ValidationOptions& options);

/// Runs both sides from problem.start(seed), and judges their answers. A side arrives when its point is a minimum by
/// classify(); or has the value of a documented minimum and is neither saddle nor maximum; or, where no minimum is
/// documented, is degenerate without a negative direction. An Error that a side throws is its status. Throws Error on
/// impossible options.
Validation validate(const std::string& spec, Problem& problem, const ValidationOptions& options);

/// The specifications of a suite: "analytic", "mgh", "nist", "nist-linear", "regression", "network",
/// "bundle-adjustment", or "all". Throws Error on another name.
std::vector<std::string> validation_suite(std::string_view name);
/// Their names, "all" among them.
std::vector<std::string> validation_suites();

}  // namespace hesse
