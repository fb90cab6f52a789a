/// \file
/// An optimizer: one update x_k -> x_{k+1} at a time.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace hesse {

/// How a step ended.
enum class StepStatus {
  ok,
  line_search_at_rounding,  ///< no decrease can be told from rounding error: x is as good as f is exact
  line_search_failed,       ///< no acceptable step although rounding does not explain it
  trust_region_collapsed,   ///< the radius fell below what changes x
  non_finite,               ///< the step met NaN or infinity; x is unchanged
};

/// A figure that a method reports beside the common ones: damping, reduction ratio, curvature.
struct Telemetry {
  const char* name;  ///< a literal
  double value;
};

/// What one step saw and did. "Before" and "after" are on the samples of this step. NaN means that
/// the method does not know the figure without paying for it.
struct StepReport {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

  StepStatus status = StepStatus::ok;
  double value = kUnknown;                ///< f before the step
  double gradient_norm = kUnknown;        ///< |g|_2 before the step
  double value_after = kUnknown;          ///< f after the step
  double gradient_norm_after = kUnknown;  ///< |g|_2 after the step
  double step_norm = kUnknown;            ///< |x_{k+1} - x_k|_2
  double step_size = kUnknown;            ///< learning rate, or the line search's multiple of the direction
  Index inner_iterations = 0;             ///< CG iterations or line-search evaluations

  static constexpr std::size_t kMaxTelemetry = 12;
  std::array<Telemetry, kMaxTelemetry> telemetry{};
  std::size_t telemetry_count = 0;
  /// Appends a figure; the same names in the same order at every step. Beyond the room it is dropped.
  void tell(const char* name, double figure) {
    if (telemetry_count < kMaxTelemetry) telemetry[telemetry_count++] = {name, figure};
  }
};

/// What a method may know of one of its preconditioners, as of the last renewal.
enum PreconditionerFigure {
  kCondition,     ///< largest over smallest eigenvalue, or a bound on it, as it is damped
  kRootResidual,  ///< max |X^p A - I| of the inverse root in use
  kStaleness,     ///< the off-diagonal share |Q'AQ - diag|_F / |A|_F before a renewal, or the steps since the last one
  kFallback,      ///< 1 where the way that was asked for did not do and another did, else 0
  kFailed,        ///< 1 where the former one had to stay, or this one misses its bound, else 0
  kPreconditionerFigures
};

/// One preconditioner by itself.
struct PreconditionerReport {
  std::string name;  ///< the parameter block, and which of its matrices: "layer1.weight:1" is of its rows
  Index extent = 0;  ///< rows of the matrix
  std::array<double, kPreconditionerFigures> figures{};  ///< NaN where the method does not know
};

/// One tensor or number of an optimizer's state, by a name that is unique within the optimizer.
/// Vectors and matrices may be resized by whoever restores them.
struct StateEntry {
  std::string name;
  std::variant<Vector*, Matrix*, double*, std::int64_t*> data;
};
using StateView = std::vector<StateEntry>;

/// Owns its state and nothing of the objective. Deterministic given (state, x, objective): whatever
/// randomness it needs is a stream of its seed and its step count, which is part of the state.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Replaces x_k by x_{k+1} on what `f` is now (a batch or everything). Leaves x as it was when the
  /// status is not ok. Allocates nothing after the first step of a given size.
  virtual StepReport step(Objective& f, Vector& x) = 0;

  /// Names every number that the next steps depend on, for checkpoints. Valid until the next step.
  virtual StateView state() = 0;

  /// The number that a learning-rate schedule sets before each step; null for methods without one.
  virtual double* learning_rate() { return nullptr; }

  /// The weight of the past that a momentum schedule sets before each step: mu, or the beta1 of a method that averages;
  /// null for methods without one.
  virtual double* momentum() { return nullptr; }

  /// The diagonal of P for a method that steps by lr P^-1 times a mean of gradients (Adam: sqrt(v / (1 - beta2^t)) +
  /// eps), as the next step finds it; empty for others and before the first step.
  virtual Vector diagonal_preconditioner() const { return {}; }

  /// One for each matrix that preconditions gradients, always in the same order; empty for methods without any and
  /// before the first step.
  virtual std::vector<PreconditionerReport> preconditioners() const { return {}; }

  /// Told by the loop before each step: the share of the budget that is spent, in [0, 1]; NaN where there is no
  /// budget. Schedules that stretch over the whole run go by it.
  virtual void set_budget_share(double /*share*/) {}

  /// True for methods whose steps compare values of f at different points (line searches, trust
  /// regions, curvature pairs), and which therefore want all samples unless told otherwise.
  virtual bool prefers_full_batch() const { return false; }
};

}  // namespace hesse
