#include "hesse/landscape/slice.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check(const Axis& axis) {
  if (!(axis.low < axis.high) || !std::isfinite(axis.low) || !std::isfinite(axis.high) || axis.points < 2) {
    fail("slice: {} points from {} to {} make no axis; give at least 2 between finite ends, the lower first",
         axis.points, axis.low, axis.high);
  }
}

Vector coordinates_of(const Axis& axis) {
  Vector out(axis.points);
  for (Index i = 0; i < axis.points; ++i) out[i] = axis.at(i);
  return out;
}

QuadraticModel model_at(Objective& f, const Vector& x, const Matrix& directions) {
  QuadraticModel model;
  Vector g;
  model.value = f.value_and_gradient(x, g);
  model.slopes = directions.transpose() * g;
  Matrix products(directions.rows(), directions.cols());
  f.curvature(x, Curvature::hessian)->apply(directions, products);
  const Matrix form = directions.transpose() * products;
  model.curvatures = 0.5 * (form + form.transpose());
  return model;
}

}  // namespace

double Axis::at(Index i) const {
  // From both ends, so that a symmetric axis has exactly symmetric points and 0 in its middle.
  return (low * static_cast<double>(points - 1 - i) + high * static_cast<double>(i)) / static_cast<double>(points - 1);
}

double QuadraticModel::operator()(const Vector& coordinates) const {
  return value + slopes.dot(coordinates) + 0.5 * coordinates.dot(curvatures * coordinates);
}

Slice slice(Objective& f, const Vector& x, const Matrix& directions, const SliceOptions& options) {
  const Index k = directions.cols();
  if (directions.rows() != x.size() || x.size() != f.size() || k < 1 || k > 2) {
    fail(
        "slice: {} directions of {} entries through a point of {}; give one or two of {} entries, as the objective has",
        k, directions.rows(), x.size(), f.size());
  }
  check(options.a);
  if (k == 2) check(options.b);
  Slice out;
  out.a = coordinates_of(options.a);
  out.b = k == 2 ? coordinates_of(options.b) : Vector::Zero(1);
  out.model = model_at(f, x, directions);
  out.values.resize(out.a.size(), out.b.size());
  out.model_values.resize(out.a.size(), out.b.size());
  if (options.gradients) out.gradient_norms.resize(out.a.size(), out.b.size());
  out.largest_error = kNaN;
  out.least = kNaN;
  const auto holds_0 = [](const Axis& axis) { return axis.low <= 0 && axis.high >= 0; };
  // x lies in the slice, though it may lie between the points of the grid.
  const bool holds_x = holds_0(options.a) && (k == 1 || holds_0(options.b));
  if (holds_x && std::isfinite(out.model.value)) out.least = out.model.value;
  Vector coordinates(k);
  Vector point;
  Vector g;
  for (Index j = 0; j < out.b.size(); ++j) {
    for (Index i = 0; i < out.a.size(); ++i) {
      coordinates[0] = out.a[i];
      if (k == 2) coordinates[1] = out.b[j];
      point.noalias() = x + directions * coordinates;
      double value = options.gradients ? f.value_and_gradient(point, g) : f.value(point);
      if (options.gradients) out.gradient_norms(i, j) = std::isfinite(value) ? norm(g) : kNaN;
      if (!std::isfinite(value)) {
        if (out.non_finite++ == 0) {
          const std::string why = f.explain_non_finite(point);
          out.message =
              fmt::format("the first at ({:.4g}, {:.4g}){}{}", out.a[i], out.b[j], why.empty() ? "" : ": ", why);
        }
        value = kNaN;
      }
      out.values(i, j) = value;
      out.model_values(i, j) = out.model(coordinates);
      const double error = std::abs(value - out.model_values(i, j));
      // Negated, so that the first finite figure replaces the NaN.
      if (std::isfinite(error) && !(error <= out.largest_error)) {
        out.largest_error = error;
        out.largest_error_a = out.a[i];
        out.largest_error_b = out.b[j];
      }
      if (std::isfinite(value) && !(value >= out.least)) {
        out.least = value;
        out.least_a = out.a[i];
        out.least_b = out.b[j];
      }
    }
  }
  if (out.non_finite > 0) {
    out.message = fmt::format("{} of {} values are not finite, {}", out.non_finite, out.values.size(), out.message);
  }
  return out;
}

}  // namespace hesse
