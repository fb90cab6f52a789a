/// \file
/// The only loop: draws batches, steps, observes, stops, and says truthfully why.
#pragma once

#include "hesse/core/cost.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace hesse {

/// Why a run ended.
enum class Termination {
  gradient,  ///< |g|_2 <= gradient_tolerance, confirmed by a fresh full evaluation
  target,    ///< f <= target_value, confirmed likewise
  step,      ///< steps no longer change x
  plateau,   ///< f no longer falls
  rounding,  ///< no decrease can be told from rounding error
  line_search_failed,
  trust_region_collapsed,
  budget,      ///< steps, epochs, gradient equivalents or seconds are spent
  non_finite,  ///< NaN or infinity; the best finite point is returned
  user,        ///< an observer asked to stop
};

/// "gradient", "target", ... as records spell it.
const char* to_string(Termination termination);
/// The one of this name; throws Error when there is none.
Termination termination_of(std::string_view name);
/// True for gradient, target, step, plateau and rounding: the run ended because it had arrived.
bool converged(Termination termination);

/// When to stop; each rule is off at its default. A rule on f or g that a step's own report
/// suggests counts only after a fresh evaluation on all samples confirms it.
struct Stopping {
  double gradient_tolerance = 0;  ///< on |g|_2, >= 0
  double target_value = -std::numeric_limits<double>::infinity();
  double step_tolerance = 0;     ///< on |s|_2 / max(1, |x|_2), for `patience` steps in a row
  double plateau_tolerance = 0;  ///< on the relative fall of f over `patience` steps, full batch only
  Index patience = 5;
  std::int64_t max_steps = std::numeric_limits<std::int64_t>::max();
  double max_epochs = std::numeric_limits<double>::infinity();                ///< passes over the data by batches drawn
  double max_gradient_equivalents = std::numeric_limits<double>::infinity();  ///< see Cost
  double max_seconds = std::numeric_limits<double>::infinity();               ///< of optimization, observers excluded
  // Calls of each kind, on however many samples.
  std::int64_t max_values = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_gradients = std::numeric_limits<std::int64_t>::max();  ///< values with gradients
  std::int64_t max_products = std::numeric_limits<std::int64_t>::max();
  /// Asked when the run is about to end because it has arrived, on all samples: returns true when it moved x to where f
  /// is less (along negative curvature, say), and the run goes on. What it evaluates is counted. Null: the run ends.
  std::function<bool(Objective& f, Vector& x)> escape = nullptr;
};

/// How batches are drawn. A plain function ignores it.
struct Batches {
  Index size = 0;            ///< samples in a batch; 0 means all
  std::uint64_t seed = 0;    ///< of the order
  std::int64_t full_at = 0;  ///< step at which batches have grown to all samples; 0: they do not grow
};

/// How far a run has come: with x and the optimizer's state, all that a resumed run needs.
struct Progress {
  std::int64_t step = 0;
  double epochs = 0;
  double seconds = 0;
  Cost cost;
  double initial_value = std::numeric_limits<double>::quiet_NaN();  ///< f before the first step, on its samples
  double best_value = std::numeric_limits<double>::infinity();      ///< least f reported by a step
  // Where the rules on steps and on plateaus stand.
  std::int64_t small_steps = 0;
  std::int64_t plateau_step = 0;
  double plateau_value = std::numeric_limits<double>::infinity();
  // Step after which a claim was last put to the test, -1 if never: on batches once an epoch is enough.
  std::int64_t last_confirmation = -1;
  std::int64_t escapes = 0;  ///< times that Stopping::escape moved x
  // The point to fall back on when the run ends where f is not finite: for full batches the best one seen,
  // with its value, for mini-batches one a pass over the data ago. Empty before the first step.
  double refuge_value = std::numeric_limits<double>::infinity();
  Vector refuge;
  // Set where a rule has ended the run, so that one that was killed before anybody heard of it does not go on.
  std::string ended;  ///< to_string(Termination); empty while it runs
  std::string end_message;
};

/// What observers see after each step.
struct Iterate {
  const Progress& progress;
  const StepReport& report;
  const Vector& x;
  Optimizer& optimizer;
  bool last = false;  ///< a rule has ended the run with this step
};

struct Summary;

/// Progress bars, traces, checkpoints, early stopping and time limits. The clock stands still while
/// observers run, and what they evaluate is not counted.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Before the first step of this call (of a resumed run as well).
  virtual void begin(const Progress&, const Vector& /*x*/, Optimizer&) {}
  /// After each step. Returns true to stop; `stop_reason` then says why.
  virtual bool after_step(const Iterate&) { return false; }
  virtual std::string stop_reason() const { return "an observer stopped the run"; }
  /// At the end, with the returned point.
  virtual void end(const Summary&, const Vector& /*x*/) {}
};

/// How a run ended. `value` and `gradient_norm` come from a fresh evaluation on all samples at the
/// returned point, whatever the method believed.
struct Summary {
  Termination termination = Termination::budget;
  std::string message;  ///< one line with the numbers: "gradient norm 3.1e-9 <= 1e-8 after 412 steps"
  double initial_value = std::numeric_limits<double>::quiet_NaN();  ///< that of the progress
  double value = std::numeric_limits<double>::quiet_NaN();
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();
  Progress progress;
};

/// Runs `optimizer` on `f` from x until a rule of `stopping` holds, and leaves the final point in x.
/// `progress` may come from a checkpoint, together with x and the optimizer's state; the run then
/// continues to the same bits as one that was never interrupted. An Error thrown by the objective
/// passes through.
Summary minimize(Optimizer& optimizer, Objective& f, Vector& x, const Stopping& stopping, const Batches& batches = {},
                 std::span<Observer* const> observers = {}, const Progress& progress = {});

}  // namespace hesse
