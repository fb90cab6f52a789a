#include "hesse/optim/globalization/hager_zhang.h"

#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/globalization/along_line.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

void visit_options(HagerZhangOptions& o, OptionVisitor& v) {
  v.option("delta", o.delta, Interval::open(0, 0.5), "sufficient decrease");
  v.option("sigma", o.sigma, Interval::open(0, 1), "least slope relative to the first, at least delta");
  v.option("epsilon", o.epsilon, Interval::non_negative(), "f may exceed f(x) by this share where slopes decide");
  v.option("theta", o.theta, Interval::open(0, 1), "where the bracket is cut");
  v.option("gamma", o.gamma, Interval::open(0, 1), "factor by which the bracket must shrink, else it is bisected");
  v.option("rho", o.rho, Interval::closed(1.1, 100), "growth of the first bracket");
  v.option("max_evaluations", o.max_evaluations, Interval::closed(1, 1000), "trial steps of one line search");
}

namespace {

/// One search: phi(t) = f(x + t d), and the procedures of Hager and Zhang (2005) by their names.
class Search {
 public:
  using Trial = detail::TrialPoint;

  Search(Objective& f, const Vector& x, const Vector& d, double value, double slope, const HagerZhangOptions& o,
         Vector& x_new, Vector& g_new)
      : f_(f), x_(x), d_(d), start_{0, value, slope}, o_(o), x_new_(x_new), g_new_(g_new) {
    rounding_ = 10 * f.value_noise() * std::abs(value);
    allowed_ = value + std::max(o.epsilon * std::abs(value), rounding_);
  }

  LineSearchResult run(double first_step) {
    Trial a;
    Trial b;
    bool found = bracket(first_step, a, b);
    while (!found && !exhausted()) {
      const double width = b.step - a.step;
      if (!(width > std::numeric_limits<double>::epsilon() * b.step)) break;
      Trial left = a;
      Trial right = b;
      found = secant_squared(left, right);
      if (found) break;
      if (right.step - left.step > o_.gamma * width) {
        found = update(left, right, 0.5 * (left.step + right.step));
      }
      a = left;
      b = right;
    }
    if (!found) result_.status = failure(first_step);
    return result_;
  }

 private:
  bool exhausted() const { return result_.evaluations >= o_.max_evaluations; }

  /// phi and phi' at t.
  Trial evaluate(double t) {
    x_new_ = x_ + t * d_;
    Trial trial{t, f_.value_and_gradient(x_new_, g_new_), 0};
    trial.slope = dot(g_new_, d_);
    ++result_.evaluations;
    if (std::isfinite(trial.value) && std::isfinite(trial.slope)) {
      any_finite_ = true;
      largest_difference_ = std::max(largest_difference_, std::abs(trial.value - start_.value));
    }
    return trial;
  }
  static bool finite(const Trial& t) { return std::isfinite(t.value) && std::isfinite(t.slope); }

  /// T1 or T2 at the point evaluated last.
  bool accepts(const Trial& t) {
    if (!finite(t) || !(t.step > 0)) return false;
    const bool steep_enough = t.slope >= o_.sigma * start_.slope;
    if (steep_enough && t.value <= start_.value + o_.delta * t.step * start_.slope) {
      result_.status = LineSearchStatus::wolfe;
    } else if (steep_enough && (2 * o_.delta - 1) * start_.slope >= t.slope && t.value <= allowed_) {
      result_.status = LineSearchStatus::approximate_wolfe;
    } else {
      return false;
    }
    result_.step = t.step;
    result_.value = t.value;
    return true;
  }

  /// B0 to B3: grows the step until [a, b] holds a point that satisfies T1 or T2.
  bool bracket(double step, Trial& a, Trial& b) {
    a = start_;
    double c = step;
    double limit = std::numeric_limits<double>::infinity();  // least step at which f was not finite
    while (!exhausted()) {
      const Trial trial = evaluate(c);
      if (accepts(trial)) return true;
      if (!finite(trial)) {
        // Outside the domain of f: back towards the last point inside.
        limit = c;
        c = a.step + 0.1 * (c - a.step);
        if (!(c > a.step)) return false;
        continue;
      }
      b = trial;
      if (trial.slope >= 0) return false;
      if (trial.value > allowed_) {
        const Trial low = a.step > 0 ? a : start_;
        a = low;
        return shrink(a, b);
      }
      a = trial;
      const double next = o_.rho * c;
      c = next < limit ? next : 0.5 * (c + limit);
      if (!(c > a.step) || !(c < 1e100)) return false;
    }
    b = a;
    return false;
  }

  /// U3: [a, b] with phi'(a) < 0, phi(a) low, and phi(b) high with phi'(b) < 0, cut until phi'(b) >= 0.
  bool shrink(Trial& a, Trial& b) {
    while (!exhausted() && b.step - a.step > std::numeric_limits<double>::epsilon() * b.step) {
      const Trial trial = evaluate((1 - o_.theta) * a.step + o_.theta * b.step);
      if (accepts(trial)) return true;
      if (!finite(trial)) {
        b = {trial.step, std::numeric_limits<double>::max(), start_.slope};
      } else if (trial.slope >= 0) {
        b = trial;
        return false;
      } else if (trial.value <= allowed_) {
        a = trial;
      } else {
        b = trial;
      }
    }
    return false;
  }

  /// U0 to U3: the bracket cut at c. True when c, or a point met on the way, is accepted.
  bool update(Trial& a, Trial& b, double c) {
    if (!(c > a.step && c < b.step) || exhausted()) return false;
    const Trial trial = evaluate(c);
    if (accepts(trial)) return true;
    if (!finite(trial)) {
      b = {c, std::numeric_limits<double>::max(), start_.slope};
      return shrink(a, b);
    }
    if (trial.slope >= 0) {
      b = trial;
      return false;
    }
    if (trial.value <= allowed_) {
      a = trial;
      return false;
    }
    b = trial;
    return shrink(a, b);
  }

  static double secant(const Trial& a, const Trial& b) {
    return (a.step * b.slope - b.step * a.slope) / (b.slope - a.slope);
  }

  /// S1 to S4.
  bool secant_squared(Trial& a, Trial& b) {
    const Trial a0 = a;
    const Trial b0 = b;
    const double c = secant(a, b);
    if (update(a, b, c)) return true;
    double again = std::numeric_limits<double>::quiet_NaN();
    if (c == b.step) again = secant(b0, b);
    if (c == a.step) again = secant(a0, a);
    return std::isfinite(again) && update(a, b, again);
  }

  LineSearchStatus failure(double first_step) const {
    if (!any_finite_) return LineSearchStatus::non_finite;
    if (largest_difference_ <= rounding_ || std::abs(first_step * start_.slope) <= rounding_) {
      return LineSearchStatus::at_rounding;
    }
    return LineSearchStatus::failed;
  }

  Objective& f_;
  const Vector& x_;
  const Vector& d_;
  const Trial start_;
  const HagerZhangOptions& o_;
  Vector& x_new_;
  Vector& g_new_;
  double rounding_;
  double allowed_;  // phi(0) + epsilon |phi(0)|
  bool any_finite_ = false;
  double largest_difference_ = 0;
  LineSearchResult result_;
};

class HagerZhang final : public Globalization {
 public:
  explicit HagerZhang(const HagerZhangOptions& options) : search_(options) {
    search_.sigma = std::max(options.sigma, options.delta);
  }

  std::string misfit(const Direction& direction) const override { return line_search_misfit(direction); }

  StateView state() override { return watch_.state(); }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    return advance_along_line(
        f, direction, at, d_, watch_, trial, report,
        [&](Objective& on, const Point& p, const Vector& d, double slope, double first, Trial& t) {
          return hager_zhang(on, p.x, d, p.value, slope, first, search_, t.x, t.g);
        });
  }

 private:
  HagerZhangOptions search_;
  RoundingWatch watch_;
  Vector d_;
};

}  // namespace

LineSearchResult hager_zhang(Objective& f, const Vector& x, const Vector& d, double value, double slope,
                             double first_step, const HagerZhangOptions& options, Vector& x_new, Vector& g_new) {
  if (!(slope < 0) || !std::isfinite(value)) {
    LineSearchResult result;
    result.status =
        std::isfinite(slope) && std::isfinite(value) ? LineSearchStatus::not_descent : LineSearchStatus::non_finite;
    return result;
  }
  return Search(f, x, d, value, slope, options, x_new, g_new).run(first_step);
}

std::unique_ptr<Globalization> make_hager_zhang(const HagerZhangOptions& options) {
  return std::make_unique<HagerZhang>(options);
}

GlobalizationEntry hager_zhang_entry() {
  return globalization_entry<HagerZhang, HagerZhangOptions>(
      "hager-zhang", "Line search for the Wolfe conditions or their approximate form, by secant steps",
      "Hager and Zhang (2005), section 4; Hager and Zhang (2006)");
}

}  // namespace hesse
