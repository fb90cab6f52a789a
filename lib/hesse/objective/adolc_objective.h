/// \file
/// A formula in many variables as an objective, differentiated by ADOL-C (Walther and Griewank 2012):
/// the formula is recorded once on a tape; a gradient is then one reverse sweep, at a small fixed
/// multiple of a value whatever n is, and a Hessian product one second-order adjoint sweep.
///
/// The functor is that of FunctorObjective. Where its branches depend on x, the tape is recorded anew
/// whenever ADOL-C reports that another branch is taken, which it also prints. Tapes are kept in memory, about
/// 30 bytes an operation. ADOL-C keeps them in global tables: use these objectives from one thread.
#pragma once

#include "hesse/core/error.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/recycled.h"

#include <adolc/adouble.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace hesse {

/// One recorded formula. Its tag in ADOL-C's tables is its own as long as it lives.
class AdolcTape {
 public:
  /// `formula` is called with n active variables whenever the tape must be recorded.
  AdolcTape(Index n, std::function<adouble(const adouble*)> formula);
  ~AdolcTape();
  AdolcTape(const AdolcTape&) = delete;
  AdolcTape& operator=(const AdolcTape&) = delete;

  Index size() const { return n_; }
  /// f(x) and its gradient by one forward and one reverse sweep. Not a number where the formula takes a
  /// branch that even a fresh recording at x cannot follow.
  double value_and_gradient(const Vector& x, Vector& g);
  /// y = H(x) v.
  void hessian_product(const Vector& x, ConstVectorView v, VectorView y);

 private:
  void trace(const Vector& x);
  void record(const Vector& x);
  /// Runs `sweep` on the tape, recording it first if there is none or its branches no longer hold.
  template <class Forward>
  bool forward(const Vector& x, const Forward& sweep);

  /// Entries of ADOL-C's buffers, of which memory is taken only as they fill.
  struct Buffers {
    unsigned operations = 0;
    unsigned locations = 0;
    unsigned values = 0;
    unsigned taylors = 0;
  };

  Index n_;
  std::function<adouble(const adouble*)> formula_;
  short tag_;
  bool recorded_ = false;
  Buffers buffers_;
  std::vector<adouble> active_;
  Matrix adjoints_;  // 2 x n: first- and second-order adjoints of each variable
  std::vector<double*> adjoint_columns_;
};

/// A formula of any number of variables, differentiated by ADOL-C.
template <class Functor>
class AdolcObjective final : public Objective {
 public:
  /// Throws Error unless n >= 1.
  AdolcObjective(Functor functor, Index n)
      : functor_(std::move(functor)),
        layout_(n),
        tape_(std::make_shared<AdolcTape>(n, [f = functor_](const adouble* x) { return f(x); })) {}

  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return functor_(x.data()); }
  double value_and_gradient(const Vector& x, Vector& g) override { return tape_->value_and_gradient(x, g); }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::hessian) {
      fail("a formula has a Hessian but no {} matrix; use curvature hessian", to_string(kind));
    }
    auto op = recycled(operators_, [&] { return std::make_shared<Hessian>(tape_); });
    op->bind(x);
    return op;
  }

  CostWeights cost_weights() const override { return {0.25, 1.0, 2.0, 2.0}; }
  double linearisation_cost(const Vector&, Curvature) const override { return 0.0; }

 private:
  class Hessian final : public LinearOperator {
   public:
    explicit Hessian(std::shared_ptr<AdolcTape> tape) : tape_(std::move(tape)) {}
    void bind(const Vector& x) { x_ = x; }
    Index size() const override { return x_.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) tape_->hessian_product(x_, X.col(j), Y.col(j));
    }

   private:
    std::shared_ptr<AdolcTape> tape_;
    Vector x_;
  };

  Functor functor_;
  ParameterLayout layout_;
  std::shared_ptr<AdolcTape> tape_;
  std::vector<std::shared_ptr<Hessian>> operators_;
};

}  // namespace hesse
