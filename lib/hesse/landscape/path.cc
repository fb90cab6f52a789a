#include "hesse/landscape/path.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The integral of sqrt(tau^2 + mu^2).
double antiderivative(double tau, double mu) {
  const double curved = mu > 0 ? mu * mu * std::asinh(tau / mu) : 0.0;
  return 0.5 * (tau * std::hypot(tau, mu) + curved);
}

/// The integral over [0, 1] of |phi'| = 2 |(1-t) p + t q|, p = theta - A and q = B - theta.
double bezier_length(const Vector& p, const Vector& q) {
  const Vector d = q - p;
  const double size = norm(d);
  if (!(size > 1e-3 * (norm(p) + norm(q)))) {
    // The speed varies by no more than 1e-3 of itself: three nodes leave its sixth power, and the closed form would
    // cancel.
    const double offset = 0.5 * std::sqrt(0.6);
    const auto speed = [&](double t) { return 2 * norm(p + t * d); };
    return (5 * speed(0.5 - offset) + 8 * speed(0.5) + 5 * speed(0.5 + offset)) / 18;
  }
  // |p + t d| = |d| sqrt((t - t0)^2 + mu^2), mu |d| the distance of the origin from the line p + t d.
  const double t0 = -dot(p, d) / (size * size);
  const double mu = norm(p + t0 * d) / size;
  return 2 * size * (antiderivative(1 - t0, mu) - antiderivative(-t0, mu));
}

/// Values along a path, which it counts.
class Walk {
 public:
  Walk(Objective& f, const Path& path, PathProfile& profile) : f_(f), path_(path), profile_(profile) {}

  double at(double t) {
    path_.point(t, point_);
    const double value = f_.value(point_);
    ++profile_.evaluations;
    if (std::isfinite(value)) return value;
    if (profile_.non_finite++ == 0) {
      const std::string why = f_.explain_non_finite(point_);
      profile_.message = fmt::format("the first at t = {:.4g}{}{}", t, why.empty() ? "" : ": ", why);
    }
    return kNaN;
  }

 private:
  Objective& f_;
  const Path& path_;
  PathProfile& profile_;
  Vector point_;
};

/// The highest of `heights` on the grid, refined between its neighbours. NaN loses every comparison.
template <class Height>
Peak refined_peak(const Vector& t, const Vector& heights, const Height& height, double tolerance) {
  Index best = -1;
  for (Index i = 0; i < t.size(); ++i) {
    if (!std::isnan(heights[i]) && (best < 0 || heights[i] > heights[best])) best = i;
  }
  if (best < 0) return {kNaN, kNaN};
  Peak peak{t[best], heights[best]};
  double low = t[std::max<Index>(best - 1, 0)];
  double high = t[std::min<Index>(best + 1, t.size() - 1)];
  const double golden = 0.5 * (std::sqrt(5.0) - 1);
  const auto look = [&](double at) {
    const double h = height(at);
    if (h > peak.value) peak = {at, h};
    return h;
  };
  double left = high - golden * (high - low);
  double right = low + golden * (high - low);
  double left_height = look(left);
  double right_height = look(right);
  while (high - low > tolerance) {
    if (left_height >= right_height) {
      high = right;
      right = left;
      right_height = left_height;
      left = high - golden * (high - low);
      left_height = look(left);
    } else {
      low = left;
      left = right;
      left_height = right_height;
      right = low + golden * (high - low);
      right_height = look(right);
    }
  }
  return peak;
}

}  // namespace

const char* to_string(PathKind kind) {
  switch (kind) {
    case PathKind::segment: return "segment";
    case PathKind::bezier: return "bezier";
    case PathKind::polygon: return "polygon";
  }
  return "unknown";
}

PathWeights path_weights(PathKind kind, double t) {
  switch (kind) {
    case PathKind::segment: break;
    case PathKind::bezier: return {(1 - t) * (1 - t), 2 * t * (1 - t), t * t};
    case PathKind::polygon: return t <= 0.5 ? PathWeights{1 - 2 * t, 2 * t, 0} : PathWeights{0, 2 - 2 * t, 2 * t - 1};
  }
  return {1 - t, 0, t};
}

void Path::point(double t, Vector& out) const {
  const PathWeights w = path_weights(kind, t);
  out.noalias() = w.a * A + w.b * B;
  if (w.bend != 0) out += w.bend * theta;
}

double Path::length() const {
  switch (kind) {
    case PathKind::segment: break;
    case PathKind::bezier: return bezier_length(theta - A, B - theta);
    case PathKind::polygon: return distance(A, theta) + distance(theta, B);
  }
  return distance(A, B);
}

PathProfile profile(Objective& f, const Path& path, const ProfileOptions& options) {
  const Index n = f.size();
  const bool bent = path.kind != PathKind::segment;
  if (path.A.size() != n || path.B.size() != n || (bent && path.theta.size() != n)) {
    fail("path: its points have {}, {} and {} entries, but the objective has {} variables", path.A.size(),
         path.theta.size(), path.B.size(), n);
  }
  if (options.points < 3) fail("path: {} points are no grid; give at least 3", options.points);
  if (!(options.tolerance >= 1e-12)) {
    fail("path: a tolerance of {} is never reached in [0, 1]; give one >= 1e-12", options.tolerance);
  }

  PathProfile out;
  Walk walk(f, path, out);
  out.t = Vector::LinSpaced(options.points, 0, 1);
  out.values.resize(options.points);
  for (Index i = 0; i < options.points; ++i) out.values[i] = walk.at(out.t[i]);
  const double start = out.values[0];
  const double end = out.values[options.points - 1];
  const auto line = [&](double t) { return (1 - t) * start + t * end; };
  Vector excess(options.points);
  for (Index i = 0; i < options.points; ++i) excess[i] = out.values[i] - line(out.t[i]);
  if (std::isfinite(start) && std::isfinite(end)) {
    out.highest = refined_peak(
        out.t, out.values, [&](double t) { return walk.at(t); }, options.tolerance);
    out.barrier = refined_peak(
        out.t, excess, [&](double t) { return walk.at(t) - line(t); }, options.tolerance);
    out.noise = f.value_noise() * std::max({std::abs(start), std::abs(end), std::abs(out.highest.value)});
  } else {
    out.highest = out.barrier = {kNaN, kNaN};
    out.noise = kNaN;
  }
  if (out.non_finite > 0) {
    out.message = fmt::format("{} of {} values are not finite, {}", out.non_finite, out.evaluations, out.message);
  }
  return out;
}

}  // namespace hesse
