/// \file
/// Functions of one variable as objectives, and those on which line searches are tested.
#pragma once

#include "hesse/core/error.h"
#include "hesse/objective/objective.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <utility>
#include <vector>

namespace hesse {

/// phi(alpha) as an objective in one variable.
class Line final : public Objective {
 public:
  using Phi = std::function<std::pair<double, double>(double)>;
  explicit Line(Phi phi) : phi_(std::move(phi)), layout_(1) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return phi_(x[0]).first; }
  double value_and_gradient(const Vector& x, Vector& g) override {
    ++evaluations;
    const auto [value, slope] = phi_(x[0]);
    g = Vector::Constant(1, slope);
    return value;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("line: no curvature"); }
  Index evaluations = 0;

 private:
  Phi phi_;
  ParameterLayout layout_;
};

// The six functions of More and Thuente (1994, section 5).
inline Line::Phi function1(double beta) {
  return [=](double a) {
    const double q = a * a + beta;
    return std::pair{-a / q, (a * a - beta) / (q * q)};
  };
}
inline Line::Phi function2(double beta) {
  return [=](double a) {
    const double t = a + beta;
    return std::pair{std::pow(t, 5) - 2 * std::pow(t, 4), 5 * std::pow(t, 4) - 8 * std::pow(t, 3)};
  };
}
inline Line::Phi function3(double beta, double l) {
  return [=](double a) {
    double value = 0;
    double slope = 0;
    if (a <= 1 - beta) {
      value = 1 - a;
      slope = -1;
    } else if (a >= 1 + beta) {
      value = a - 1;
      slope = 1;
    } else {
      value = (a - 1) * (a - 1) / (2 * beta) + beta / 2;
      slope = (a - 1) / beta;
    }
    const double w = l * std::numbers::pi / 2;
    return std::pair{value + (1 - beta) / w * std::sin(w * a), slope + (1 - beta) * std::cos(w * a)};
  };
}
inline Line::Phi yanai(double beta1, double beta2) {
  const auto gamma = [](double b) { return std::sqrt(1 + b * b) - b; };
  const double g1 = gamma(beta1);
  const double g2 = gamma(beta2);
  return [=](double a) {
    const double r1 = std::hypot(1 - a, beta2);
    const double r2 = std::hypot(a, beta1);
    return std::pair{g1 * r1 + g2 * r2, -g1 * (1 - a) / r1 + g2 * a / r2};
  };
}

/// One of them with the constants of its tables: mu for decrease, eta for curvature.
struct MoreThuenteCase {
  const char* name;
  Line::Phi phi;
  double mu, eta;
};
inline std::vector<MoreThuenteCase> more_thuente_cases() {
  return {{"1", function1(2), 0.001, 0.1},         {"2", function2(0.004), 0.1, 0.1},
          {"3", function3(0.01, 39), 0.1, 0.1},    {"4", yanai(0.001, 0.001), 0.001, 0.001},
          {"5", yanai(0.01, 0.001), 0.001, 0.001}, {"6", yanai(0.001, 0.01), 0.001, 0.001}};
}

}  // namespace hesse
