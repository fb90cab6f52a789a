// Rates of gradient descent and of its accelerations on quadratics and on a convex loss.

#include "claims.h"

#include "hesse/data/datasets.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <fmt/format.h>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace hesse::theory {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The largest f(x_T) - f* over bound(T), T up to `steps`.
double worst_share(Objective& f, Vector x, double rate, double least, Index steps,
                   const std::function<double(double)>& bound) {
  const auto gd = make_optimizer(fmt::format("gd:lr={:.17g}", rate), {f, 0});
  double worst = 0;
  for (Index t = 1; t <= steps; ++t) {
    gd->step(f, x);
    worst = std::max(worst, (f.value(x) - least) / bound(static_cast<double>(t)));
  }
  return worst;
}

/// f(x_T) - f* of gradient descent at rate 1 / L on a quadratic from (1, ..., 1), T from 1, thinned evenly in log T.
Series descent(double condition, Index steps) {
  Quadratic f(logarithmic_spectrum(50, condition), Vector::Zero(50), 3, 1);
  const auto gd = make_optimizer("gd:lr=1", {f, 0});
  Vector x = Vector::Ones(50);
  std::vector<double> t;
  std::vector<double> gap;
  for (Index step = 1; step <= steps; ++step) {
    gd->step(f, x);
    if (!t.empty() && static_cast<double>(step) < 1.02 * t.back() && step < steps) continue;
    t.push_back(static_cast<double>(step));
    gap.push_back(f.value(x));
  }
  return line(fmt::format("condition {:g}", condition), t, gap);
}

Plot rate_plot(const char* title) {
  Plot plot;
  plot.title = title;
  plot.x_label = "steps T";
  plot.y_label = "f(x_T) - f*";
  plot.log_y = true;
  plot.legend = "gradient descent, lr = 1 / L";
  return plot;
}

Plot draw_convex_rate() {
  Plot plot = rate_plot("Convex: below L |x0 - x*|^2 / (2 T)");
  plot.log_x = true;
  for (const double condition : {1e2, 1e4, 1e6}) plot.series.push_back(descent(condition, 2000));
  std::vector<double> bound;
  for (const double t : plot.series.back().runs[0].x) bound.push_back(50 / (2 * t));
  plot.series.push_back(line("bound", plot.series.back().runs[0].x, bound));
  return plot;
}

Plot draw_strongly_convex_rate() {
  Plot plot = rate_plot("Strongly convex: below (1 - lr mu)^T (f(x0) - f*)");
  for (const double condition : {10.0, 100.0, 1000.0}) {
    plot.series.push_back(descent(condition, 1000));
    Quadratic f(logarithmic_spectrum(50, condition), Vector::Zero(50), 3, 1);
    const double first = f.value(Vector::Ones(50));
    std::vector<double>& x = plot.series.back().runs[0].x;
    std::vector<double>& y = plot.series.back().runs[0].y;
    // From where rounding takes over there is nothing to compare.
    const auto end = std::find_if(y.begin(), y.end(), [](double v) { return v < 1e-16; }) - y.begin();
    x.resize(static_cast<std::size_t>(end));
    y.resize(static_cast<std::size_t>(end));
    std::vector<double> bound;
    for (const double t : x) bound.push_back(std::pow(1 - 1 / condition, t) * first);
    plot.series.push_back(line(fmt::format("bound, condition {:g}", condition), x, bound));
  }
  return plot;
}

std::vector<Measurement> convex_rate() {
  std::vector<Measurement> all;
  const Vector x0 = Vector::Ones(50);
  for (const double condition : {1e2, 1e4, 1e6}) {
    Quadratic f(logarithmic_spectrum(50, condition), Vector::Zero(50), 3, 1);
    const double share = worst_share(f, x0, 1, 0, 2000, [&](double t) { return x0.squaredNorm() / (2 * t); });
    all.push_back({fmt::format("quadratic, condition {:g}", condition), share, 0, 1});
  }
  // A convex loss without a closed form: its minimum by L-BFGS, and L <= lambda_max(mean of x x') / 2 for softmax.
  Problem problem = problems().make(parse_spec("softmax-regression:data=digits,l2=1e-3"), {Precision::float64});
  Objective& f = *problem.objective;
  Vector optimum = Vector::Zero(f.size());
  const auto lbfgs = make_optimizer("lbfgs", {f, 0});
  Stopping stopping;
  stopping.gradient_tolerance = 1e-9;
  stopping.max_steps = 5000;
  const double least = minimize(*lbfgs, f, optimum, stopping).value;
  const Matrix& inputs = load_data("digits").train->inputs;
  Matrix moments = Matrix::Zero(inputs.rows() + 1, inputs.rows() + 1);
  Vector one(inputs.rows() + 1);
  for (Index i = 0; i < inputs.cols(); ++i) {
    one << inputs.col(i), 1;
    moments += one * one.transpose() / static_cast<double>(inputs.cols());
  }
  const double L =
      0.5 * Eigen::SelfAdjointEigenSolver<Matrix>(moments, Eigen::EigenvaluesOnly).eigenvalues().maxCoeff() + 1e-3;
  const Vector start = Vector::Zero(f.size());
  const double share =
      worst_share(f, start, 1 / L, least, 500, [&](double t) { return L * optimum.squaredNorm() / (2 * t); });
  all.push_back({"softmax regression on digits", share, 0, 1});
  return all;
}

std::vector<Measurement> strongly_convex_rate() {
  std::vector<Measurement> all;
  const Vector x0 = Vector::Ones(50);
  for (const double condition : {10.0, 100.0, 1000.0}) {
    Quadratic f(logarithmic_spectrum(50, condition), Vector::Zero(50), 3, 1);
    const double first = f.value(x0);
    // To where the bound is still far above the rounding of f.
    const auto steps = static_cast<Index>(10 * condition);
    const double share =
        worst_share(f, x0, 1, 0, steps, [&](double t) { return std::pow(1 - 1 / condition, t) * first; });
    all.push_back({fmt::format("quadratic, condition {:g}", condition), share, 0, 1 + 1e-9});
  }
  return all;
}

/// Steps until |x| has fallen by 1e-6.
double steps_to_converge(const std::string& method, double condition) {
  Quadratic f(logarithmic_spectrum(8, condition), Vector::Zero(8));
  Vector x = Vector::Ones(8);
  const double goal = 1e-6 * x.norm();
  const auto optimizer = make_optimizer(method, {f, 0});
  Index steps = 0;
  while (x.norm() > goal && steps < 100000000) {
    optimizer->step(f, x);
    ++steps;
  }
  return static_cast<double>(steps);
}

// Each with the rate and the momentum that are best for it at condition k, L = 1.
std::string best_gradient(double k) { return fmt::format("gd:lr={:.17g}", 2 / (1 + 1 / k)); }
std::string best_heavy_ball(double k) {
  const double root = std::sqrt(k);
  return fmt::format("momentum:lr={:.17g},momentum={:.17g}", 4 * k / ((root + 1) * (root + 1)),
                     std::pow((root - 1) / (root + 1), 2));
}
std::string best_nesterov(double k) {
  const double root = std::sqrt(k);
  return fmt::format("nesterov:lr=1,momentum={:.17g}", (root - 1) / (root + 1));
}

std::vector<Measurement> acceleration() {
  std::vector<Measurement> all;
  // The exponent p of steps ~ condition^p, from 1e2 to 1e6; logarithmic factors and constants shift it a little.
  const auto exponent = [&](const char* name, const std::function<std::string(double)>& method, double expected) {
    const double few = steps_to_converge(method(1e2), 1e2);
    const double many = steps_to_converge(method(1e6), 1e6);
    all.push_back({fmt::format("{}: {:.0f} steps at 1e2, {:.0f} at 1e6", name, few, many), std::log10(many / few) / 4,
                   expected - 0.08, expected + 0.08});
  };
  exponent("gradient descent", best_gradient, 1);
  exponent("heavy ball", best_heavy_ball, 0.5);
  exponent("Nesterov", best_nesterov, 0.5);
  return all;
}

Plot draw_acceleration() {
  Plot plot;
  plot.title = "Steps until |x - x*| has fallen by 1e-6";
  plot.x_label = "condition number";
  plot.y_label = "steps";
  plot.log_x = plot.log_y = true;
  plot.legend = "best rate and momentum";
  for (const auto& [name, method] :
       {std::pair{"gradient descent", &best_gradient}, std::pair{"heavy ball", &best_heavy_ball},
        std::pair{"Nesterov", &best_nesterov}}) {
    std::vector<double> conditions;
    std::vector<double> steps;
    for (double condition = 1e2; condition < 2e6; condition *= 10) {
      conditions.push_back(condition);
      steps.push_back(steps_to_converge(method(condition), condition));
    }
    plot.series.push_back(line(name, conditions, steps));
  }
  return plot;
}

/// What is left of f after 200 steps at this rate, L = 1 and mu = 1 / 50.
double after(double rate) {
  Quadratic f(linear_spectrum(20, 50), Vector::Zero(20));
  Vector x = Vector::Ones(20);
  const auto gd = make_optimizer(fmt::format("gd:lr={:.17g}", rate), {f, 0});
  for (int i = 0; i < 200; ++i) gd->step(f, x);
  return f.value(x) / f.value(Vector::Ones(20));
}

Plot draw_rates() {
  Plot plot;
  plot.title = "Gradient descent on a quadratic of condition 50";
  plot.x_label = "learning rate times L";
  plot.y_label = "what is left of f after 200 steps";
  plot.log_y = true;
  plot.legend = "least at 2 / (L + mu) = 1.96";
  std::vector<double> rates;
  std::vector<double> left;
  for (double rate = 0.005; rate <= 2.05; rate += 0.005) {
    rates.push_back(rate);
    left.push_back(after(rate));
  }
  plot.series.push_back(line("gradient descent", rates, left));
  plot.target = 1;
  plot.target_label = "above: diverges";
  return plot;
}

std::vector<Measurement> rates_low_and_high() {
  const double right = after(2 / (1 + 1.0 / 50));
  return {{"lr = 1.99 / L: what is left of f", after(1.99), 0, 1},
          {"lr = 2.01 / L: what is left of f", after(2.01), 1, kInfinity},
          {"lr = 0.01 / L over lr = 2 / (L + mu)", after(0.01) / right, 10, kInfinity},
          {"lr = 1.99 / L over lr = 2 / (L + mu)", after(1.99) / right, 10, kInfinity}};
}

}  // namespace

std::vector<Claim> deterministic_claims() {
  return {
      {"gd-convex", "f(x_T) - f* <= L |x0 - x*|^2 / (2 T) at lr = 1 / L: the largest share of the bound",
       "Nesterov (2004), section 2.1.5", convex_rate, draw_convex_rate},
      {"gd-strongly-convex", "f(x_T) - f* <= (1 - lr mu)^T (f(x0) - f*) at lr = 1 / L: the largest share of the bound",
       "Nesterov (2004), section 2.1.5", strongly_convex_rate, draw_strongly_convex_rate},
      {"acceleration",
       "Steps grow as the condition number for gradient descent and as its root for momentum: the exponent",
       "Polyak (1964); Nesterov (2004), section 2.2", acceleration, draw_acceleration},
      {"learning-rate", "Gradient descent diverges beyond 2 / L, crawls far below, and is fastest at 2 / (L + mu)",
       "Nesterov (2004), section 2.1.5", rates_low_and_high, draw_rates},
  };
}

}  // namespace hesse::theory
