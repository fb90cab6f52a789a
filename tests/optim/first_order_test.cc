#include "hesse/core/error.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/first_order/adam.h"
#include "hesse/optim/first_order/sgd.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

std::unique_ptr<Optimizer> make(const std::string& text, Objective& f) {
  return optimizers().make(parse_spec(text), {f, 0});
}

/// x after `steps` steps.
Vector run(const std::string& text, Objective& f, Vector x, int steps) {
  auto optimizer = make(text, f);
  for (int i = 0; i < steps; ++i) REQUIRE(optimizer->step(f, x).status == StepStatus::ok);
  return x;
}

double relative(const Vector& a, const Vector& b) { return (a - b).norm() / std::max(1e-300, b.norm()); }

}  // namespace

TEST_CASE("Gradient descent on a quadratic multiplies the error in each eigenvector by 1 - lr lambda") {
  const Index n = GENERATE(1, 2, 3, 10, 50);
  const Vector lambda = logarithmic_spectrum(n, 100);
  const Vector c = Vector::LinSpaced(n, -1, 2);
  Quadratic f(lambda, c);
  const Vector x0 = c + Vector::Ones(n);
  const double lr = 1.5;
  const int steps = 40;
  const Vector x = run("gd:lr=1.5", f, x0, steps);
  // Each step rounds x by eps |x| at most, and a contraction does not amplify that: steps eps |x|.
  const double tolerance = 4 * steps * kEps * x0.cwiseAbs().maxCoeff();
  for (Index i = 0; i < n; ++i) CHECK(std::abs(x[i] - c[i] - std::pow(1 - lr * lambda[i], steps)) <= tolerance);
}

TEST_CASE("Gradient descent with lr = 2 / (L + mu) contracts at least by (kappa - 1) / (kappa + 1) a step") {
  const double kappa = GENERATE(2.0, 10.0, 1000.0);
  Quadratic f(linear_spectrum(20, kappa), Vector::Zero(20), 3, 1);
  Vector x = Vector::LinSpaced(20, 1, 3);
  auto optimizer = std::make_unique<Sgd>(SgdOptions{.lr = 2 / (1 + 1 / kappa)});
  const double rate = (kappa - 1) / (kappa + 1);
  for (int i = 0; i < 30; ++i) {
    const double before = x.norm();
    optimizer->step(f, x);
    CHECK(x.norm() <= rate * before * (1 + 100 * kEps));
  }
}

TEST_CASE("Gradient descent with lr = 1 / L lowers a convex quadratic below L |x0 - c|^2 / (2 k)") {
  Quadratic f(logarithmic_spectrum(30, 1e6), Vector::Zero(30));
  const Vector x0 = Vector::Ones(30);
  auto optimizer = std::make_unique<Sgd>(SgdOptions{.lr = 1});
  Vector x = x0;
  for (int k = 1; k <= 200; ++k) {
    optimizer->step(f, x);
    CHECK(f.value(x) <= x0.squaredNorm() / (2 * k));
  }
}

TEST_CASE("First-order methods with the textbook rates reach the minimiser of a quadratic, and say so truthfully") {
  // mu = 1 and L = 100: the rates and factors are those that are best for them (Polyak 1964; Nesterov 2004).
  const double root = 10;
  const double heavy = 4 / ((root + 1) * (root + 1));
  const double factor = (root - 1) / (root + 1);
  Quadratic f(100 * logarithmic_spectrum(30, 100), Vector::LinSpaced(30, -2, 3), 4, 1);
  for (const std::string& method : {fmt::format("gd:lr={}", 2.0 / 101), fmt::format("sgd:lr={}", 2.0 / 101),
                                    fmt::format("momentum:lr={},momentum={}", heavy, factor * factor),
                                    fmt::format("nesterov:lr={},momentum={}", 0.01, factor)}) {
    CAPTURE(method);
    Stopping stopping;
    stopping.gradient_tolerance = 1e-10;
    stopping.max_steps = 2000;
    auto optimizer = make(method, f);
    Vector x = Vector::Zero(30);
    const Summary summary = minimize(*optimizer, f, x, stopping);
    CAPTURE(summary.message);
    CHECK(summary.termination == Termination::gradient);
    // |x - c| <= |g| / mu.
    CHECK((x - f.centre()).norm() <= 1e-10);
    CHECK(f.value(x) <= 0.5e-20);
  }
}

TEST_CASE("Momentum in its three forms follows its defining recursion") {
  FunctorObjective<Beale> f({}, 2);
  const Eigen::Vector2d x0(1.0, 0.6);
  const double lr = 0.01;
  const double mu = 0.8;
  const double decay = GENERATE(0.0, 0.3);
  const bool decoupled = GENERATE(false, true);
  const std::string common =
      fmt::format("lr=0.01,momentum=0.8,weight_decay={},decay={}", decay, decoupled ? "decoupled" : "gradient");
  const auto gradient = [&](const Vector& x) {
    Vector g;
    f.value_and_gradient(x, g);
    return decoupled ? g : Vector(g + decay * x);
  };
  const auto shrink = [&](const Vector& x) { return decoupled ? Vector(lr * decay * x) : Vector(Vector::Zero(2)); };
  const int steps = 10;
  // The map is smooth with Jacobians of norm near 1: ten steps amplify rounding by far less than 1e3.
  const double tolerance = 1e3 * kEps;

  SECTION("classical: v <- mu v - lr g, x <- x + v") {
    Vector x = x0;
    Vector v = Vector::Zero(2);
    for (int i = 0; i < steps; ++i) {
      v = mu * v - lr * gradient(x);
      x = x + v - shrink(x);
    }
    CHECK(relative(run("sgd:" + common, f, x0, steps), x) <= tolerance);
  }
  SECTION("averaged: m <- mu m + (1 - mu) g, x <- x - lr m") {
    Vector x = x0;
    Vector m = Vector::Zero(2);
    for (int i = 0; i < steps; ++i) {
      m = mu * m + (1 - mu) * gradient(x);
      x = x - lr * m - shrink(x);
    }
    CHECK(relative(run("sgd:form=averaged," + common, f, x0, steps), x) <= tolerance);
  }
  SECTION("Nesterov: v <- mu v - lr g(y + mu v), y <- y + v, seen at x = y + mu v") {
    if (decoupled) return;  // shrinks the shifted variable: another method
    Vector y = x0;
    Vector v = Vector::Zero(2);
    for (int i = 0; i < steps; ++i) {
      v = mu * v - lr * gradient(y + mu * v);
      y = y + v;
    }
    CHECK(relative(run("nesterov:" + common, f, x0, steps), y + mu * v) <= tolerance);
  }
}

TEST_CASE("Averaged momentum with rate lr is classical momentum with rate (1 - mu) lr") {
  FunctorObjective<Himmelblau> f({}, 2);
  const Vector averaged = run("sgd:lr=0.02,momentum=0.75,form=averaged", f, Eigen::Vector2d(1, 1), 25);
  const Vector classical = run("sgd:lr=0.005,momentum=0.75", f, Eigen::Vector2d(1, 1), 25);
  CHECK(relative(averaged, classical) <= 1e-12);
  CHECK(relative(run("momentum:lr=0.005,momentum=0.75", f, Eigen::Vector2d(1, 1), 25), classical) == 0);
}

TEST_CASE("Nesterov's method on an eigenvector is classical momentum with mu (1 - lr lambda)") {
  // Sutskever et al. (2013), Theorem 2.1, for the iterates y; ours are x = y + mu v, and y follows
  // from y_k = x_k - mu (y_k - y_{k-1}).
  const double lambda = GENERATE(0.1, 0.5, 0.9);
  const double lr = 0.7;
  const double mu = 0.9;
  Quadratic f(Vector::Constant(1, lambda), Vector::Zero(1));
  Sgd nesterov({.lr = lr, .momentum = mu, .nesterov = true});
  Sgd classical({.lr = lr, .momentum = mu * (1 - lr * lambda)});
  Vector x = Vector::Constant(1, 2.0);
  Vector z = x;
  double y = x[0];
  for (int k = 0; k < 30; ++k) {
    nesterov.step(f, x);
    classical.step(f, z);
    y = (x[0] + mu * y) / (1 + mu);
    // |mu| < 1 and |1 - lr lambda| < 1: rounding is not amplified beyond 1 / (1 - mu) a step.
    CHECK(std::abs(y - z[0]) <= 30 * 10 * 2 * kEps * 2);
  }
}

TEST_CASE("Adam and AdamW follow Algorithm 1 of Kingma and Ba and Algorithm 2 of Loshchilov and Hutter") {
  const Index n = GENERATE(1, 2, 3, 8, 10, 50);
  const bool decoupled = GENERATE(false, true);
  const Vector c = Vector::LinSpaced(n, -1, 2);
  Quadratic f(linear_spectrum(n, 50), c, n > 1 ? 2 : 0, 4);
  const double alpha = 0.05, beta1 = 0.8, beta2 = 0.95, eps = 1e-3, lambda = 0.1;
  Vector x = Vector::Constant(n, 3.0);
  Vector m = Vector::Zero(n);
  Vector v = Vector::Zero(n);
  const int steps = 30;
  for (int t = 1; t <= steps; ++t) {
    Vector g;
    f.value_and_gradient(x, g);
    if (!decoupled) g += lambda * x;
    for (Index i = 0; i < n; ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, t));
      const double v_hat = v[i] / (1 - std::pow(beta2, t));
      x[i] -= alpha * m_hat / (std::sqrt(v_hat) + eps) + (decoupled ? alpha * lambda * x[i] : 0);
    }
  }
  const std::string name = decoupled ? "adamw" : "adam";
  const Vector ours =
      run(name + ":lr=0.05,beta1=0.8,beta2=0.95,eps=1e-3,weight_decay=0.1", f, Vector::Constant(n, 3.0), steps);
  // Both round a handful of times a step; the update's derivative in g is at most lr / eps = 50 where
  // the gradient vanishes, far from where this trajectory goes.
  CHECK(relative(ours, x) <= 1e-12);
}

TEST_CASE("Adam's first step is lr g / (|g| + eps) in every coordinate") {
  Quadratic f(linear_spectrum(3, 10), Eigen::Vector3d(1, -2, 3));
  const Vector x0 = Vector::Zero(3);
  Vector g;
  f.value_and_gradient(x0, g);
  const Vector x = run("adam:lr=0.1,eps=0.5", f, x0, 1);
  for (Index i = 0; i < 3; ++i) CHECK(x[i] == Approx(-0.1 * g[i] / (std::abs(g[i]) + 0.5)).epsilon(1e-14));
}

TEST_CASE("A reported step norm is the distance between the iterates, and the report is of the point before") {
  const std::string name = GENERATE("gd", "sgd:momentum=0.9", "nesterov", "adam", "adamw", "lbfgs", "newton-cg");
  Quadratic f(linear_spectrum(50, 20), Vector::Ones(50), 2, 3);
  auto optimizer = make(name, f);
  Vector x = Vector::LinSpaced(50, -1, 1);
  for (int i = 0; i < 4; ++i) {
    const Vector before = x;
    Vector g;
    const double value = f.value_and_gradient(before, g);
    const StepReport report = optimizer->step(f, x);
    CAPTURE(name, i);
    CHECK(report.step_norm == Approx((x - before).norm()).epsilon(1e-12));
    CHECK(report.value == value);
    CHECK(report.gradient_norm == Approx(g.norm()).epsilon(1e-14));
    if (!std::isnan(report.value_after)) CHECK(report.value_after == f.value(x));
  }
}

TEST_CASE("A schedule sets the learning rate through its pointer") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  const std::string name = GENERATE("gd", "sgd", "momentum", "nesterov");
  auto optimizer = make(name, f);
  REQUIRE(optimizer->learning_rate() != nullptr);
  *optimizer->learning_rate() = 0.125;
  Vector x = Vector::Ones(2);
  const StepReport report = optimizer->step(f, x);
  CHECK(report.step_size == 0.125);
  // The first step is -lr g, times 1 + mu where Nesterov's variable looks ahead.
  CHECK(x[0] == Approx(1 - 0.125 * (name == "nesterov" ? 1.9 : 1.0)).epsilon(1e-15));
}

TEST_CASE("Wrong options of first-order methods are refused") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  for (const char* text : {"gd:lr=0", "gd:lr=-1", "gd:lr=nan", "sgd:momentum=1", "sgd:momentum=-0.1", "adam:beta1=1",
                           "adam:beta2=1", "adam:eps=0", "adam:weight_decay=-1", "sgd:form=other", "adma",
                           "sgd:form=averaged,nesterov=true", "adam:learning=1"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(make(text, f), Error);
  }
}
