/// \file
/// Least squares whose residuals come in many small blocks, each a formula of a few blocks of variables, that a user
/// writes once:
///
///     f(x) = 1/2 sum_k |r_k(x_{k,1}, ..., x_{k,P})|^2
///
///     struct Reprojection {
///       static constexpr int kResiduals = 2;
///       static constexpr std::array kVariables = {9, 3};   // a camera and a point
///       template <class T>
///       void operator()(Index k, const T* const* x, T* r) const;   // x[0][0..8], x[1][0..2] -> r[0..1]
///     };
///
/// Gradient, Jacobian, Gauss-Newton and Hessian products are exact, by dual numbers of as many derivatives as a block
/// has variables. Blocks are evaluated in parallel, and what they add to the same variable is added in their order, so
/// the bits do not depend on the threads. The functor is called from several threads at once.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/dual.h"
#include "hesse/objective/evaluation_memory.h"
#include "hesse/objective/least_squares.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/recycled.h"

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// Half the sum of squares of residuals that each see a few blocks of variables.
template <class Functor>
class BlockResidualObjective final : public Objective, public BlockLeastSquares, public EvaluationMemory {
 public:
  static constexpr std::size_t kBlocks = Functor::kVariables.size();
  static constexpr int kResiduals = Functor::kResiduals;
  static constexpr int kColumns = std::accumulate(Functor::kVariables.begin(), Functor::kVariables.end(), 0);
  /// The variable blocks of one residual block.
  using Uses = std::array<Index, kBlocks>;

  /// `variables` holds the first variable of each block, and n. The blocks from `eliminated` on share no residual.
  /// Throws Error where they are no such blocks, or of other sizes than the functor's.
  BlockResidualObjective(Functor functor, std::vector<Index> variables, const std::vector<Uses>& uses, Index eliminated)
      : data_(std::make_shared<Data>(Data{std::move(functor), {}})), layout_(variables.empty() ? 0 : variables.back()) {
    BlockStructure& structure = data_->structure;
    structure.variables = std::move(variables);
    structure.eliminated = eliminated;
    structure.residuals = {0};
    structure.uses_begin = {0};
    for (const Uses& of_block : uses) {
      structure.residuals.push_back(structure.residuals.back() + kResiduals);
      structure.uses.insert(structure.uses.end(), of_block.begin(), of_block.end());
      structure.uses_begin.push_back(static_cast<Index>(structure.uses.size()));
    }
    structure.finish();
    for (Index k = 0; k < structure.residual_blocks(); ++k) {
      for (std::size_t b = 0; b < kBlocks; ++b) {
        if (structure.width(structure.uses_of(k)[b]) == Functor::kVariables[b]) continue;
        fail("residual block {}: variable block {} has {} variables, and its formula takes {}", k,
             structure.uses_of(k)[b], structure.width(structure.uses_of(k)[b]), Functor::kVariables[b]);
      }
    }
  }

  const Functor& functor() const { return data_->functor; }
  const ParameterLayout& layout() const override { return layout_; }
  Index residual_count() const override { return data_->structure.residual_count(); }
  const BlockStructure& block_structure() const override { return data_->structure; }

  void residuals(const Vector& x, Vector& r) override {
    r.resize(residual_count());
    data_->for_blocks([&](Index k) {
      const auto variables = data_->at(x, k);
      data_->functor(k, variables.data(), r.data() + k * kResiduals);
    });
  }

  void residuals_and_jacobian(const Vector& x, Vector& r, BlockJacobian& J) override {
    differentiate(x);
    r = r_;
    J = J_;
  }

  void second_derivative_along(const Vector& x, const Vector& v, Vector& rvv) override {
    using OnPath = Dual<Dual<double, 1>, 1>;
    rvv.resize(residual_count());
    data_->for_blocks([&](Index k) {
      const auto at = data_->at(x, k);
      const auto along = data_->at(v, k);
      Arguments<OnPath> path;
      path.gather([&](std::size_t b, Index i, Index) {
        OnPath p;
        p.value.value = at[b][i];
        p.value.derivative[0] = along[b][i];
        p.derivative[0] = along[b][i];
        return p;
      });
      std::array<OnPath, kResiduals> residuals;
      data_->functor(k, path.blocks.data(), residuals.data());
      for (Index i = 0; i < kResiduals; ++i) {
        rvv[k * kResiduals + i] = residuals[static_cast<std::size_t>(i)].derivative[0].derivative[0];
      }
    });
  }

  double value(const Vector& x) override {
    residuals(x, at_value_);
    return dot(at_value_, at_value_) / 2;
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    differentiate(x);
    J_.multiply_transposed(r_, g);
    return dot(r_, r_) / 2;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind == Curvature::hessian) {
      auto op = recycled(hessians_, [&] { return std::make_shared<Hessian>(data_); });
      op->bind(x);
      return op;
    }
    if (kind == Curvature::gauss_newton || kind == Curvature::jacobian_gram) {
      auto op = recycled(gauss_newtons_, [&] { return std::make_shared<GaussNewton>(data_); });
      differentiate(x);
      op->bind(J_);
      return op;
    }
    fail("residuals have a Hessian and a Gauss-Newton but no {} matrix; use curvature hessian or gauss-newton",
         to_string(kind));
  }

  /// In units of a Jacobian: a residual alone takes 1 / (1 + columns) of it, a Hessian product twice the Jacobian's
  /// numbers, a Gauss-Newton product two sweeps over its entries.
  CostWeights cost_weights() const override { return {1.0 / (1 + kColumns), 1.0, 2.0, 0.25}; }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    return kind != Curvature::hessian && !is_differentiated(x) ? 1.0 : 0.0;
  }

  /// The residuals for a value and for a gradient, the Jacobian, and the parts of a Hessian product before they are
  /// added up; the Gauss-Newton matrix has a copy of the Jacobian in their place. Vectors are multiplied one by one.
  double operator_bytes(Index vectors) const override {
    const auto residuals = static_cast<double>(residual_count());
    const auto variables = static_cast<double>(size());
    const double parts = residuals / kResiduals * kColumns + 3 * variables;
    const double evaluations = residuals * kColumns + 2 * residuals + variables;
    return sizeof(double) * (evaluations + (vectors > 0 ? parts : 0.0));
  }

  std::string explain_non_finite(const Vector& x) override {
    if (x.allFinite()) {
      residuals(x, at_value_);
      for (Index i = 0; i < at_value_.size(); ++i) {
        if (std::isfinite(at_value_[i])) continue;
        return fmt::format("residual {} of block {} (both from 0) is {}", i % kResiduals, i / kResiduals, at_value_[i]);
      }
    }
    return Objective::explain_non_finite(x);
  }

 private:
  static constexpr Index kTask = 256;  // residual blocks of one task

  /// The arguments of a formula as numbers that differentiate, with the pointers that it takes.
  template <class T>
  struct Arguments {
    std::array<T, kColumns> values;
    std::array<const T*, kBlocks> blocks;
    /// value(b, i, column) of variable i of block b.
    template <class Value>
    void gather(const Value& value) {
      Index column = 0;
      for (std::size_t b = 0; b < kBlocks; ++b) {
        blocks[b] = values.data() + column;
        for (Index i = 0; i < Functor::kVariables[b]; ++i, ++column) {
          values[static_cast<std::size_t>(column)] = value(b, i, column);
        }
      }
    }
  };

  /// What operators share with the objective, and may outlive it with.
  struct Data {
    Functor functor;
    BlockStructure structure;

    /// Where the variables of a residual block lie in x.
    std::array<const double*, kBlocks> at(const Vector& x, Index k) const {
      std::array<const double*, kBlocks> all;
      const auto uses = structure.uses_of(k);
      for (std::size_t b = 0; b < kBlocks; ++b) all[b] = x.data() + structure.first_variable(uses[b]);
      return all;
    }
    template <class Body>
    void for_blocks(const Body& body) const {
      const Index blocks = structure.residual_blocks();
      parallel_for(block_count(blocks, kTask), [&](Index task) {
        const Range range = block_range(blocks, kTask, task);
        for (Index k = range.begin; k < range.end; ++k) body(k);
      });
    }
  };

  /// J'J, from a copy of J.
  class GaussNewton final : public LinearOperator {
   public:
    explicit GaussNewton(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
    void bind(const BlockJacobian& J) { J_ = J; }
    Index size() const override { return data_->structure.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) {
        x_ = X.col(j);
        J_.multiply(x_, Jx_);
        J_.multiply_transposed(Jx_, y_);
        Y.col(j) = y_;
      }
    }

   private:
    std::shared_ptr<const Data> data_;
    BlockJacobian J_;
    mutable Vector x_;
    mutable Vector Jx_;
    mutable Vector y_;
  };

  /// J'J v + sum_i r_i H_i v: a directional derivative (outer) of all partial derivatives (inner) of each block.
  class Hessian final : public LinearOperator {
   public:
    explicit Hessian(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
    void bind(const Vector& x) { x_ = x; }
    Index size() const override { return data_->structure.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) {
        v_ = X.col(j);
        product();
        Y.col(j) = y_;
      }
    }

   private:
    using Inner = Dual<double, kColumns>;
    using Outer = Dual<Inner, 1>;

    void product() const {
      const BlockStructure& structure = data_->structure;
      parts_.resize(structure.residual_blocks() * kColumns);
      data_->for_blocks([&](Index k) {
        const auto at = data_->at(x_, k);
        const auto along = data_->at(v_, k);
        Arguments<Outer> arguments;
        arguments.gather([&](std::size_t b, Index i, Index column) {
          Outer value;
          value.value = Inner(at[b][i]);
          value.value.derivative[static_cast<std::size_t>(column)] = 1;
          value.derivative[0] = Inner(along[b][i]);
          return value;
        });
        std::array<Outer, kResiduals> residuals;
        data_->functor(k, arguments.blocks.data(), residuals.data());
        for (std::size_t j = 0; j < kColumns; ++j) {
          double sum = 0;
          for (const Outer& r : residuals) {
            sum += r.value.value * r.derivative[0].derivative[j] + r.derivative[0].value * r.value.derivative[j];
          }
          parts_[k * kColumns + static_cast<Index>(j)] = sum;
        }
      });
      y_.setZero(structure.size());
      for (Index k = 0; k < structure.residual_blocks(); ++k) {
        const double* part = parts_.data() + k * kColumns;
        for (const Index block : structure.uses_of(k)) {
          const Index width = structure.width(block);
          y_.segment(structure.first_variable(block), width) += Eigen::Map<const Vector>(part, width);
          part += width;
        }
      }
    }

    std::shared_ptr<const Data> data_;
    Vector x_;
    mutable Vector v_;
    mutable Vector y_;
    mutable Vector parts_;  // of each residual block, before they are added up
  };

  bool is_differentiated(const Vector& x) const { return differentiated_.size() == size() && differentiated_ == x; }

  /// Residual block k at its variables, and its Jacobian row by row.
  void differentiate_block(Index k, const double* const* variables, double* r, double* J) const {
    using D = Dual<double, kColumns>;
    Arguments<D> x;
    x.gather([&](std::size_t b, Index i, Index column) {
      D value(variables[b][i]);
      value.derivative[static_cast<std::size_t>(column)] = 1;
      return value;
    });
    std::array<D, kResiduals> residuals;
    data_->functor(k, x.blocks.data(), residuals.data());
    for (std::size_t i = 0; i < kResiduals; ++i) {
      r[i] = residuals[i].value;
      for (std::size_t j = 0; j < kColumns; ++j) *J++ = residuals[i].derivative[j];
    }
  }

  /// Sets r_ and J_ to those at x, which may be there already.
  void differentiate(const Vector& x) {
    if (is_differentiated(x)) return;
    // Equal to no point, so that nothing half written is taken for one's should the formula throw.
    differentiated_.setConstant(std::numeric_limits<double>::quiet_NaN());
    r_.resize(residual_count());
    J_.bind(data_->structure);
    data_->for_blocks([&](Index k) {
      const auto variables = data_->at(x, k);
      differentiate_block(k, variables.data(), r_.data() + k * kResiduals, J_.rows(k));
    });
    differentiated_ = x;
  }

  std::shared_ptr<Data> data_;
  ParameterLayout layout_;
  Vector r_;  // at differentiated_, as J_
  BlockJacobian J_;
  Vector differentiated_;
  Vector at_value_;
  std::vector<std::shared_ptr<Hessian>> hessians_;
  std::vector<std::shared_ptr<GaussNewton>> gauss_newtons_;
};

}  // namespace hesse
