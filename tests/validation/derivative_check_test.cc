#include "hesse/validation/derivative_check.h"

#include "hesse/core/error.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"

#include <catch2/catch.hpp>

using namespace hesse;

namespace {

/// Himmelblau's function with a fault in its derivatives.
class Faulty final : public Objective {
 public:
  enum class Fault { none, gradient, product, symmetry };
  explicit Faulty(Fault fault) : fault_(fault) {}
  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override { return inner_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    const double f = inner_.value_and_gradient(x, g);
    if (fault_ == Fault::gradient) g[1] *= 1 + 1e-5;
    return f;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    auto H = inner_.curvature(x, kind);
    if (fault_ == Fault::product) return scaled(1 + 1e-4, H);
    if (fault_ == Fault::symmetry) {
      return function_operator(2, [H](ConstMatrixView X, MatrixView Y) {
        H->apply(X, Y);
        Y.row(0) += 1e-5 * X.row(1);
      });
    }
    return H;
  }

 private:
  Fault fault_;
  FunctorObjective<Himmelblau> inner_{{}, 2};
};

DerivativeCheck check(Faulty::Fault fault) {
  Faulty f(fault);
  return check_derivatives(f, Eigen::Vector2d(1, -2), {});
}

/// A stiff block, whose differences truncate the most, and a mild one with a small fault in its products.
class TwoBlocks final : public Objective {
 public:
  TwoBlocks() {
    layout_.add("stiff", {2});
    layout_.add("faulty", {2});
  }
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return inner_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override { return inner_.value_and_gradient(x, g); }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return function_operator(4, [H = inner_.curvature(x, kind)](ConstMatrixView X, MatrixView Y) {
      H->apply(X, Y);
      Y.row(3) *= 1.001;
    });
  }

 private:
  struct Formula {
    template <class T>
    T operator()(const T* x) const {
      return exp(2.0 * x[0]) * sin(3.0 * x[1]) + 0.5 * (x[2] * x[2]) + x[3] * x[2];
    }
  };
  ParameterLayout layout_;
  FunctorObjective<Formula> inner_{{}, 4};
};

}  // namespace

TEST_CASE("the block named is that of the fault and not that of the largest truncation") {
  TwoBlocks f;
  const DerivativeCheck found = check_derivatives(f, Eigen::Vector4d(0.3, 0.2, 1, 1), {});
  CHECK_FALSE(found.product_good);
  CHECK(found.worst_block == "faulty");
}

TEST_CASE("right derivatives pass, and each planted fault is found where it is") {
  const DerivativeCheck good = check(Faulty::Fault::none);
  CHECK(good.good());
  CHECK(good.gradient_error <= 1e-8);
  // The V: the error falls with h at first and rises at the end.
  CHECK(good.sweep.front().gradient_error > 100 * good.gradient_error);
  CHECK(good.sweep.back().gradient_error > 100 * good.gradient_error);
  CHECK_FALSE(check(Faulty::Fault::gradient).gradient_good);
  const DerivativeCheck product = check(Faulty::Fault::product);
  CHECK(product.gradient_good);
  CHECK_FALSE(product.product_good);
  // At some step the truncation cancels a part of the fault, but never the whole vector.
  CHECK(product.product_error >= 1e-5);
  CHECK(product.product_error <= 2e-4);
  CHECK_FALSE(check(Faulty::Fault::symmetry).symmetric);
  Faulty f(Faulty::Fault::none);
  DerivativeCheckOptions none;
  none.directions = 0;
  CHECK_THROWS_AS(check_derivatives(f, Eigen::Vector2d(1, 1), none), Error);
  CHECK_THROWS_AS(check_derivatives(f, Vector::Ones(3), {}), Error);
}
