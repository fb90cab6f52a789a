/// \file
/// A network written out for one sample and any scalar type: the independent route to gradients and
/// dense Hessians, by nested forward differentiation of the plain formulas.
#pragma once

#include "hesse/nn/loss.h"
#include "hesse/nn/network.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace hesse::reference {

/// v + d eps with eps^2 = 0.
template <class T>
struct Tangent {
  T v{};
  T d{};
  Tangent() = default;
  Tangent(double value) : v(value), d(0.0) {}  // NOLINT: numbers are constants
  Tangent(T value, T derivative) : v(value), d(derivative) {}
};
template <class T>
Tangent<T> operator+(Tangent<T> a, Tangent<T> b) {
  return {a.v + b.v, a.d + b.d};
}
template <class T>
Tangent<T> operator-(Tangent<T> a, Tangent<T> b) {
  return {a.v - b.v, a.d - b.d};
}
template <class T>
Tangent<T> operator*(Tangent<T> a, Tangent<T> b) {
  return {a.v * b.v, a.v * b.d + a.d * b.v};
}
template <class T>
Tangent<T> operator/(Tangent<T> a, Tangent<T> b) {
  return {a.v / b.v, (a.d * b.v - a.v * b.d) / (b.v * b.v)};
}

inline double value_of(double x) { return x; }
template <class T>
double value_of(Tangent<T> x) {
  return value_of(x.v);
}
inline double exp_(double x) { return std::exp(x); }
template <class T>
Tangent<T> exp_(Tangent<T> x) {
  const T e = exp_(x.v);
  return {e, e * x.d};
}
inline double log_(double x) { return std::log(x); }
template <class T>
Tangent<T> log_(Tangent<T> x) {
  return {log_(x.v), x.d / x.v};
}
inline double erfc_(double x) { return std::erfc(x); }
template <class T>
Tangent<T> erfc_(Tangent<T> x) {
  const T slope = T(-2 * std::numbers::inv_sqrtpi) * exp_(T(0.0) - x.v * x.v);
  return {erfc_(x.v), slope * x.d};
}

template <class T>
T activate(Activation activation, T x) {
  const T one(1.0);
  const T zero(0.0);
  switch (activation) {
    case Activation::identity: return x;
    case Activation::tanh: return one - T(2.0) / (exp_(T(2.0) * x) + one);
    case Activation::sigmoid: return one / (one + exp_(zero - x));
    case Activation::relu: return value_of(x) > 0 ? x : zero;
    case Activation::gelu: return x * T(0.5) * erfc_(zero - x * T(std::sqrt(0.5)));
    case Activation::softplus: return log_(one + exp_(x));
  }
  return x;
}

/// Loss of one sample of the multilayer perceptron with these sizes. `target` holds the class in its
/// first entry for softmax.
template <class T>
T sample_loss(const std::vector<Index>& sizes, Activation activation, Loss loss, const std::vector<T>& p,
              const Vector& input, const Vector& target) {
  std::vector<T> a;
  for (const double x : input) a.push_back(T(x));
  std::size_t at = 0;
  for (std::size_t l = 1; l < sizes.size(); ++l) {
    const auto in = static_cast<std::size_t>(sizes[l - 1]);
    const auto out = static_cast<std::size_t>(sizes[l]);
    std::vector<T> z(out, T(0.0));
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) z[o] = z[o] + p[at + o * in + i] * a[i];
      z[o] = z[o] + p[at + out * in + o];
      if (l + 1 < sizes.size()) z[o] = activate(activation, z[o]);
    }
    at += out * in + out;
    a = z;
  }
  T sum(0.0);
  switch (loss) {
    case Loss::softmax_cross_entropy: {
      T total(0.0);
      for (const T& z : a) total = total + exp_(z);
      return log_(total) - a[static_cast<std::size_t>(target[0])];
    }
    case Loss::binary_cross_entropy:
      for (std::size_t i = 0; i < a.size(); ++i) {
        sum = sum + log_(T(1.0) + exp_(a[i])) - T(target[static_cast<Index>(i)]) * a[i];
      }
      return sum;
    case Loss::squared_error:
      for (std::size_t i = 0; i < a.size(); ++i) {
        const T r = a[i] - T(target[static_cast<Index>(i)]);
        sum = sum + T(0.5) * r * r;
      }
      return sum;
  }
  return sum;
}

}  // namespace hesse::reference
