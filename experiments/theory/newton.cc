// What Newton's method promises, what it does not, and what it costs.

#include "claims.h"

#include "hesse/core/precision.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

namespace hesse::theory {
namespace {

/// |x_k - x*| before each step, as long as it stays above `least`.
std::vector<double> errors(const std::string& method, Objective& f, Vector x, const Vector& optimum, double least,
                           Index most) {
  const auto optimizer = make_optimizer(method, {f, 0});
  std::vector<double> all;
  for (Index k = 0; k < most; ++k) {
    all.push_back((x - optimum).norm());
    if (!(all.back() > least)) break;
    if (optimizer->step(f, x).status != StepStatus::ok) break;
  }
  return all;
}

/// sum_i exp(x_i) - (i + 1) x_i: strictly convex, with its minimum at log(i + 1).
struct Exponentials {
  template <class T>
  T operator()(const T* x) const {
    using std::exp;
    T sum = T(0.0);
    for (int i = 0; i < 4; ++i) sum = sum + exp(x[i]) - (i + 1.0) * x[i];
    return sum;
  }
};

std::vector<double> errors_on_exponentials(const std::string& method, Index most) {
  FunctorObjective<Exponentials> f({}, 4);
  Vector optimum(4);
  for (Index i = 0; i < 4; ++i) optimum[i] = std::log(static_cast<double>(i + 1));
  return errors(method, f, optimum + Vector::Constant(4, 0.5), optimum, 1e-15, most);
}

std::vector<double> newton_errors() { return errors_on_exponentials("newton:indefinite=keep+undamped", 30); }
std::vector<double> gradient_errors(Index most) { return errors_on_exponentials("gd:lr=0.1", most); }

/// log(e_{k+1} / e_k) / log(e_k / e_{k-1}) where both ratios are still clear of rounding.
double order(const std::vector<double>& e) {
  double last = std::nan("");
  for (std::size_t k = 2; k < e.size(); ++k) {
    if (e[k] > 1e-11) last = std::log(e[k] / e[k - 1]) / std::log(e[k - 1] / e[k - 2]);
  }
  return last;
}

std::vector<Measurement> digits_double() {
  return {{"Newton: order of convergence", order(newton_errors()), 1.7, 2.3},
          {"gradient descent: order of convergence", order(gradient_errors(200)), 0.9, 1.1}};
}

Plot draw_digits() {
  Plot plot;
  plot.title = "A sum of exponentials in 4 variables, half a unit from its minimum";
  plot.x_label = "steps";
  plot.y_label = "|x - x*|";
  plot.log_y = true;
  plot.legend = "digits double with each step of Newton's";
  const auto add = [&](const char* name, const std::vector<double>& e) {
    std::vector<double> steps;
    for (std::size_t k = 0; k < e.size(); ++k) steps.push_back(static_cast<double>(k));
    plot.series.push_back(line(name, steps, e));
  };
  add("Newton", newton_errors());
  add("gradient descent", gradient_errors(20));
  return plot;
}

/// Where a method ends on x^4 - 4 x^2 + x from x0.
double end_on_double_well(const std::string& method, double x0) {
  FunctorObjective<DoubleWell> f({}, 1);
  Vector x = Vector::Constant(1, x0);
  Stopping stopping;
  stopping.gradient_tolerance = 1e-9;
  stopping.max_steps = 5000;
  const auto optimizer = make_optimizer(method, {f, 0});
  minimize(*optimizer, f, x, stopping);
  return x[0];
}

constexpr const char* kWellMethods[] = {"newton:indefinite=keep+undamped", "newton", "gd:lr=0.02"};

std::vector<Measurement> goes_to_a_maximum() {
  const Vector points = double_well_stationary_points();
  std::vector<Measurement> all;
  // f'' < 0 for |x| < sqrt(2 / 3): there the undamped iteration is drawn to the maximum.
  for (const double x0 : {-0.3, 0.0, 0.4}) {
    all.push_back({fmt::format("undamped Newton from {:g}: distance to the maximum", x0),
                   std::abs(end_on_double_well(kWellMethods[0], x0) - points[1]), 0, 1e-9});
    for (const char* method : {kWellMethods[1], kWellMethods[2]}) {
      const double end = end_on_double_well(method, x0);
      all.push_back({fmt::format("{} from {:g}: distance to a minimum", method, x0),
                     std::min(std::abs(end - points[0]), std::abs(end - points[2])), 0, 1e-8});
    }
  }
  return all;
}

Plot draw_ends() {
  Plot plot;
  plot.title = "x^4 - 4 x^2 + x: where a method ends, by where it starts";
  plot.x_label = "start";
  plot.y_label = "end";
  plot.legend = "maximum at 0.126";
  for (const char* method : kWellMethods) {
    std::vector<double> starts;
    std::vector<double> ends;
    for (double x0 = -2; x0 <= 2; x0 += 0.025) {
      starts.push_back(x0);
      ends.push_back(end_on_double_well(method, x0));
    }
    plot.series.push_back(line(method, starts, ends));
  }
  return plot;
}

/// f after each step on Rosenbrock's function from (-1.5, 1.5), until |g| <= 1e-8.
std::vector<double> rosenbrock_values(const std::string& method, Index most) {
  FunctorObjective<Rosenbrock> f({}, 2);
  Vector x = Eigen::Vector2d(-1.5, 1.5);
  const auto optimizer = make_optimizer(method, {f, 0});
  std::vector<double> values;
  for (Index k = 0; k < most; ++k) {
    const StepReport report = optimizer->step(f, x);
    values.push_back(report.value);
    if (report.status != StepStatus::ok || report.gradient_norm <= 1e-8) break;
  }
  return values;
}

// The greatest rate that gradient descent bears along the whole way down is near 2 / 1500.
constexpr const char* kValleyMethods[] = {"newton", "newton+cubic", "bfgs", "lbfgs", "gd:lr=1e-3"};

std::vector<Measurement> down_the_valley() {
  std::vector<Measurement> all;
  for (const char* method : kValleyMethods) {
    const bool gradient = std::string_view(method).starts_with("gd");
    const auto steps = static_cast<double>(rosenbrock_values(method, 200000).size());
    Measurement m{fmt::format("{}: steps to |g| <= 1e-8", method), steps};
    (gradient ? m.low : m.high) = gradient ? 10000 : 80;
    all.push_back(m);
  }
  return all;
}

Plot draw_valley() {
  Plot plot;
  plot.title = "Rosenbrock's function from (-1.5, 1.5)";
  plot.x_label = "steps";
  plot.y_label = "f";
  plot.log_x = true;
  plot.log_y = true;
  plot.legend = "to |g| <= 1e-8";
  for (const char* method : kValleyMethods) {
    std::vector<double> values = rosenbrock_values(method, 200000);
    std::vector<double> steps;
    std::vector<double> kept;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const auto step = static_cast<double>(k + 1);
      if (!steps.empty() && step < 1.02 * steps.back() && k + 1 < values.size()) continue;
      steps.push_back(step);
      kept.push_back(values[k]);
    }
    plot.series.push_back(line(method, steps, kept));
  }
  return plot;
}

struct StepCost {
  double products;
  double bytes;  // of what the method keeps between steps
  double seconds;
};

/// The mean of three steps on a quadratic in n variables, condition 100.
StepCost step_cost(const std::string& method, Index n) {
  Quadratic f(logarithmic_spectrum(n, 100), Vector::Ones(n), 2, 1);
  CountingObjective counted(f);
  const auto optimizer = make_optimizer(method, {f, 0});
  Vector x = Vector::Zero(n);
  optimizer->step(counted, x);
  const std::int64_t before = counted.cost().products;
  const auto start = std::chrono::steady_clock::now();
  constexpr int kSteps = 3;
  for (int i = 0; i < kSteps; ++i) {
    x.setZero();
    optimizer->step(counted, x);
  }
  StepCost cost{};
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kSteps;
  cost.products = static_cast<double>(counted.cost().products - before) / kSteps;
  for (const StateEntry& entry : optimizer->state()) {
    if (const auto* const* v = std::get_if<Vector*>(&entry.data)) cost.bytes += 8.0 * static_cast<double>((*v)->size());
    if (const auto* const* m = std::get_if<Matrix*>(&entry.data)) cost.bytes += 8.0 * static_cast<double>((*m)->size());
  }
  return cost;
}

constexpr const char* kCostMethods[] = {"newton+backtracking", "bfgs", "newton-cg+backtracking", "lbfgs"};

std::vector<Measurement> cost_of_a_step() {
  std::vector<Measurement> all;
  const auto exponent = [](double few, double many) { return std::log(many / few) / std::log(4.0); };
  // Products of a step, n to 4 n: counted, and so claimed. Seconds are the machine's and shown.
  for (const char* method : {"newton+backtracking", "newton-cg+backtracking"}) {
    const bool entries = std::string_view(method).starts_with("newton+");
    all.push_back({fmt::format("{}: exponent of products a step", method),
                   exponent(step_cost(method, 150).products, step_cost(method, 600).products), entries ? 0.99 : -0.3,
                   entries ? 1.01 : 0.3});
  }
  for (const char* method : {"bfgs", "lbfgs"}) {
    const bool entries = std::string_view(method) == "bfgs";
    all.push_back({fmt::format("{}: exponent of memory kept", method),
                   exponent(step_cost(method, 150).bytes, step_cost(method, 600).bytes), entries ? 1.9 : 0.99,
                   entries ? 2.1 : 1.01});
  }
  for (const char* method : kCostMethods) {
    all.push_back({fmt::format("{}: exponent of seconds a step", method),
                   exponent(step_cost(method, 150).seconds, step_cost(method, 600).seconds)});
  }
  return all;
}

Plot draw_cost() {
  Plot plot;
  plot.title = "One step on a quadratic of condition 100";
  plot.x_label = "variables n";
  plot.y_label = "seconds";
  plot.log_x = true;
  plot.log_y = true;
  plot.legend = "a factorisation is n^3, a product n here";
  for (const char* method : kCostMethods) {
    std::vector<double> sizes;
    std::vector<double> seconds;
    for (const Index n : {25, 50, 100, 200, 400, 800}) {
      sizes.push_back(static_cast<double>(n));
      seconds.push_back(step_cost(method, n).seconds);
    }
    plot.series.push_back(line(method, sizes, seconds));
  }
  return plot;
}

/// A plateau: x^2 / 2 and e (y^4 / 4 - y^2 / 2), e = 1e-3, with a saddle at the origin and minima -e / 4 at y = +-1.
struct Plateau {
  template <class T>
  T operator()(const T* x) const {
    const T square = x[1] * x[1];
    return 0.5 * (x[0] * x[0]) + 1e-3 * (0.25 * square * square - 0.5 * square);
  }
};

/// f + e / 4 before each step from (1, 1e-6), until it is below 1e-10.
std::vector<double> gap_on_plateau(const std::string& method, Index most) {
  FunctorObjective<Plateau> f({}, 2);
  Vector x = Eigen::Vector2d(1, 1e-6);
  const auto optimizer = make_optimizer(method, {f, 0});
  std::vector<double> gaps;
  for (Index k = 0; k < most; ++k) {
    const StepReport report = optimizer->step(f, x);
    gaps.push_back(report.value + 0.25e-3);
    if (report.status != StepStatus::ok || gaps.back() <= 1e-10) break;
  }
  return gaps;
}

constexpr const char* kPlateauMethods[] = {"saddle-free", "newton", "newton:indefinite=keep+undamped", "gd:lr=1",
                                           "lbfgs"};

std::vector<Measurement> off_the_plateau() {
  std::vector<Measurement> all;
  const auto steps = [](const char* method) {
    const auto gaps = gap_on_plateau(method, 100000);
    return gaps.back() <= 1e-10 ? static_cast<double>(gaps.size()) : std::numeric_limits<double>::infinity();
  };
  // With the absolute eigenvalue the step along y is y itself: it doubles, and 20 doublings lead from 1e-6 to 1.
  all.push_back({"saddle-free: steps to a minimum", steps("saddle-free"), 20, 40});
  // y grows by 1 + lr e a step: log(1e6) / 1e-3 of them.
  all.push_back({"gradient descent at lr = 1 / L: steps to a minimum", steps("gd:lr=1"), 13000, 30000});
  all.push_back({"undamped Newton: what is left after 100 steps, as a share of e / 4",
                 gap_on_plateau("newton:indefinite=keep+undamped", 100).back() / 0.25e-3, 0.999, 1.001});
  all.push_back({"Newton in a trust region: steps to a minimum", steps("newton")});
  all.push_back({"L-BFGS: steps to a minimum", steps("lbfgs")});
  return all;
}

Plot draw_plateau() {
  Plot plot;
  plot.title = "A plateau around a saddle, from (1, 1e-6)";
  plot.x_label = "steps";
  plot.y_label = "share of the way from the plateau to the minimum";
  plot.log_x = true;
  plot.legend = "curvature -1e-3 along the way down";
  for (const char* method : kPlateauMethods) {
    const std::vector<double> gaps = gap_on_plateau(method, 30000);
    std::vector<double> steps;
    std::vector<double> kept;
    for (std::size_t k = 0; k < gaps.size(); ++k) {
      const auto step = static_cast<double>(k + 1);
      if (!steps.empty() && step < 1.1 * steps.back() && k + 40 < gaps.size()) continue;
      steps.push_back(step);
      kept.push_back(std::clamp(1 - gaps[k] / 0.25e-3, 0.0, 1.0));
    }
    plot.series.push_back(line(method, steps, kept));
  }
  return plot;
}

}  // namespace

std::vector<Claim> newton_claims() {
  return {
      {"newton-digits", "Newton's iteration converges quadratically, gradient descent linearly: the measured order",
       "Nocedal and Wright (2006), theorem 3.5", digits_double, draw_digits},
      {"newton-maximum",
       "Undamped, Newton goes to maxima as readily as to minima; in a trust region it does not, and neither does "
       "gradient descent",
       "Nocedal and Wright (2006), section 3.3", goes_to_a_maximum, draw_ends},
      {"newton-valley",
       "Down a curved valley second-order methods take tens of steps, gradient descent tens of thousands",
       "Rosenbrock (1960)", down_the_valley, draw_valley},
      {"newton-cost",
       "A step of Newton's needs n products and n^3 flops, one of BFGS n^2 memory; L-BFGS and truncated "
       "Newton grow with n alone",
       "Nocedal and Wright (2006), chapters 3, 6 and 7", cost_of_a_step, draw_cost},
      {"newton-plateau",
       "Near a saddle with slight negative curvature saddle-free Newton doubles its distance each step, "
       "where gradient descent stalls and Newton's iteration goes back",
       "Dauphin et al. (2014)", off_the_plateau, draw_plateau},
  };
}

}  // namespace hesse::theory
