/// \file
/// Residuals that a user writes once, as a nonlinear least-squares objective with exact derivatives:
///
///     f(x) = 1/2 |r(x)|^2,   gradient J'r,   Hessian J'J + sum_i r_i H_i,   Gauss-Newton matrix J'J
///
///     struct Rosenbrock {
///       template <class T>
///       void operator()(const T* x, T* r) const {
///         r[0] = 10.0 * (x[1] - x[0] * x[0]);
///         r[1] = 1.0 - x[0];
///       }
///     };
///     ResidualObjective<Rosenbrock> f({}, 2, 2);
///
/// The functor must write every r[i], and call elementary functions unqualified, after a using-declaration for those of
/// double (`using std::exp;`): then it serves other differentiating numbers too, ceres::Jet among them.
///
/// Derivatives are by forward dual numbers, kChunk at a time, so a Jacobian costs about (1 + kChunk) ceil(n / kChunk)
/// evaluations and a Hessian product twice that. Up to kDenseLimit variables the curvature matrix is formed once at
/// each point; beyond, a Hessian product differentiates anew and a Gauss-Newton product is two products with J, which
/// holds m n numbers.
#pragma once

#include "hesse/core/error.h"
#include "hesse/objective/dual.h"
#include "hesse/objective/least_squares.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/recycled.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// Half the sum of squares of a formula's residuals; see above.
template <class Functor>
class ResidualObjective final : public Objective, public LeastSquares {
 public:
  static constexpr int kChunk = 8;
  static constexpr Index kDenseLimit = 64;

  /// n variables, m residuals. Throws Error unless both are at least 1.
  ResidualObjective(Functor functor, Index n, Index m) : functor_(std::move(functor)), layout_(n), r_(m) {
    if (n < 1) fail("least squares: {} variables are not possible; give at least 1", n);
    if (m < 1) fail("least squares: {} residuals are not possible; give at least 1", m);
  }

  const Functor& functor() const { return functor_; }
  const ParameterLayout& layout() const override { return layout_; }
  Index residual_count() const override { return r_.size(); }

  void residuals(const Vector& x, Vector& r) override {
    r.resize(residual_count());
    functor_(x.data(), r.data());
  }

  void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) override {
    differentiate(x);
    r = r_;
    J = J_;
  }

  void second_derivative_along(const Vector& x, const Vector& v, Vector& rvv) override {
    const Index n = size();
    path_.resize(static_cast<std::size_t>(n));
    path_residuals_.resize(static_cast<std::size_t>(residual_count()));
    for (Index i = 0; i < n; ++i) {
      OnPath& p = path_[static_cast<std::size_t>(i)];
      p.value.value = x[i];
      p.value.derivative[0] = v[i];
      p.derivative[0] = v[i];
    }
    functor_(static_cast<const OnPath*>(path_.data()), path_residuals_.data());
    rvv.resize(residual_count());
    for (Index i = 0; i < rvv.size(); ++i) {
      rvv[i] = path_residuals_[static_cast<std::size_t>(i)].derivative[0].derivative[0];
    }
  }

  double value(const Vector& x) override {
    residuals(x, at_value_);
    return at_value_.squaredNorm() / 2;
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    differentiate(x);
    g.noalias() = J_.transpose() * r_;
    return r_.squaredNorm() / 2;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind == Curvature::hessian) {
      auto op = recycled(hessians_, [&] { return std::make_shared<Hessian>(functor_, size(), residual_count()); });
      op->bind(x);
      return op;
    }
    if (kind == Curvature::gauss_newton || kind == Curvature::jacobian_gram) {
      auto op = recycled(gauss_newtons_, [] { return std::make_shared<GaussNewton>(); });
      differentiate(x);
      op->bind(J_);
      return op;
    }
    fail("residuals have a Hessian and a Gauss-Newton but no {} matrix; use curvature hessian or gauss-newton",
         to_string(kind));
  }

  /// A Gauss-Newton product takes 4 operations an entry of J; to differentiate the entry takes 9/8 of those of the
  /// residual, with two or three more for each product in it.
  CostWeights cost_weights() const override {
    const double gradient = static_cast<double>((size() + kChunk - 1) / kChunk) * (1 + kChunk);
    const bool dense = size() <= kDenseLimit;
    return {1 / gradient, 1.0, dense ? 0.0 : 2.0, dense ? 0.0 : 0.5};
  }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    if (kind != Curvature::hessian) return is_differentiated(x) ? 0.0 : 1.0;
    return size() <= kDenseLimit ? 2.0 * static_cast<double>(size()) : 0.0;
  }

  std::string explain_non_finite(const Vector& x) override {
    residuals(x, at_value_);
    for (Index i = 0; x.allFinite() && i < at_value_.size(); ++i) {
      if (!std::isfinite(at_value_[i])) return fmt::format("residual {} (from 0) is {}", i, at_value_[i]);
    }
    return Objective::explain_non_finite(x);
  }

 private:
  using OnPath = Dual<Dual<double, 1>, 1>;

  /// J'J, from a copy of J.
  class GaussNewton final : public LinearOperator {
   public:
    void bind(const Matrix& J) {
      n_ = J.cols();
      if (n_ > kDenseLimit) {
        J_ = J;
        return;
      }
      dense_.resize(n_, n_);
      for (Index j = 0; j < n_; ++j) {
        for (Index i = 0; i <= j; ++i) dense_(i, j) = dense_(j, i) = J.col(i).dot(J.col(j));
      }
    }
    Index size() const override { return n_; }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) {
        if (n_ <= kDenseLimit) {
          Y.col(j).noalias() = dense_ * X.col(j);
        } else {
          Jx_.noalias() = J_ * X.col(j);
          Y.col(j).noalias() = J_.transpose() * Jx_;
        }
      }
    }

   private:
    Index n_ = 0;
    Matrix J_;
    Matrix dense_;
    mutable Vector Jx_;
  };

  /// One directional derivative (outer) of kChunk partial derivatives (inner).
  class Hessian final : public LinearOperator {
   public:
    Hessian(const Functor& functor, Index n, Index m)
        : functor_(functor), x_(n), point_(static_cast<std::size_t>(n)), residuals_(static_cast<std::size_t>(m)) {}

    void bind(const Vector& x) {
      x_ = x;
      const Index n = size();
      if (n > kDenseLimit) return;
      dense_.resize(n, n);
      unit_.setZero(n);
      for (Index j = 0; j < n; ++j) {
        unit_[j] = 1;
        product(unit_, dense_.col(j));
        unit_[j] = 0;
      }
    }

    Index size() const override { return x_.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) {
        if (size() <= kDenseLimit) {
          Y.col(j).noalias() = dense_ * X.col(j);
        } else {
          product(X.col(j), Y.col(j));
        }
      }
    }

   private:
    using Inner = Dual<double, kChunk>;
    using Outer = Dual<Inner, 1>;

    /// y = sum_i (r_i H_i v + (Jv)_i J_i').
    void product(ConstVectorView v, VectorView y) const {
      const Index n = size();
      for (Index i = 0; i < n; ++i) {
        Outer& p = point_[static_cast<std::size_t>(i)];
        p.value = Inner(x_[i]);
        p.derivative[0] = Inner(v[i]);
      }
      y.setZero();
      for (Index first = 0; first < n; first += kChunk) {
        const Index k = std::min<Index>(kChunk, n - first);
        for (Index i = 0; i < k; ++i) seed(first + i, i) = 1;
        functor_(static_cast<const Outer*>(point_.data()), residuals_.data());
        for (Index i = 0; i < k; ++i) {
          const auto slot = static_cast<std::size_t>(i);
          double sum = 0;
          for (const Outer& r : residuals_) {
            sum += r.value.value * r.derivative[0].derivative[slot] + r.derivative[0].value * r.value.derivative[slot];
          }
          y[first + i] = sum;
          seed(first + i, i) = 0;
        }
      }
    }
    double& seed(Index variable, Index slot) const {
      return point_[static_cast<std::size_t>(variable)].value.derivative[static_cast<std::size_t>(slot)];
    }

    Functor functor_;
    Vector x_;
    Vector unit_;
    Matrix dense_;
    mutable std::vector<Outer> point_;
    mutable std::vector<Outer> residuals_;
  };

  bool is_differentiated(const Vector& x) const { return differentiated_.size() == size() && differentiated_ == x; }

  /// Sets r_ and J_ to those at x, which may be there already.
  void differentiate(const Vector& x) {
    using D = Dual<double, kChunk>;
    if (is_differentiated(x)) return;
    const Index n = size();
    const Index m = residual_count();
    J_.resize(m, n);
    point_.resize(static_cast<std::size_t>(n));
    chunk_.resize(static_cast<std::size_t>(m));
    for (Index i = 0; i < n; ++i) point_[static_cast<std::size_t>(i)] = D(x[i]);
    for (Index first = 0; first < n; first += kChunk) {
      const Index k = std::min<Index>(kChunk, n - first);
      for (Index j = 0; j < k; ++j) {
        point_[static_cast<std::size_t>(first + j)].derivative[static_cast<std::size_t>(j)] = 1;
      }
      functor_(static_cast<const D*>(point_.data()), chunk_.data());
      for (Index i = 0; i < m; ++i) {
        const D& r = chunk_[static_cast<std::size_t>(i)];
        r_[i] = r.value;
        for (Index j = 0; j < k; ++j) J_(i, first + j) = r.derivative[static_cast<std::size_t>(j)];
      }
      for (Index j = 0; j < k; ++j) {
        point_[static_cast<std::size_t>(first + j)].derivative[static_cast<std::size_t>(j)] = 0;
      }
    }
    differentiated_ = x;
  }

  Functor functor_;
  ParameterLayout layout_;
  Vector r_;  // at differentiated_, as J_
  Matrix J_;
  Vector differentiated_;
  Vector at_value_;
  std::vector<Dual<double, kChunk>> point_;
  std::vector<Dual<double, kChunk>> chunk_;
  std::vector<OnPath> path_;
  std::vector<OnPath> path_residuals_;
  std::vector<std::shared_ptr<Hessian>> hessians_;
  std::vector<std::shared_ptr<GaussNewton>> gauss_newtons_;
};

}  // namespace hesse
