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

std::vector<Measurement> acceleration() {
  const auto gradient = [](double k) { return fmt::format("gd:lr={:.17g}", 2 / (1 + 1 / k)); };
  const auto heavy_ball = [](double k) {
    const double root = std::sqrt(k);
    return fmt::format("momentum:lr={:.17g},momentum={:.17g}", 4 * k / ((root + 1) * (root + 1)),
                       std::pow((root - 1) / (root + 1), 2));
  };
  const auto nesterov = [](double k) {
    const double root = std::sqrt(k);
    return fmt::format("nesterov:lr=1,momentum={:.17g}", (root - 1) / (root + 1));
  };
  std::vector<Measurement> all;
  // The exponent p of steps ~ condition^p, from 1e2 to 1e6; logarithmic factors and constants shift it a little.
  const auto exponent = [&](const char* name, const std::function<std::string(double)>& method, double expected) {
    const double few = steps_to_converge(method(1e2), 1e2);
    const double many = steps_to_converge(method(1e6), 1e6);
    all.push_back({fmt::format("{}: {:.0f} steps at 1e2, {:.0f} at 1e6", name, few, many), std::log10(many / few) / 4,
                   expected - 0.08, expected + 0.08});
  };
  exponent("gradient descent", gradient, 1);
  exponent("heavy ball", heavy_ball, 0.5);
  exponent("Nesterov", nesterov, 0.5);
  return all;
}

std::vector<Measurement> rates_low_and_high() {
  Quadratic f(linear_spectrum(20, 50), Vector::Zero(20));
  const auto after = [&](double rate) {
    Vector x = Vector::Ones(20);
    const auto gd = make_optimizer(fmt::format("gd:lr={:.17g}", rate), {f, 0});
    for (int i = 0; i < 200; ++i) gd->step(f, x);
    return f.value(x) / f.value(Vector::Ones(20));
  };
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
       "Nesterov (2004), section 2.1.5", convex_rate},
      {"gd-strongly-convex", "f(x_T) - f* <= (1 - lr mu)^T (f(x0) - f*) at lr = 1 / L: the largest share of the bound",
       "Nesterov (2004), section 2.1.5", strongly_convex_rate},
      {"acceleration",
       "Steps grow as the condition number for gradient descent and as its root for momentum: the exponent",
       "Polyak (1964); Nesterov (2004), section 2.2", acceleration},
      {"learning-rate", "Gradient descent diverges beyond 2 / L, crawls far below, and is fastest at 2 / (L + mu)",
       "Nesterov (2004), section 2.1.5", rates_low_and_high},
  };
}

}  // namespace hesse::theory
