#include "hesse/core/vector_math.h"

#include "hesse/core/multiversion.h"

#include <bit>
#include <cstdint>
#include <limits>

#if defined(__GNUC__)
#define HESSE_INLINE inline __attribute__((always_inline))
#else
#define HESSE_INLINE inline
#endif

namespace hesse {
namespace {

/// What the reduction x = n ln 2 + r, |r| <= ln(2)/2, needs in each precision.
template <class T>
struct Format;

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52;
  static constexpr double magic = 0x1.8p52;  // adding it leaves the nearest whole number in the low bits
  // ln 2 in two parts: the product of the first with |n| <= 1100 is exact.
  static constexpr double ln2_high = 0x1.62e42fee00000p-1;
  static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double lowest = -708.0;  // exp stays normal
  static constexpr double overflow = 709.782712893384;
  static constexpr double far = 39.0;         // where the normal density has long been flushed to 0
  static constexpr double coarse = 0x1.8p32;  // adding it rounds to multiples of 2^-20
  static constexpr double mills_centre = 5.0;
};

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23;
  static constexpr float magic = 0x1.8p23F;
  static constexpr float ln2_high = 0x1.62e400p-1F;
  static constexpr float ln2_low = 0x1.7f7d1cp-20F;
  static constexpr float lowest = -87.0F;
  static constexpr float overflow = 88.722839F;
  static constexpr float far = 14.0F;
  static constexpr float coarse = 0x1.8p15F;  // multiples of 2^-8
  static constexpr float mills_centre = 3.5F;
};

/// Taylor polynomial of exp(r) - 1. |r| <= 0.3466: the first term left out, relative to r, is below
/// 0.3466^13 / 14! = 1.2e-17 in double and 0.3466^7 / 8! = 1.5e-8 in float.
HESSE_INLINE double expm1_polynomial(double r) {
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  return p * r * r + r;
}

HESSE_INLINE float expm1_polynomial(float r) {
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  return p * r * r + r;
}

template <class T>
struct Reduced {
  T scale;  // 2^n
  T q;      // exp(r) - 1
};

/// exp(x) = scale (1 + q) for x in [lowest, overflow].
template <class T>
HESSE_INLINE Reduced<T> reduce(T x) {
  using F = Format<T>;
  using Bits = typename F::Bits;
  const T shifted = x * T(1.4426950408889634) + F::magic;
  const T n = shifted - F::magic;
  const T r = (x - n * F::ln2_high) - n * F::ln2_low;
  // The low bits of `shifted` hold n; moved into the exponent and offset by that of 1, they are 2^n.
  const Bits scale = (std::bit_cast<Bits>(shifted) << F::mantissa) + std::bit_cast<Bits>(T(1));
  return {std::bit_cast<T>(scale), expm1_polynomial(r)};
}

template <class T>
HESSE_INLINE T exp_of(T x) {
  using F = Format<T>;
  // The largest x would need n = 1024, whose power of two does not exist: halve n there.
  const T inside = x < F::lowest ? F::lowest : (x > F::overflow ? F::overflow : x);
  const T half = inside * T(0.5);
  const Reduced<T> e = reduce(inside > T(1) ? half : inside);
  const T value = e.scale + e.scale * e.q;
  T y = inside > T(1) ? value * value : value;
  y = x < F::lowest ? T(0) : y;
  y = x > F::overflow ? std::numeric_limits<T>::infinity() : y;
  return x != x ? x : y;
}

/// exp(x) - 1 for 0 <= x <= 50 without cancellation: 2^n q + (2^n - 1).
template <class T>
HESSE_INLINE T expm1_positive(T x) {
  const Reduced<T> e = reduce(x);
  return e.scale * e.q + (e.scale - T(1));
}

/// exp(x) for x <= 0.
template <class T>
HESSE_INLINE T exp_negative(T x) {
  const T inside = x < Format<T>::lowest ? Format<T>::lowest : x;
  const Reduced<T> e = reduce(inside);
  const T y = e.scale + e.scale * e.q;
  return x < Format<T>::lowest ? T(0) : y;
}

/// log(1 + e) for 0 <= e <= 1 by log(1 + m) = 2 artanh(m / (2 + m)), where 1 + e is halved first if
/// it exceeds sqrt(2), so that |m / (2 + m)| <= 0.1716. The first term left out of artanh, relative,
/// is 0.1716^22 / 23 = 6e-19 in double and 0.1716^10 / 11 = 2e-9 in float.
HESSE_INLINE double log1p_unit(double e) {
  const bool halve = e > 0.41421356237309503;
  const double m = halve ? (e - 1.0) * 0.5 : e;
  const double s = m / (2.0 + m);
  const double t = s * s;
  double p = 1.0 / 21.0;
  p = p * t + 1.0 / 19.0;
  p = p * t + 1.0 / 17.0;
  p = p * t + 1.0 / 15.0;
  p = p * t + 1.0 / 13.0;
  p = p * t + 1.0 / 11.0;
  p = p * t + 1.0 / 9.0;
  p = p * t + 1.0 / 7.0;
  p = p * t + 1.0 / 5.0;
  p = p * t + 1.0 / 3.0;
  const double y = 2.0 * s + 2.0 * s * t * p;
  return halve ? y + 0.69314718055994531 : y;
}

HESSE_INLINE float log1p_unit(float e) {
  const bool halve = e > 0.414213562F;
  const float m = halve ? (e - 1.0F) * 0.5F : e;
  const float s = m / (2.0F + m);
  const float t = s * s;
  float p = 1.0F / 9.0F;
  p = p * t + 1.0F / 7.0F;
  p = p * t + 1.0F / 5.0F;
  p = p * t + 1.0F / 3.0F;
  const float y = 2.0F * s + 2.0F * s * t * p;
  return halve ? y + 0.693147181F : y;
}

template <class T>
HESSE_INLINE T magnitude(T x) {
  return x < T(0) ? -x : x;
}

/// tanh |x| = em / (em + 2) with em = exp(2 |x|) - 1; beyond 22 it rounds to 1.
template <class T>
HESSE_INLINE T tanh_of(T x) {
  const T a = magnitude(x);
  const T em = expm1_positive(T(2) * (a > T(22) ? T(22) : a));
  const T y = em / (em + T(2));
  const T with_sign = x < T(0) ? -y : y;
  // Below 2^-30 (2^-13 in float) tanh x = x to the last bit; so -0 and denormals survive as well.
  constexpr T tiny = std::numeric_limits<T>::digits > 24 ? T(0x1p-30) : T(0x1p-13);
  return a < tiny || x != x ? x : with_sign;
}

template <class T>
HESSE_INLINE T sigmoid_of(T x) {
  const T e = exp_negative(-magnitude(x));
  const T y = (x < T(0) ? e : T(1)) / (T(1) + e);
  return x != x ? x : y;
}

/// (1 + u) m(u) with m the ratio of Mills, P(X > u) / density(u) of the normal distribution, as a polynomial
/// in t = (u - c) / (u + c), which maps [0, far] into [-1, 1] and makes it smooth (the substitution of
/// Schonfelder 1978). Interpolated at Chebyshev's points in 50 digits; relative error below 2e-17 in
/// double and 2e-8 in float.
HESSE_INLINE double mills_polynomial(double t) {
  double p = 1.9349823397551053e-09;
  p = p * t + 1.012087715905417e-08;
  p = p * t + 8.8437788198067226e-10;
  p = p * t - 8.0427060623080376e-08;
  p = p * t - 5.5040832891484934e-08;
  p = p * t + 4.9872460020815291e-07;
  p = p * t + 3.1261214245578751e-07;
  p = p * t - 3.2837055242795989e-06;
  p = p * t - 1.7284915111698664e-07;
  p = p * t + 2.2713074648992711e-05;
  p = p * t - 2.4806768754425057e-05;
  p = p * t - 0.00013437542416179388;
  p = p * t + 0.00045704406745718088;
  p = p * t + 1.9530873469473899e-05;
  p = p * t - 0.0042012903399562315;
  p = p * t + 0.016348231252105272;
  p = p * t - 0.03802659218576903;
  p = p * t + 0.061505045842144453;
  p = p * t - 0.066177600779062845;
  p = p * t + 0.025072179301577884;
  p = p * t + 0.077781598868736479;
  p = p * t - 0.2294875382521126;
  p = p * t + 1.1568486282918946;
  return p;
}

HESSE_INLINE float mills_polynomial(float t) {
  float p = 0.000376093457F;
  p = p * t + 0.000249413983F;
  p = p * t - 0.00348171769F;
  p = p * t + 0.000727827004F;
  p = p * t + 0.0259967523F;
  p = p * t - 0.0758556619F;
  p = p * t + 0.0953738799F;
  p = p * t + 0.00197340366F;
  p = p * t - 0.244929192F;
  p = p * t + 1.19955495F;
  return p;
}

/// Distribution and density of the standard normal distribution.
template <class T>
HESSE_INLINE void normal_of(T x, T& distribution, T& density) {
  using F = Format<T>;
  const T a = magnitude(x);
  const T u = a > F::far ? F::far : a;
  // exp(-u^2 / 2) = exp(-h^2 / 2) exp(-delta) with h of half the digits, so that h^2 is exact: the
  // rounding of u^2 alone would cost u^2 / 2 units in the last place.
  const T h = (u + F::coarse) - F::coarse;
  const T delta = (u + h) * (u - h) * T(0.5);
  const T rest = T(1) - delta * (T(1) - delta * T(0.5) * (T(1) - delta * T(1.0 / 3.0) * (T(1) - delta * T(0.25))));
  density = exp_negative(h * h * T(-0.5)) * rest * T(0.39894228040143268);
  const T tail = density * mills_polynomial((u - F::mills_centre) / (u + F::mills_centre)) / (T(1) + u);
  distribution = x > T(0) ? T(1) - tail : tail;
}

template <class T>
HESSE_INLINE T softplus_of(T x) {
  const T y = (x > T(0) ? x : T(0)) + log1p_unit(exp_negative(-magnitude(x)));
  return x != x ? x : y;
}

}  // namespace

HESSE_MULTIVERSION void vector_exp(Index n, const float* x, float* y) {
  for (Index i = 0; i < n; ++i) y[i] = exp_of(x[i]);
}
HESSE_MULTIVERSION void vector_exp(Index n, const double* x, double* y) {
  for (Index i = 0; i < n; ++i) y[i] = exp_of(x[i]);
}
HESSE_MULTIVERSION void vector_tanh(Index n, const float* x, float* y) {
  for (Index i = 0; i < n; ++i) y[i] = tanh_of(x[i]);
}
HESSE_MULTIVERSION void vector_tanh(Index n, const double* x, double* y) {
  for (Index i = 0; i < n; ++i) y[i] = tanh_of(x[i]);
}
HESSE_MULTIVERSION void vector_sigmoid(Index n, const float* x, float* y) {
  for (Index i = 0; i < n; ++i) y[i] = sigmoid_of(x[i]);
}
HESSE_MULTIVERSION void vector_sigmoid(Index n, const double* x, double* y) {
  for (Index i = 0; i < n; ++i) y[i] = sigmoid_of(x[i]);
}
HESSE_MULTIVERSION void vector_softplus(Index n, const float* x, float* y) {
  for (Index i = 0; i < n; ++i) y[i] = softplus_of(x[i]);
}
HESSE_MULTIVERSION void vector_softplus(Index n, const double* x, double* y) {
  for (Index i = 0; i < n; ++i) y[i] = softplus_of(x[i]);
}

HESSE_MULTIVERSION void vector_normal(Index n, const float* x, float* distribution, float* density) {
  for (Index i = 0; i < n; ++i) normal_of(x[i], distribution[i], density[i]);
}
HESSE_MULTIVERSION void vector_normal(Index n, const double* x, double* distribution, double* density) {
  for (Index i = 0; i < n; ++i) normal_of(x[i], distribution[i], density[i]);
}

}  // namespace hesse
