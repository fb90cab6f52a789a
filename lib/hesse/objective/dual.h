/// \file
/// Forward-mode automatic differentiation: a number with N derivatives, x + sum_i d_i eps_i with
/// eps_i eps_j = 0. Duals nest: Dual<Dual<double, N>, 1> carries a directional derivative of N
/// partial derivatives. All elementary functions are found by argument-dependent lookup, so a functor
/// writes `using std::exp; exp(x)` or just `exp(x)` on its template type.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <type_traits>

namespace hesse {

/// A number with N derivatives.
template <class T, int N>
struct Dual {
  T value{};
  std::array<T, N> derivative{};

  Dual() = default;
  /// A constant.
  template <class Number>
  requires std::is_arithmetic_v<Number> Dual(Number constant)
      : value(static_cast<double>(constant)) {}  // NOLINT: numbers convert silently in formulas
  explicit Dual(const T& v) requires(!std::is_arithmetic_v<T>) : value(v) {}

  Dual& operator+=(const Dual& b) { return *this = *this + b; }
  Dual& operator-=(const Dual& b) { return *this = *this - b; }
  Dual& operator*=(const Dual& b) { return *this = *this * b; }
  Dual& operator/=(const Dual& b) { return *this = *this / b; }

  friend Dual operator+(const Dual& a) { return a; }
  friend Dual operator-(const Dual& a) { return chain(a, -a.value, T(-1.0)); }
  friend Dual operator+(const Dual& a, const Dual& b) { return combine(a, b, a.value + b.value, T(1.0), T(1.0)); }
  friend Dual operator-(const Dual& a, const Dual& b) { return combine(a, b, a.value - b.value, T(1.0), T(-1.0)); }
  friend Dual operator*(const Dual& a, const Dual& b) { return combine(a, b, a.value * b.value, b.value, a.value); }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const T inverse = T(1.0) / b.value;
    const T quotient = a.value * inverse;
    return combine(a, b, quotient, inverse, -quotient * inverse);
  }

  friend bool operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
  friend bool operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
  friend bool operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
  friend bool operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }
  friend bool operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
  friend bool operator!=(const Dual& a, const Dual& b) { return !(a.value == b.value); }

  /// f(a) with f(a.value) = v and f'(a.value) = slope.
  friend Dual chain(const Dual& a, const T& v, const T& slope) {
    Dual r;
    r.value = v;
    for (std::size_t i = 0; i < N; ++i) r.derivative[i] = slope * a.derivative[i];
    return r;
  }
  /// f(a, b) with value v and partial derivatives da and db.
  friend Dual combine(const Dual& a, const Dual& b, const T& v, const T& da, const T& db) {
    Dual r;
    r.value = v;
    for (std::size_t i = 0; i < N; ++i) r.derivative[i] = da * a.derivative[i] + db * b.derivative[i];
    return r;
  }

  friend Dual sqrt(const Dual& a) {
    using std::sqrt;
    const T root = sqrt(a.value);
    return chain(a, root, T(0.5) / root);
  }
  friend Dual exp(const Dual& a) {
    using std::exp;
    const T e = exp(a.value);
    return chain(a, e, e);
  }
  friend Dual expm1(const Dual& a) {
    using std::exp, std::expm1;
    return chain(a, expm1(a.value), exp(a.value));
  }
  friend Dual log(const Dual& a) {
    using std::log;
    return chain(a, log(a.value), T(1.0) / a.value);
  }
  friend Dual log1p(const Dual& a) {
    using std::log1p;
    return chain(a, log1p(a.value), T(1.0) / (T(1.0) + a.value));
  }
  friend Dual sin(const Dual& a) {
    using std::cos, std::sin;
    return chain(a, sin(a.value), cos(a.value));
  }
  friend Dual cos(const Dual& a) {
    using std::cos, std::sin;
    return chain(a, cos(a.value), -sin(a.value));
  }
  friend Dual tan(const Dual& a) {
    using std::tan;
    const T t = tan(a.value);
    return chain(a, t, T(1.0) + t * t);
  }
  friend Dual asin(const Dual& a) {
    using std::asin, std::sqrt;
    return chain(a, asin(a.value), T(1.0) / sqrt((T(1.0) - a.value) * (T(1.0) + a.value)));
  }
  friend Dual acos(const Dual& a) {
    using std::acos, std::sqrt;
    return chain(a, acos(a.value), T(-1.0) / sqrt((T(1.0) - a.value) * (T(1.0) + a.value)));
  }
  friend Dual atan(const Dual& a) {
    using std::atan;
    return chain(a, atan(a.value), T(1.0) / (T(1.0) + a.value * a.value));
  }
  friend Dual sinh(const Dual& a) {
    using std::cosh, std::sinh;
    return chain(a, sinh(a.value), cosh(a.value));
  }
  friend Dual cosh(const Dual& a) {
    using std::cosh, std::sinh;
    return chain(a, cosh(a.value), sinh(a.value));
  }
  friend Dual tanh(const Dual& a) {
    using std::tanh;
    const T t = tanh(a.value);
    return chain(a, t, (T(1.0) - t) * (T(1.0) + t));
  }
  friend Dual erf(const Dual& a) {
    using std::erf, std::exp;
    return chain(a, erf(a.value), T(2 * std::numbers::inv_sqrtpi) * exp(-(a.value * a.value)));
  }
  /// |a|; the derivative at 0 is taken as 1.
  friend Dual abs(const Dual& a) { return a.value < T(0.0) ? -a : a; }
  friend Dual atan2(const Dual& y, const Dual& x) {
    using std::atan2;
    const T square = x.value * x.value + y.value * y.value;
    return combine(y, x, atan2(y.value, x.value), x.value / square, -y.value / square);
  }
  /// a^p for a constant p; exact derivatives at a = 0 for whole p >= 0.
  friend Dual pow(const Dual& a, double p) {
    using std::pow;
    if (p == 0) return Dual(1.0);
    return chain(a, pow(a.value, p), T(p) * pow(a.value, p - 1));
  }
  /// a^b for a > 0.
  friend Dual pow(const Dual& a, const Dual& b) {
    using std::log, std::pow;
    const T v = pow(a.value, b.value);
    return combine(a, b, v, b.value * pow(a.value, b.value - T(1.0)), v * log(a.value));
  }
  friend Dual max(const Dual& a, const Dual& b) { return a.value < b.value ? b : a; }
  friend Dual min(const Dual& a, const Dual& b) { return b.value < a.value ? b : a; }
};

}  // namespace hesse
