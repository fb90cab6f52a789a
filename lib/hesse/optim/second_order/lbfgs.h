/// \file
/// L-BFGS (Nocedal 1980; Liu and Nocedal 1989): the inverse Hessian from the last m curvature pairs
/// s = x_{k+1} - x_k, y = g_{k+1} - g_k, applied by the two-loop recursion (two_loop.h)
/// with H0 = (s'y / y'y) I. Costs 4 m n flops a step beside the objective, and 2 m vectors. Its matrix,
/// for trust regions, is the compact form (compact_matrix.h).
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/second_order/compact_matrix.h"
#include "hesse/optim/second_order/direction.h"
#include "hesse/optim/second_order/two_loop.h"

namespace hesse {

/// Settings of L-BFGS.
struct LbfgsOptions {
  Index memory = 10;  ///< m, pairs kept, >= 1
  /// A pair is kept only if s'y > curvature |s| |y|: below, it says nothing but rounding.
  double curvature = 1e-10;
};
void visit_options(LbfgsOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class Lbfgs final : public Direction {
 public:
  explicit Lbfgs(const LbfgsOptions& options) : options_(options), pairs_(options.memory) {}

  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;
  /// Along the gradient, before there is a pair, a step of length at most 1.
  double first_step(const Point& at, const Vector& d) const override;
  ModelMatrix matrix_form() const override { return ModelMatrix::products; }
  const LinearOperator* matrix() override;
  const LinearOperator* inverse_matrix() override;
  void update(const Vector& s, const Vector& y) override;
  bool forget() override { return pairs_.clear(); }
  StateView state() override { return pairs_.state(); }

 private:
  /// The two-loop recursion on each vector.
  class InverseMatrix final : public LinearOperator {
   public:
    explicit InverseMatrix(const Lbfgs& method) : method_(method) {}
    Index size() const override { return method_.pairs_.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override;

   private:
    const Lbfgs& method_;
    mutable TwoLoop two_loop_;
    mutable Vector column_;
  };

  LbfgsOptions options_;
  CurvaturePairs pairs_;
  CompactMatrix matrix_{CompactForm::bfgs};
  Index size_ = 0;
  TwoLoop inverse_;
  InverseMatrix inverse_matrix_{*this};
};

}  // namespace hesse
