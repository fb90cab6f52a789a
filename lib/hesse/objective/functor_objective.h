/// \file
/// A formula that a user writes once, as an objective with exact derivatives:
///
///     struct Rosenbrock {
///       template <class T>
///       T operator()(const T* x) const {
///         return (1.0 - x[0]) * (1.0 - x[0]) + 100.0 * (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0]);
///       }
///     };
///     FunctorObjective<Rosenbrock> f({}, 2);
///
/// Derivatives are by forward dual numbers, kChunk at a time: a gradient costs about
/// (1 + kChunk) ceil(n / kChunk) evaluations' flops and a Hessian product twice that; up to
/// kDenseLimit variables the Hessian is formed once at each point instead. For large n use
/// AdolcObjective, whose gradient costs a fixed multiple of a value.
#pragma once

#include "hesse/core/error.h"
#include "hesse/objective/dual.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/recycled.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace hesse {

/// The objective of a formula; see above.
template <class Functor>
class FunctorObjective final : public Objective {
 public:
  static constexpr int kChunk = 8;
  static constexpr Index kDenseLimit = 64;

  /// Throws Error unless n >= 1.
  FunctorObjective(Functor functor, Index n) : functor_(std::move(functor)), layout_(n) {
    if (n < 1) fail("objective: {} variables are not possible; give at least 1", n);
  }

  const Functor& functor() const { return functor_; }
  const ParameterLayout& layout() const override { return layout_; }

  double value(const Vector& x) override { return functor_(x.data()); }

  double value_and_gradient(const Vector& x, Vector& g) override {
    using D = Dual<double, kChunk>;
    const Index n = size();
    g.resize(n);
    point_.resize(static_cast<std::size_t>(n));
    D* p = point_.data();
    double f = 0;
    for (Index i = 0; i < n; ++i) p[i] = D(x[i]);
    for (Index first = 0; first < n; first += kChunk) {
      const Index k = std::min<Index>(kChunk, n - first);
      for (Index i = 0; i < k; ++i) p[first + i].derivative[static_cast<std::size_t>(i)] = 1;
      const D y = functor_(static_cast<const D*>(p));
      f = y.value;
      for (Index i = 0; i < k; ++i) {
        g[first + i] = y.derivative[static_cast<std::size_t>(i)];
        p[first + i].derivative[static_cast<std::size_t>(i)] = 0;
      }
    }
    return f;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::hessian) {
      fail("a formula has a Hessian but no {} matrix; use curvature hessian", to_string(kind));
    }
    auto op = recycled(operators_, [&] { return std::make_shared<Hessian>(functor_, size()); });
    op->bind(x);
    return op;
  }

  CostWeights cost_weights() const override {
    const double gradient = static_cast<double>((size() + kChunk - 1) / kChunk) * (1 + kChunk);
    return {1 / gradient, 1.0, size() <= kDenseLimit ? 0.0 : 2.0, 2.0};
  }
  double linearisation_cost(const Vector&, Curvature) const override {
    return size() <= kDenseLimit ? 2.0 * static_cast<double>(size()) : 0.0;
  }

 private:
  /// One directional derivative (outer) of kChunk partial derivatives (inner).
  class Hessian final : public LinearOperator {
   public:
    Hessian(const Functor& functor, Index n) : functor_(functor), x_(n), point_(static_cast<std::size_t>(n)) {}

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

    void product(ConstVectorView v, VectorView y) const {
      const Index n = size();
      for (Index i = 0; i < n; ++i) {
        Outer& p = point_[static_cast<std::size_t>(i)];
        p.value = Inner(x_[i]);
        p.derivative[0] = Inner(v[i]);
      }
      for (Index first = 0; first < n; first += kChunk) {
        const Index k = std::min<Index>(kChunk, n - first);
        for (Index i = 0; i < k; ++i) seed(first + i, i) = 1;
        const Outer f = functor_(static_cast<const Outer*>(point_.data()));
        for (Index i = 0; i < k; ++i) {
          y[first + i] = f.derivative[0].derivative[static_cast<std::size_t>(i)];
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
  };

  Functor functor_;
  ParameterLayout layout_;
  std::vector<Dual<double, kChunk>> point_;
  std::vector<std::shared_ptr<Hessian>> operators_;
};

}  // namespace hesse
