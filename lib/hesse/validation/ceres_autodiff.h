/// \file
/// The functor that a user writes once (objective/functor_objective.h) through the automatic differentiation of Ceres,
/// ceres::Jet: a second route to its first derivatives, written by others.
///
///     JetObjective<Rosenbrock> f({}, 2);                   T operator()(const T* x) const
///     JetResiduals<Decay> g(Decay{data}, 2, 14);           void operator()(const T* x, T* r) const
///
/// Both are objectives, so that whatever runs on objectives, ceres_minimise and ceres_least_squares among it, runs on
/// Ceres' derivatives. There are no second ones: Jets do not nest for formulas with constants in them.
///
/// This header is for those who have Ceres; nothing else of Hesse includes it.
#pragma once

#include "hesse/core/error.h"
#include "hesse/objective/least_squares.h"
#include "hesse/objective/objective.h"

#include <ceres/dynamic_autodiff_cost_function.h>
#include <ceres/jet.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace hesse {

/// f(x) of a scalar functor, its gradient by Jets of kStride derivatives, ceil(n / kStride) passes.
template <class Functor, int kStride = 4>
class JetObjective final : public Objective {
 public:
  /// Throws Error unless n >= 1.
  JetObjective(Functor functor, Index n) : functor_(std::move(functor)), layout_(n) {
    if (n < 1) fail("objective: {} variables are not possible; give at least 1", n);
  }

  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return functor_(x.data()); }

  double value_and_gradient(const Vector& x, Vector& g) override {
    using Jet = ceres::Jet<double, kStride>;
    const Index n = size();
    g.resize(n);
    std::vector<Jet> point(x.data(), x.data() + n);
    double f = 0;
    for (Index first = 0; first < n; first += kStride) {
      const Index k = std::min<Index>(kStride, n - first);
      for (Index i = 0; i < k; ++i) point[static_cast<std::size_t>(first + i)].v[i] = 1;
      const Jet y = functor_(static_cast<const Jet*>(point.data()));
      f = y.a;
      for (Index i = 0; i < k; ++i) {
        g[first + i] = y.v[i];
        point[static_cast<std::size_t>(first + i)].v[i] = 0;
      }
    }
    return f;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    fail("an objective through ceres::Jet has first derivatives only; use FunctorObjective for its curvature");
  }

 private:
  Functor functor_;
  ParameterLayout layout_;
};

/// 1/2 |r(x)|^2 of a functor that writes residuals, its Jacobian by ceres::DynamicAutoDiffCostFunction.
template <class Functor, int kStride = 4>
class JetResiduals final : public Objective, public LeastSquares {
 public:
  /// Throws Error unless n >= 1 and m >= 1.
  JetResiduals(Functor functor, Index n, Index m) : layout_(n), m_(m) {
    if (n < 1 || m < 1) fail("residuals: {} of {} variables are not possible; give at least 1 of each", m, n);
    cost_ = std::make_unique<ceres::DynamicAutoDiffCostFunction<Adaptor, kStride>>(new Adaptor{std::move(functor)});
    cost_->AddParameterBlock(static_cast<int>(n));
    cost_->SetNumResiduals(static_cast<int>(m));
  }

  const ParameterLayout& layout() const override { return layout_; }
  Index residual_count() const override { return m_; }

  void residuals(const Vector& x, Vector& r) override {
    r.resize(m_);
    const double* const blocks[] = {x.data()};
    cost_->Evaluate(blocks, r.data(), nullptr);
  }
  void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) override {
    r.resize(m_);
    rows_.resize(m_, size());
    const double* const blocks[] = {x.data()};
    double* jacobians[] = {rows_.data()};
    cost_->Evaluate(blocks, r.data(), jacobians);
    J = rows_;
  }
  void second_derivative_along(const Vector&, const Vector&, Vector&) override {
    fail("residuals through ceres::Jet have first derivatives only");
  }

  double value(const Vector& x) override {
    residuals(x, r_);
    return 0.5 * r_.squaredNorm();
  }
  double value_and_gradient(const Vector& x, Vector& g) override {
    residuals_and_jacobian(x, r_, J_);
    g = J_.transpose() * r_;
    return 0.5 * r_.squaredNorm();
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    fail("residuals through ceres::Jet have first derivatives only");
  }

 private:
  /// Ceres hands over one pointer for each block of parameters, and wants to hear of success.
  struct Adaptor {
    Functor functor;
    template <class T>
    bool operator()(T const* const* blocks, T* r) const {
      functor(blocks[0], r);
      return true;
    }
  };

  ParameterLayout layout_;
  Index m_;
  std::unique_ptr<ceres::DynamicAutoDiffCostFunction<Adaptor, kStride>> cost_;
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows_;
  Vector r_;
  Matrix J_;
};

}  // namespace hesse
