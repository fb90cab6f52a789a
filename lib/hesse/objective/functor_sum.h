/// \file
/// A mean over samples of a formula that a user writes for one sample:
///
///     f(x) = (1/N) sum_i functor(x, i),   template <class T> T operator()(const T* x, Index sample) const
///
/// with exact gradient and Hessian products by dual numbers. Samples are cut into fixed chunks that
/// threads share and whose sums are added in order, so the bits do not depend on the threads. The
/// functor is called from several threads at once.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/objective/dual.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/recycled.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace hesse {

/// The mean of a formula over samples; see above.
template <class Functor>
class FunctorSum final : public Objective, public FiniteSum {
 public:
  static constexpr int kChunk = 8;            ///< derivatives of one dual number
  static constexpr Index kSampleChunk = 256;  ///< samples of one task, at least
  static constexpr Index kTasks = 128;        ///< at most, each with a workspace of its own

  /// Throws Error unless n >= 1 and samples >= 1.
  FunctorSum(Functor functor, Index n, Index samples)
      : functor_(std::make_shared<const Functor>(std::move(functor))), layout_(n), sample_count_(samples) {
    if (n < 1) fail("objective: {} variables are not possible; give at least 1", n);
    if (samples < 1) fail("objective: {} samples are not possible; give at least 1", samples);
    selected_ = std::make_shared<std::vector<Index>>();
    select_all();
    revision_ = 0;
  }

  const ParameterLayout& layout() const override { return layout_; }
  Index samples() const override { return static_cast<Index>(selected_->size()); }
  Index total_samples() const override { return sample_count_; }
  Index sample_count() const override { return sample_count_; }
  std::uint64_t revision() const override { return revision_; }
  std::span<const Index> selection() const override { return *selected_; }

  void select(std::span<const Index> samples) override {
    if (samples.empty()) fail("batch: no sample is selected; select at least one");
    for (const Index sample : samples) {
      if (sample < 0 || sample >= sample_count_) {
        fail("batch: sample {} does not exist; there are {} (from 0)", sample, sample_count_);
      }
    }
    own_selection();
    selected_->assign(samples.begin(), samples.end());
    all_ = false;
    ++revision_;
  }

  void select_all() override {
    if (all_) return;
    own_selection();
    selected_->resize(static_cast<std::size_t>(sample_count_));
    std::iota(selected_->begin(), selected_->end(), Index{0});
    all_ = true;
    ++revision_;
  }

  double value(const Vector& x) override {
    const auto& samples = *selected_;
    const Index block = samples_of_task(this->samples());
    const Index chunks = block_count(this->samples(), block);
    provide(sums_, chunks, size() + 1);
    parallel_for(chunks, [&](Index task) {
      const Range r = block_range(this->samples(), block, task);
      double sum = 0;
      for (Index i = r.begin; i < r.end; ++i) sum += (*functor_)(x.data(), samples[static_cast<std::size_t>(i)]);
      sums_(0, task) = sum;
    });
    double total = 0;
    for (Index c = 0; c < chunks; ++c) total += sums_(0, c);
    return total / static_cast<double>(this->samples());
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    using D = Dual<double, kChunk>;
    const Index n = size();
    const auto& samples = *selected_;
    const Index block = samples_of_task(this->samples());
    const Index chunks = block_count(this->samples(), block);
    provide(sums_, chunks, n + 1);
    provide(points_, chunks, n);
    parallel_for(chunks, [&](Index task) {
      const Range r = block_range(this->samples(), block, task);
      std::vector<D>& p = points_[static_cast<std::size_t>(task)];
      std::copy(x.data(), x.data() + n, p.begin());
      auto sum = sums_.col(task);
      sum.setZero();
      for (Index first = 0; first < n; first += kChunk) {
        const Index k = std::min<Index>(kChunk, n - first);
        for (Index s = 0; s < k; ++s)
          p[static_cast<std::size_t>(first + s)].derivative[static_cast<std::size_t>(s)] = 1;
        for (Index i = r.begin; i < r.end; ++i) {
          const D y = (*functor_)(static_cast<const D*>(p.data()), samples[static_cast<std::size_t>(i)]);
          if (first == 0) sum[n] += y.value;
          for (Index s = 0; s < k; ++s) sum[first + s] += y.derivative[static_cast<std::size_t>(s)];
        }
        for (Index s = 0; s < k; ++s)
          p[static_cast<std::size_t>(first + s)].derivative[static_cast<std::size_t>(s)] = 0;
      }
    });
    g = Vector::Zero(n);
    double total = 0;
    for (Index c = 0; c < chunks; ++c) {
      g += sums_.col(c).head(n);
      total += sums_(n, c);
    }
    const double scale = 1 / static_cast<double>(this->samples());
    g *= scale;
    return total * scale;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::hessian) {
      fail("a sum of formulas has a Hessian but no {} matrix; use curvature hessian", to_string(kind));
    }
    auto op = recycled(operators_, [&] { return std::make_shared<Hessian>(functor_); });
    op->bind(x, selected_);
    return op;
  }

  /// A product redoes its forward work, so linearising is free.
  double linearisation_cost(const Vector&, Curvature) const override { return 0.0; }
  CostWeights cost_weights() const override {
    const double gradient = static_cast<double>((size() + kChunk - 1) / kChunk) * (1 + kChunk);
    return {1 / gradient, 1.0, 2.0, 2.0};
  }

 private:
  class Hessian final : public LinearOperator {
   public:
    explicit Hessian(std::shared_ptr<const Functor> functor) : functor_(std::move(functor)) {}
    void bind(const Vector& x, std::shared_ptr<const std::vector<Index>> samples) {
      x_ = x;
      samples_ = std::move(samples);
    }
    /// Lets go of the selection, so that the next one may be written in its place.
    void release() { samples_.reset(); }

    Index size() const override { return x_.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) product(X.col(j), Y.col(j));
    }

   private:
    using Inner = Dual<double, kChunk>;
    using Outer = Dual<Inner, 1>;

    void product(ConstVectorView v, VectorView y) const {
      const Index n = size();
      const auto count = static_cast<Index>(samples_->size());
      const Index block = samples_of_task(count);
      const Index chunks = block_count(count, block);
      provide(sums_, chunks, n);
      provide(points_, chunks, n);
      parallel_for(chunks, [&](Index task) {
        const Range r = block_range(count, block, task);
        std::vector<Outer>& p = points_[static_cast<std::size_t>(task)];
        for (Index i = 0; i < n; ++i) {
          p[static_cast<std::size_t>(i)].value = Inner(x_[i]);
          p[static_cast<std::size_t>(i)].derivative[0] = Inner(v[i]);
        }
        auto sum = sums_.col(task);
        sum.setZero();
        for (Index first = 0; first < n; first += kChunk) {
          const Index k = std::min<Index>(kChunk, n - first);
          for (Index s = 0; s < k; ++s) seed(p, first, s) = 1;
          for (Index i = r.begin; i < r.end; ++i) {
            const Outer f = (*functor_)(static_cast<const Outer*>(p.data()), (*samples_)[static_cast<std::size_t>(i)]);
            for (Index s = 0; s < k; ++s) sum[first + s] += f.derivative[0].derivative[static_cast<std::size_t>(s)];
          }
          for (Index s = 0; s < k; ++s) seed(p, first, s) = 0;
        }
      });
      y.setZero();
      for (Index c = 0; c < chunks; ++c) y += sums_.col(c);
      y /= static_cast<double>(count);
    }
    static double& seed(std::vector<Outer>& p, Index first, Index slot) {
      return p[static_cast<std::size_t>(first + slot)].value.derivative[static_cast<std::size_t>(slot)];
    }

    std::shared_ptr<const Functor> functor_;
    Vector x_;
    std::shared_ptr<const std::vector<Index>> samples_;
    mutable Matrix sums_;
    mutable std::vector<std::vector<Outer>> points_;
  };

  static Index samples_of_task(Index samples) { return std::max(kSampleChunk, block_count(samples, kTasks)); }

  /// Makes room for a column of sums, or a point, for each task; never gives any back, so that batches of
  /// changing size allocate nothing.
  static void provide(Matrix& sums, Index tasks, Index rows) {
    if (sums.cols() < tasks) sums.resize(rows, tasks);
  }
  template <class Number>
  static void provide(std::vector<std::vector<Number>>& points, Index tasks, Index n) {
    while (points.size() < static_cast<std::size_t>(tasks)) points.emplace_back(static_cast<std::size_t>(n));
  }

  /// Makes the selection one to write into: another while an operator that somebody holds reads it.
  void own_selection() {
    for (const auto& op : operators_) {
      if (op.use_count() == 1) op->release();
    }
    if (selected_.use_count() > 1) selected_ = std::make_shared<std::vector<Index>>();
  }

  std::shared_ptr<const Functor> functor_;
  ParameterLayout layout_;
  Index sample_count_;
  std::shared_ptr<std::vector<Index>> selected_;
  bool all_ = false;
  std::uint64_t revision_ = 0;
  Matrix sums_;
  std::vector<std::vector<Dual<double, kChunk>>> points_;
  std::vector<std::shared_ptr<Hessian>> operators_;
};

}  // namespace hesse
