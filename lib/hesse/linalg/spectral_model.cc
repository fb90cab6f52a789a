#include "hesse/linalg/spectral_model.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

}  // namespace

bool SpectralModel::decompose(const Matrix& B) {
  if (B.rows() != B.cols()) fail("model: a matrix of {} x {} is not square", B.rows(), B.cols());
  return symmetric_eigen(B, values_, vectors_, workspace_);
}

/// `wanted(lambda)` is the length that s shall have at lambda, not falling with it; at lambda = 0 any shorter s will do
/// when `inside` is true.
template <class Wanted>
SpectralStep SpectralModel::solve(const Vector& g, bool inside, const Wanted& wanted, Vector& s) {
  const Index n = size();
  SpectralStep step;
  s.resize(n);
  if (n == 0) return step;
  coefficients_.resize(n);
  coefficients_.noalias() = vectors_.transpose() * g;
  in_basis_.resize(n);
  // Eigenvalues that rounding alone keeps from 0 are 0, and parts of g that are rounding along them are none.
  const double noise = static_cast<double>(n) * kEps * std::max(std::abs(values_[0]), std::abs(values_[n - 1]));
  const double pole = values_[0] < -noise ? values_[0] : 0;
  const double g_norm = g.stableNorm();
  for (Index i = 0; i < n; ++i) {
    if (values_[i] - pole <= noise && std::abs(coefficients_[i]) <= 4 * kEps * g_norm) coefficients_[i] = 0;
  }
  const auto gap = [&](Index i) { return std::max(values_[i] - pole, 0.0); };
  const auto length = [&](double u) {
    for (Index i = 0; i < n; ++i) {
      in_basis_[i] = coefficients_[i] == 0 ? 0 : -coefficients_[i] / (gap(i) + u);
    }
    return in_basis_.stableNorm();
  };

  const double at_pole = length(0);
  double u = 0;
  if (at_pole <= wanted(-pole).first) {
    // lambda is at its least. A negative pole asks for the whole length, which g alone does not give: the hard case.
    const double goal = wanted(-pole).first;
    if (pole < 0 || !inside) {
      const double missing = std::sqrt((goal - at_pole) * (goal + at_pole));
      if (missing > 0) {
        in_basis_[0] += missing;
        step.hard_case = true;
      }
    }
  } else {
    // |s(u)| falls with u and the wanted length does not: one crossing.
    double low = 0;
    double high = std::max({std::abs(values_[0]), std::abs(values_[n - 1]), std::numeric_limits<double>::min()});
    while (high < 1e300 && length(high) > wanted(high - pole).first) {
      low = high;
      high *= 4;
    }
    u = high;
    for (int i = 0; i < 300; ++i) {
      const double l = length(u);
      const auto [goal, growth] = wanted(u - pole);
      if (std::abs(l - goal) <= 4 * kEps * goal) break;
      (l > goal ? low : high) = u;
      if (!(high - low > kEps * high)) break;
      // Newton on 1 / |s| - 1 / wanted, almost linear in u (Hebden 1973).
      double slope = 0;
      for (Index j = 0; j < n; ++j) {
        const double part = in_basis_[j] / l;
        if (part != 0) slope += part * part / (gap(j) + u);
      }
      double next = u + (l - goal) / goal / (slope + growth * (l / goal) / goal);
      // Between ends that differ by orders of magnitude, halve the logarithm.
      if (!(next > low && next < high)) next = low > 0 ? std::sqrt(low) * std::sqrt(high) : 1e-3 * high;
      u = next;
    }
    length(u);
  }
  step.lambda = u - pole;
  const double size_of_s = in_basis_.stableNorm();
  step.decrease = -0.5 * coefficients_.dot(in_basis_) + 0.5 * step.lambda * size_of_s * size_of_s;
  s.noalias() = vectors_ * in_basis_;
  return step;
}

SpectralStep SpectralModel::in_ball(const Vector& g, double radius, Vector& s) {
  if (!(radius > 0)) fail("trust-region step: radius {}; give a number > 0", radius);
  return solve(
      g, true,
      [radius](double) {
        return std::pair{radius, 0.0};
      },
      s);
}

SpectralStep SpectralModel::with_cubic(const Vector& g, double sigma, Vector& s) {
  if (!(sigma > 0)) fail("cubic step: sigma {}; give a number > 0", sigma);
  SpectralStep step = solve(
      g, false,
      [sigma](double lambda) {
        return std::pair{lambda / sigma, 1 / sigma};
      },
      s);
  // What the common part counts as lambda |s|^2 / 2 is sigma |s|^3 / 2, of which the cubic term takes a third.
  const double length = s.stableNorm();
  step.decrease -= sigma / 3 * length * length * length;
  return step;
}

void SpectralModel::absolute(const Vector& g, double floor, Vector& s) {
  s.resize(size());
  in_basis_.resize(size());
  in_basis_.noalias() = vectors_.transpose() * g;
  for (Index i = 0; i < size(); ++i) in_basis_[i] /= -std::max(std::abs(values_[i]), floor);
  s.noalias() = vectors_ * in_basis_;
}

double SpectralModel::shifted(const Vector& g, double floor, Vector& s) {
  const double tau = size() > 0 ? std::max(0.0, floor - values_[0]) : 0;
  s.resize(size());
  in_basis_.resize(size());
  in_basis_.noalias() = vectors_.transpose() * g;
  for (Index i = 0; i < size(); ++i) in_basis_[i] /= -std::max(values_[i] + tau, floor);
  s.noalias() = vectors_ * in_basis_;
  return tau;
}

}  // namespace hesse
