/// \file
/// The residuals of the 35 problems of More, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM
/// TOMS 7 (1981) 17-41, as functors for ResidualObjective and for Ceres alike: r : R^n -> R^m, numbered as in section 3
/// of the paper. docs/problems.md says where ports of the paper disagree, and what was settled.
///
/// Indices in the formulas above the functors are those of the paper and begin at 1.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/types.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

namespace hesse::mgh {

/// (1) r = (10 (x2 - x1^2), 1 - x1).
struct Rosenbrock {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = 10.0 * (x[1] - x[0] * x[0]);
    r[1] = 1.0 - x[0];
  }
};

/// (2) r = (-13 + x1 + ((5 - x2) x2 - 2) x2, -29 + x1 + ((x2 + 1) x2 - 14) x2).
struct FreudensteinRoth {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1] - 13.0;
    r[1] = x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1] - 29.0;
  }
};

/// (3) r = (10^4 x1 x2 - 1, exp(-x1) + exp(-x2) - 1.0001).
struct PowellBadlyScaled {
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    r[0] = 1e4 * x[0] * x[1] - 1.0;
    r[1] = exp(-x[0]) + exp(-x[1]) - 1.0001;
  }
};

/// (4) r = (x1 - 10^6, x2 - 2 10^-6, x1 x2 - 2).
struct BrownBadlyScaled {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = x[0] - 1e6;
    r[1] = x[1] - 2e-6;
    r[2] = x[0] * x[1] - 2.0;
  }
};

/// (5) r_i = y_i - x1 (1 - x2^i), y = 1.5, 2.25, 2.625.
struct Beale {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = 1.5 - x[0] * (1.0 - x[1]);
    r[1] = 2.25 - x[0] * (1.0 - x[1] * x[1]);
    r[2] = 2.625 - x[0] * (1.0 - x[1] * x[1] * x[1]);
  }
};

/// (6) r_i = 2 + 2i - (exp(i x1) + exp(i x2)).
struct JennrichSampson {
  Index m = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (Index i = 0; i < m; ++i) {
      const auto t = static_cast<double>(i + 1);
      r[i] = 2.0 + 2.0 * t - (exp(t * x[0]) + exp(t * x[1]));
    }
  }
};

/// (7) r = (10 (x3 - 10 theta), 10 (sqrt(x1^2 + x2^2) - 1), x3), where 2 pi theta = atan(x2 / x1), plus pi for x1 < 0.
/// The paper leaves x1 = 0 open; here theta goes on continuously from x1 > 0, so that it jumps only across the half
/// line x1 = 0, x2 < 0.
struct HelicalValley {
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::atan, std::sqrt;
    constexpr double kTurn = 0.5 * std::numbers::inv_pi;
    T theta;
    if (x[0] > 0.0) {
      theta = kTurn * atan(x[1] / x[0]);
    } else if (x[0] < 0.0) {
      theta = kTurn * atan(x[1] / x[0]) + 0.5;
    } else {
      theta = (x[1] < 0.0 ? -0.25 : 0.25) - kTurn * atan(x[0] / x[1]);
    }
    r[0] = 10.0 * (x[2] - 10.0 * theta);
    r[1] = 10.0 * (sqrt(x[0] * x[0] + x[1] * x[1]) - 1.0);
    r[2] = x[2];
  }
};

/// (8) r_i = y_i - (x1 + u_i / (v_i x2 + w_i x3)), u_i = i, v_i = 16 - i, w_i = min(u_i, v_i).
struct Bard {
  static constexpr std::array<double, 15> y = {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39,
                                               0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39};
  template <class T>
  void operator()(const T* x, T* r) const {
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double u = static_cast<double>(i) + 1.0;
      const double v = 16.0 - u;
      r[i] = y[i] - (x[0] + u / (v * x[1] + std::min(u, v) * x[2]));
    }
  }
};

/// (9) r_i = x1 exp(-x2 (t_i - x3)^2 / 2) - y_i, t_i = (8 - i) / 2.
struct Gaussian {
  static constexpr std::array<double, 15> y = {0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
                                               0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009};
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const T d = (7.0 - static_cast<double>(i)) / 2.0 - x[2];
      r[i] = x[0] * exp(-0.5 * x[1] * d * d) - y[i];
    }
  }
};

/// (10) r_i = x1 exp(x2 / (t_i + x3)) - y_i, t_i = 45 + 5i.
struct Meyer {
  static constexpr std::array<double, 16> y = {34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
                                               8261,  7030,  6005,  5147,  4427,  3820,  3307,  2872};
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (std::size_t i = 0; i < y.size(); ++i) {
      r[i] = x[0] * exp(x[1] / (50.0 + 5.0 * static_cast<double>(i) + x[2])) - y[i];
    }
  }
};

/// (11) r_i = exp(-|y_i - x2|^x3 / x1) - t_i, t_i = i / 100, y_i = 25 + (-50 ln t_i)^(2/3). In the paper's print of the
/// formula the minus sign is the letters "mi".
struct Gulf {
  Index m = 99;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::abs, std::exp, std::pow;
    for (Index i = 0; i < m; ++i) {
      const double t = static_cast<double>(i + 1) / 100;
      const T d = 25.0 + std::pow(-50 * std::log(t), 2.0 / 3) - x[1];
      r[i] = exp(-(pow(T(abs(d)), x[2]) / x[0])) - t;
    }
  }
};

/// (12) r_i = exp(-t_i x1) - exp(-t_i x2) - x3 (exp(-t_i) - exp(-10 t_i)), t_i = i / 10.
struct Box3 {
  Index m = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (Index i = 0; i < m; ++i) {
      const double t = static_cast<double>(i + 1) / 10;
      r[i] = exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (std::exp(-t) - std::exp(-10 * t));
    }
  }
};

/// (13), (22) Powell's singular function, of each four variables:
/// r = (x1 + 10 x2, sqrt(5) (x3 - x4), (x2 - 2 x3)^2, sqrt(10) (x1 - x4)^2).
struct PowellSingular {
  Index n = 4;
  template <class T>
  void operator()(const T* x, T* r) const {
    static const double root5 = std::sqrt(5.0);
    static const double root10 = std::sqrt(10.0);
    for (Index j = 0; j < n; j += 4) {
      const T u = x[j + 1] - 2.0 * x[j + 2];
      const T v = x[j] - x[j + 3];
      r[j] = x[j] + 10.0 * x[j + 1];
      r[j + 1] = root5 * (x[j + 2] - x[j + 3]);
      r[j + 2] = u * u;
      r[j + 3] = root10 * (v * v);
    }
  }
};

/// (14) r = (10 (x2 - x1^2), 1 - x1, sqrt(90) (x4 - x3^2), 1 - x3, sqrt(10) (x2 + x4 - 2), (x2 - x4) / sqrt(10)).
struct Wood {
  template <class T>
  void operator()(const T* x, T* r) const {
    static const double root10 = std::sqrt(10.0);
    r[0] = 10.0 * (x[1] - x[0] * x[0]);
    r[1] = 1.0 - x[0];
    r[2] = 3.0 * root10 * (x[3] - x[2] * x[2]);
    r[3] = 1.0 - x[2];
    r[4] = root10 * (x[1] + x[3] - 2.0);
    r[5] = (x[1] - x[3]) / root10;
  }
};

/// (15) r_i = y_i - x1 (u_i^2 + u_i x2) / (u_i^2 + u_i x3 + x4).
struct KowalikOsborne {
  static constexpr std::array<double, 11> y = {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627,
                                               0.0456, 0.0342, 0.0323, 0.0235, 0.0246};
  static constexpr std::array<double, 11> u = {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625};
  template <class T>
  void operator()(const T* x, T* r) const {
    for (std::size_t i = 0; i < y.size(); ++i) {
      r[i] = y[i] - x[0] * (u[i] * (u[i] + x[1])) / (u[i] * (u[i] + x[2]) + x[3]);
    }
  }
};

/// (16) r_i = (x1 + t_i x2 - exp(t_i))^2 + (x3 + x4 sin(t_i) - cos(t_i))^2, t_i = i / 5.
struct BrownDennis {
  Index m = 20;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < m; ++i) {
      const double t = static_cast<double>(i + 1) / 5;
      const T u = x[0] + t * x[1] - std::exp(t);
      const T v = x[2] + std::sin(t) * x[3] - std::cos(t);
      r[i] = u * u + v * v;
    }
  }
};

/// (17) r_i = y_i - (x1 + x2 exp(-t_i x4) + x3 exp(-t_i x5)), t_i = 10 (i - 1).
struct Osborne1 {
  static constexpr std::array<double, 33> y = {0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818,
                                               0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558,
                                               0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438,
                                               0.431, 0.424, 0.420, 0.414, 0.411, 0.406};
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double t = 10 * static_cast<double>(i);
      r[i] = y[i] - (x[0] + x[1] * exp(-t * x[3]) + x[2] * exp(-t * x[4]));
    }
  }
};

/// (18) r_i = x3 exp(-t_i x1) - x4 exp(-t_i x2) + x6 exp(-t_i x5) - y_i, t_i = i / 10,
/// y_i = exp(-t_i) - 5 exp(-10 t_i) + 3 exp(-4 t_i).
struct BiggsExp6 {
  Index m = 13;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (Index i = 0; i < m; ++i) {
      const double t = static_cast<double>(i + 1) / 10;
      const double y = std::exp(-t) - 5 * std::exp(-10 * t) + 3 * std::exp(-4 * t);
      r[i] = x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y;
    }
  }
};

/// (19) r_i = y_i - (x1 exp(-t_i x5) + sum_k x_k exp(-(t_i - x_{k+7})^2 x_{k+4}), k = 2, 3, 4), t_i = (i - 1) / 10.
struct Osborne2 {
  static constexpr std::array<double, 65> y = {
      1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
      0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
      0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
      0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
      0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054};
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double t = static_cast<double>(i) / 10;
      T sum = x[0] * exp(-t * x[4]);
      for (int k = 1; k <= 3; ++k) {
        const T d = t - x[k + 7];
        sum = sum + x[k] * exp(-d * d * x[k + 4]);
      }
      r[i] = y[i] - sum;
    }
  }
};

/// (20) r_i = sum_{j=2}^n (j - 1) x_j t_i^{j-2} - (sum_j x_j t_i^{j-1})^2 - 1, t_i = i / 29, i <= 29; r_30 = x1,
/// r_31 = x2 - x1^2 - 1.
struct Watson {
  Index n = 6;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < 29; ++i) {
      const double t = static_cast<double>(i + 1) / 29;
      T slope = T(0.0);
      T sum = x[0];
      double power = 1;
      for (Index j = 1; j < n; ++j) {
        slope = slope + (static_cast<double>(j) * power) * x[j];
        power *= t;
        sum = sum + power * x[j];
      }
      r[i] = slope - sum * sum - 1.0;
    }
    r[29] = x[0];
    r[30] = x[1] - x[0] * x[0] - 1.0;
  }
};

/// (21) Rosenbrock's function of each two variables: r_{2i-1} = 10 (x_{2i} - x_{2i-1}^2), r_{2i} = 1 - x_{2i-1}.
struct ExtendedRosenbrock {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index j = 0; j < n; j += 2) {
      r[j] = 10.0 * (x[j + 1] - x[j] * x[j]);
      r[j + 1] = 1.0 - x[j];
    }
  }
};

/// (23) r_i = sqrt(a) (x_i - 1), a = 10^-5; r_{n+1} = sum_j x_j^2 - 1/4.
struct PenaltyI {
  Index n = 4;
  template <class T>
  void operator()(const T* x, T* r) const {
    static const double root = std::sqrt(1e-5);
    T sum = T(-0.25);
    for (Index i = 0; i < n; ++i) {
      r[i] = root * (x[i] - 1.0);
      sum = sum + x[i] * x[i];
    }
    r[n] = sum;
  }
};

/// (24) r_1 = x1 - 0.2; r_i = sqrt(a) (exp(x_i / 10) + exp(x_{i-1} / 10) - y_i), 2 <= i <= n;
/// r_i = sqrt(a) (exp(x_{i-n+1} / 10) - exp(-1/10)), n < i < 2n; r_{2n} = sum_j (n - j + 1) x_j^2 - 1; a = 10^-5,
/// y_i = exp(i / 10) + exp((i - 1) / 10).
struct PenaltyII {
  Index n = 4;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    static const double root = std::sqrt(1e-5);
    static const double target = std::exp(-0.1);
    r[0] = x[0] - 0.2;
    T before = exp(0.1 * x[0]);
    T sum = static_cast<double>(n) * (x[0] * x[0]) - 1.0;
    for (Index i = 1; i < n; ++i) {
      const auto k = static_cast<double>(i);
      const T now = exp(0.1 * x[i]);
      r[i] = root * (now + before - (std::exp((k + 1) / 10) + std::exp(k / 10)));
      r[n + i - 1] = root * (now - target);
      sum = sum + static_cast<double>(n - i) * (x[i] * x[i]);
      before = now;
    }
    r[2 * n - 1] = sum;
  }
};

/// (25) r_i = x_i - 1, r_{n+1} = sum_j j (x_j - 1), r_{n+2} = r_{n+1}^2.
struct VariablyDimensioned {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    T sum = T(0.0);
    for (Index i = 0; i < n; ++i) {
      r[i] = x[i] - 1.0;
      sum = sum + static_cast<double>(i + 1) * (x[i] - 1.0);
    }
    r[n] = sum;
    r[n + 1] = sum * sum;
  }
};

/// (26) r_i = n - sum_j cos(x_j) + i (1 - cos(x_i)) - sin(x_i).
struct Trigonometric {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::cos, std::sin;
    T sum = T(static_cast<double>(n));
    for (Index i = 0; i < n; ++i) {
      const T c = cos(x[i]);
      sum = sum - c;
      r[i] = static_cast<double>(i + 1) * (1.0 - c) - sin(x[i]);
    }
    for (Index i = 0; i < n; ++i) r[i] = r[i] + sum;
  }
};

/// (27) r_i = x_i + sum_j x_j - (n + 1), i < n; r_n = prod_j x_j - 1.
struct BrownAlmostLinear {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    T sum = T(-static_cast<double>(n + 1));
    T product = T(1.0);
    for (Index i = 0; i < n; ++i) {
      sum = sum + x[i];
      product = product * x[i];
    }
    for (Index i = 0; i + 1 < n; ++i) r[i] = x[i] + sum;
    r[n - 1] = product - 1.0;
  }
};

/// (28) r_i = 2 x_i - x_{i-1} - x_{i+1} + h^2 (x_i + t_i + 1)^3 / 2, h = 1 / (n + 1), t_i = i h, x_0 = x_{n+1} = 0.
struct DiscreteBoundaryValue {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    const double h = 1 / static_cast<double>(n + 1);
    for (Index i = 0; i < n; ++i) {
      const T u = x[i] + (static_cast<double>(i + 1) * h + 1);
      r[i] = 2.0 * x[i] + (h * h / 2) * (u * u * u);
      if (i > 0) r[i] = r[i] - x[i - 1];
      if (i + 1 < n) r[i] = r[i] - x[i + 1];
    }
  }
};

/// (29) r_i = x_i + h ((1 - t_i) sum_{j<=i} t_j (x_j + t_j + 1)^3 + t_i sum_{j>i} (1 - t_j) (x_j + t_j + 1)^3) / 2,
/// h = 1 / (n + 1), t_i = i h.
struct DiscreteIntegralEquation {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    const double h = 1 / static_cast<double>(n + 1);
    const auto cube = [&](Index j, double t) {
      const T u = x[j] + (t + 1);
      return T(u * u * u);
    };
    T below = T(0.0);
    for (Index i = 0; i < n; ++i) {
      const double t = static_cast<double>(i + 1) * h;
      below = below + t * cube(i, t);
      r[i] = x[i] + (h / 2 * (1 - t)) * below;
    }
    T above = T(0.0);
    for (Index i = n - 1; i >= 0; --i) {
      const double t = static_cast<double>(i + 1) * h;
      r[i] = r[i] + (h / 2 * t) * above;
      above = above + (1 - t) * cube(i, t);
    }
  }
};

/// (30) r_i = (3 - 2 x_i) x_i - x_{i-1} - 2 x_{i+1} + 1, x_0 = x_{n+1} = 0.
struct BroydenTridiagonal {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < n; ++i) {
      r[i] = (3.0 - 2.0 * x[i]) * x[i] + 1.0;
      if (i > 0) r[i] = r[i] - x[i - 1];
      if (i + 1 < n) r[i] = r[i] - 2.0 * x[i + 1];
    }
  }
};

/// (31) r_i = x_i (2 + 5 x_i^2) + 1 - sum_j x_j (1 + x_j), over max(1, i - 5) <= j <= min(n, i + 1), j != i.
struct BroydenBanded {
  Index n = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < n; ++i) {
      T sum = x[i] * (2.0 + 5.0 * (x[i] * x[i])) + 1.0;
      for (Index j = std::max<Index>(0, i - 5); j <= std::min(n - 1, i + 1); ++j) {
        if (j != i) sum = sum - x[j] * (1.0 + x[j]);
      }
      r[i] = sum;
    }
  }
};

/// (32) r_i = x_i - (2/m) sum_j x_j - 1 for i <= n, without the x_i for i > n.
struct LinearFullRank {
  Index n = 5;
  Index m = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    T sum = T(0.0);
    for (Index j = 0; j < n; ++j) sum = sum + x[j];
    const T shared = (-2 / static_cast<double>(m)) * sum - 1.0;
    for (Index i = 0; i < m; ++i) r[i] = i < n ? T(x[i] + shared) : shared;
  }
};

/// (33) r_i = i sum_j j x_j - 1.
struct LinearRank1 {
  Index n = 5;
  Index m = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    T sum = T(0.0);
    for (Index j = 0; j < n; ++j) sum = sum + static_cast<double>(j + 1) * x[j];
    for (Index i = 0; i < m; ++i) r[i] = static_cast<double>(i + 1) * sum - 1.0;
  }
};

/// (34) r_1 = r_m = -1, r_i = (i - 1) sum_{j=2}^{n-1} j x_j - 1 for 1 < i < m.
struct LinearRank1WithZeros {
  Index n = 5;
  Index m = 10;
  template <class T>
  void operator()(const T* x, T* r) const {
    T sum = T(0.0);
    for (Index j = 1; j + 1 < n; ++j) sum = sum + static_cast<double>(j + 1) * x[j];
    for (Index i = 0; i + 1 < m; ++i) r[i] = static_cast<double>(i) * sum - 1.0;
    r[m - 1] = T(-1.0);
  }
};

/// (35) r_i = (1/n) sum_j T_i(x_j) - integral of T_i over [0, 1], T_i the Chebyshev polynomial shifted to [0, 1]; the
/// integral is 0 for odd i and -1 / (i^2 - 1) for even i.
struct Chebyquad {
  Index n = 8;
  Index m = 8;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < m; ++i) {
      const auto k = static_cast<double>(i + 1);
      r[i] = T(i % 2 == 0 ? 0.0 : static_cast<double>(n) / (k * k - 1));
    }
    for (Index j = 0; j < n; ++j) {
      T before = T(1.0);
      T now = 2.0 * x[j] - 1.0;
      const T twice = 2.0 * now;
      for (Index i = 0; i < m; ++i) {
        r[i] = r[i] + now;
        const T next = twice * now - before;
        before = now;
        now = next;
      }
    }
    for (Index i = 0; i < m; ++i) r[i] = r[i] / static_cast<double>(n);
  }
};

/// Returns visitor(functor) for the residuals of problem `number` in n variables and m residuals, which must be
/// possible for it (see resolve() in more_garbow_hillstrom.h). The visitor returns one type for all functors.
template <class Visitor>
auto visit(Index number, Index n, Index m, Visitor&& visitor) {
  switch (number) {
    case 1: return visitor(Rosenbrock{});
    case 2: return visitor(FreudensteinRoth{});
    case 3: return visitor(PowellBadlyScaled{});
    case 4: return visitor(BrownBadlyScaled{});
    case 5: return visitor(Beale{});
    case 6: return visitor(JennrichSampson{m});
    case 7: return visitor(HelicalValley{});
    case 8: return visitor(Bard{});
    case 9: return visitor(Gaussian{});
    case 10: return visitor(Meyer{});
    case 11: return visitor(Gulf{m});
    case 12: return visitor(Box3{m});
    case 13: return visitor(PowellSingular{4});
    case 14: return visitor(Wood{});
    case 15: return visitor(KowalikOsborne{});
    case 16: return visitor(BrownDennis{m});
    case 17: return visitor(Osborne1{});
    case 18: return visitor(BiggsExp6{m});
    case 19: return visitor(Osborne2{});
    case 20: return visitor(Watson{n});
    case 21: return visitor(ExtendedRosenbrock{n});
    case 22: return visitor(PowellSingular{n});
    case 23: return visitor(PenaltyI{n});
    case 24: return visitor(PenaltyII{n});
    case 25: return visitor(VariablyDimensioned{n});
    case 26: return visitor(Trigonometric{n});
    case 27: return visitor(BrownAlmostLinear{n});
    case 28: return visitor(DiscreteBoundaryValue{n});
    case 29: return visitor(DiscreteIntegralEquation{n});
    case 30: return visitor(BroydenTridiagonal{n});
    case 31: return visitor(BroydenBanded{n});
    case 32: return visitor(LinearFullRank{n, m});
    case 33: return visitor(LinearRank1{n, m});
    case 34: return visitor(LinearRank1WithZeros{n, m});
    case 35: return visitor(Chebyquad{n, m});
    default: fail("mgh: there is no problem {}; give a number from 1 to 35", number);
  }
}

}  // namespace hesse::mgh
