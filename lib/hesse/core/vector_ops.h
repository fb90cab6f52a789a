/// \file
/// Sums over long vectors, by fixed blocks added in order: the bits depend on the length alone, never
/// on the number of threads. Short ones, of a few variables, cost no call. Nothing is allocated but for expressions and
/// rows, which are written out first.
#pragma once

#include "hesse/core/types.h"

#include <cmath>

namespace hesse {

namespace detail {
/// Up to this length a plain loop is faster than its call would be.
constexpr Index kShort = 16;
double long_dot(const double* a, const double* b, Index n);
double long_add_and_dot(double a, const double* x, double b, double* y, const double* z, Index n);
/// |a| where the square of it left the range of double.
double scaled_norm(const double* a, Index n);
}  // namespace detail

/// a'b of n entries each.
inline double dot(const double* a, const double* b, Index n) {
  if (n > detail::kShort) return detail::long_dot(a, b, n);
  double total = 0;
  for (Index i = 0; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// y <- b y + a x; returns the new y'z, in one sweep where two calls would take two. z may be x; y may be neither.
inline double add_and_dot(double a, const double* x, double b, double* __restrict y, const double* z, Index n) {
  if (n > detail::kShort) return detail::long_add_and_dot(a, x, b, y, z, n);
  double total = 0;
  for (Index i = 0; i < n; ++i) {
    y[i] = b * y[i] + a * x[i];
    total += y[i] * z[i];
  }
  return total;
}

/// |a|_2 of n entries.
inline double norm(const double* a, Index n) {
  const double square = dot(a, a, n);
  // Squares that left the range of double are formed again from scaled entries.
  return square > 1e-290 && square < 1e300 ? std::sqrt(square) : detail::scaled_norm(a, n);
}

namespace detail {
/// Vectors whose entries lie side by side in memory: all but expressions and rows.
template <class V>
constexpr bool kContiguous = (Eigen::internal::traits<V>::Flags & Eigen::DirectAccessBit) != 0 &&
                             Eigen::internal::inner_stride_at_compile_time<V>::ret == 1;
}  // namespace detail

/// a'b.
template <class A, class B>
double dot(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  static_assert(A::IsVectorAtCompileTime && B::IsVectorAtCompileTime, "a matrix may have gaps between its columns");
  if constexpr (detail::kContiguous<A> && detail::kContiguous<B>) {
    return dot(a.derived().data(), b.derived().data(), a.size());
  } else {
    const Eigen::Ref<const Vector> as = a.derived();
    const Eigen::Ref<const Vector> bs = b.derived();
    return dot(as.data(), bs.data(), as.size());
  }
}
/// |a|_2.
template <class A>
double norm(const Eigen::MatrixBase<A>& a) {
  static_assert(A::IsVectorAtCompileTime, "a matrix may have gaps between its columns");
  if constexpr (detail::kContiguous<A>) {
    return norm(a.derived().data(), a.size());
  } else {
    const Eigen::Ref<const Vector> as = a.derived();
    return norm(as.data(), as.size());
  }
}

/// |a - b|_2.
double distance(ConstVectorView a, ConstVectorView b);
/// True when no entry is NaN or infinite.
bool all_finite(ConstVectorView a);

}  // namespace hesse
