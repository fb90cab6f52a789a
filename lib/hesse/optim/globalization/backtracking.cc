#include "hesse/optim/globalization/backtracking.h"

#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/globalization/along_line.h"
#include "hesse/optim/globalization/globalizations.h"

#include <algorithm>
#include <cmath>

namespace hesse {

double NonmonotoneReference::at(double f) {
  const Index memory = recent_.size();
  // Another value than the last one told: another batch, or somebody moved x. The past says nothing of it.
  if (count_ == 0 || recent_[(count_ - 1) % memory] != f) {
    count_ = 0;
    mean_ = f;
    weight_ = 1;
    recent_[0] = f;
    count_ = 1;
  }
  if (eta_ > 0) return std::max(mean_, f);
  return recent_.head(std::min<Index>(static_cast<Index>(count_), memory)).maxCoeff();
}

void NonmonotoneReference::accept(double f) {
  recent_[count_ % recent_.size()] = f;
  ++count_;
  const double weight = eta_ * weight_ + 1;
  mean_ = (eta_ * weight_ * mean_ + f) / weight;
  weight_ = weight;
}

LineSearchResult backtrack(Objective& f, const Vector& x, const Vector& d, double value, double slope, double reference,
                           double first_step, const BacktrackingOptions& options, Vector& x_new, Vector& g_new) {
  LineSearchResult result;
  if (!(slope < 0) || !std::isfinite(value)) {
    result.status =
        std::isfinite(slope) && std::isfinite(value) ? LineSearchStatus::not_descent : LineSearchStatus::non_finite;
    return result;
  }
  const double rounding = 10 * f.value_noise() * std::abs(value);
  double step = first_step;
  double last_step = 0;
  double last_value = 0;  // at last_step, where that is finite
  bool any_finite = false;
  bool resolved = false;
  while (result.evaluations < options.max_evaluations) {
    x_new = x + step * d;
    const double trial = f.value_and_gradient(x_new, g_new);
    const double trial_slope = dot(g_new, d);
    ++result.evaluations;
    double next = 0.1 * step;
    if (std::isfinite(trial) && std::isfinite(trial_slope)) {
      any_finite = true;
      resolved = resolved || std::abs(trial - value) > rounding;
      result.step = step;
      result.value = trial;
      if (trial <= reference + options.ftol * step * slope && trial < reference) {
        result.status = LineSearchStatus::armijo;
        return result;
      }
      // The conditions of Hager and Zhang (2005, T2) without the curvature half: here no step is ever enlarged.
      if (std::abs(step * slope) <= rounding && trial <= value + rounding && trial_slope <= -0.8 * slope) {
        result.status = LineSearchStatus::approximate_wolfe;
        return result;
      }
      if (x_new == x) break;
      if (last_step == 0) {
        // The parabola through f(0), its slope and f(step).
        next = -0.5 * slope * step * step / (trial - value - slope * step);
      } else {
        // The cubic through f(0), its slope and the last two values.
        const double r1 = (trial - value - slope * step) / (step * step);
        const double r2 = (last_value - value - slope * last_step) / (last_step * last_step);
        const double a = (r1 - r2) / (step - last_step);
        const double b = r1 - a * step;  // f(0) + slope t + b t^2 + a t^3
        const double radicand = b * b - 3 * a * slope;
        next = a == 0 ? -slope / (2 * b) : (-b + std::sqrt(std::max(0.0, radicand))) / (3 * a);
      }
      last_step = step;
      last_value = trial;
      if (!std::isfinite(next)) next = 0.5 * step;
    }
    step = std::clamp(next, 0.1 * step, 0.5 * step);
  }
  if (!any_finite) {
    result.status = LineSearchStatus::non_finite;
  } else if (!resolved || std::abs(first_step * slope) <= rounding) {
    result.status = LineSearchStatus::at_rounding;
  }
  return result;
}

void visit_options(BacktrackingSearchOptions& o, OptionVisitor& v) {
  v.option("ftol", o.ftol, Interval::open(0, 0.5), "c1, sufficient decrease");
  v.option("memory", o.memory, Interval::closed(1, 1000), "M, f must fall below the greatest of the last M values");
  v.option("eta", o.eta, Interval::half_open(0, 1),
           "weight of the past in a running mean that takes their place; 0: none");
  v.option("max_evaluations", o.max_evaluations, Interval::closed(1, 1000), "trial steps of one line search");
}

namespace {

class Backtracking final : public Globalization {
 public:
  explicit Backtracking(const BacktrackingSearchOptions& options)
      : search_{options.ftol, options.max_evaluations}, reference_(options.memory, options.eta) {}

  std::string misfit(const Direction& direction) const override { return line_search_misfit(direction); }

  StateView state() override {
    StateView all = watch_.state();
    for (StateEntry& entry : reference_.state()) all.push_back(std::move(entry));
    return all;
  }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    const double reference = reference_.at(at.value);
    const StepStatus status =
        advance_along_line(f, direction, at, d_, watch_, trial, report,
                           [&](Objective& on, const Point& p, const Vector& d, double slope, double first, Trial& t) {
                             return backtrack(on, p.x, d, p.value, slope, reference, first, search_, t.x, t.g);
                           });
    if (status == StepStatus::ok) reference_.accept(trial.value);
    return status;
  }

 private:
  BacktrackingOptions search_;
  NonmonotoneReference reference_;
  RoundingWatch watch_;
  Vector d_;
};

}  // namespace

std::unique_ptr<Globalization> make_backtracking(const BacktrackingSearchOptions& options) {
  return std::make_unique<Backtracking>(options);
}

GlobalizationEntry backtracking_entry() {
  return globalization_entry<Backtracking, BacktrackingSearchOptions>(
      "backtracking", "Line search that shortens the step until f has fallen enough, monotone or not",
      "Armijo (1966); Dennis and Schnabel (1983); Grippo, Lampariello and Lucidi (1986); Zhang and Hager (2004)");
}

}  // namespace hesse
