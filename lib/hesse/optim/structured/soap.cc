#include "hesse/optim/structured/soap.h"

#include "hesse/core/multiversion.h"
#include "hesse/linalg/products.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace hesse {

struct SoapCoefficients {
  double beta1;
  double beta2;
  double rate;         // lr / (1 - beta1^t)
  double root_factor;  // 1 / sqrt(1 - beta2^t)
  double eps;
};

namespace {

using Map = Eigen::Map<Matrix>;
using ConstMap = Eigen::Map<const Matrix>;

/// d <- Adam's step for the gradient `factor` d. The expressions are those of Adam, which the same compiler rounds
/// alike.
template <class T>
[[gnu::always_inline]] inline void adam_entries(Index n, T* __restrict d, double* __restrict m, double* __restrict v,
                                                const SoapCoefficients& coefficients, double factor) {
  const SoapCoefficients c = coefficients;
  for (Index i = 0; i < n; ++i) {
    const double g = factor * static_cast<double>(d[i]);
    m[i] = c.beta1 * m[i] + (1 - c.beta1) * g;
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g * g;
    d[i] = static_cast<T>(-c.rate * m[i] / (std::sqrt(v[i]) * c.root_factor + c.eps));
  }
}
HESSE_MULTIVERSION void adam_step(Index n, double* d, double* m, double* v, const SoapCoefficients& c, double factor) {
  adam_entries(n, d, m, v, c, factor);
}
HESSE_MULTIVERSION void adam_step(Index n, float* d, double* m, double* v, const SoapCoefficients& c, double factor) {
  adam_entries(n, d, m, v, c, factor);
}

HESSE_MULTIVERSION double descend(Index n, const double* __restrict d, double* __restrict x, double shrink) {
  return update_entries(n, x, [&](Index i) { return d[i] - shrink * x[i]; });
}
HESSE_MULTIVERSION double descend(Index n, const float* __restrict d, double* __restrict x, double shrink) {
  return update_entries(n, x, [&](Index i) { return static_cast<double>(d[i]) - shrink * x[i]; });
}

/// The greatest over the least of eigenvalues, no less than the rounding of T.
template <class T>
double condition_of(ConstVectorView values) {
  const double greatest = values.maxCoeff();
  const double least = std::numeric_limits<T>::epsilon() * greatest;
  return greatest > 0 ? greatest / std::max(values.minCoeff(), least) : 1.0;
}

}  // namespace

void visit_options(SoapOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the mean of squares in the basis");
  v.option("beta3", o.beta3, Interval::half_open(0, 1), "decay of the matrices whose eigenvectors are the basis");
  v.option("eps", o.eps, Interval::positive(), "epsilon, added to the root");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
  v.option("period", o.period, Interval::closed(1, 1000000), "steps between renewals of the bases");
  v.option("staleness", o.staleness, Interval::half_open(0, 1), "off-diagonal share up to which a basis stays");
  v.option("max_dim", o.max_dim, Interval::closed(1, 16384), "longer extents have no basis");
  v.option("merge", o.merge, Interval::at_least(1), "neighbouring extents are merged up to this product");
}

void Soap::plan(const Objective& f) {
  planned_for_ = f.layout().blocks();
  precision_ = f.precision();
  blocks_.clear();
  factors_.clear();
  block_work_.clear();
  factor_work_.clear();
  factor_entries_ = 0;
  largest_extent_ = 0;
  with_basis_ = 0;
  for (const ParameterBlock& from : planned_for_) {
    if (from.size == 0) continue;
    Block block;
    block.shape = merged_shape(from.shape, options_.merge);
    block.offset = from.offset;
    block.size = from.size;
    double work = 20 * static_cast<double>(block.size);
    if (block.shape.size() >= 2) {
      for (std::size_t mode = 0; mode < block.shape.size(); ++mode) {
        const Index extent = block.shape[mode];
        if (extent > options_.max_dim) continue;
        Factor factor;
        factor.name = fmt::format("{}:{}", from.name, mode + 1);
        factor.block = blocks_.size();
        factor.mode = mode;
        factor.extent = extent;
        factor.offset = factor_entries_;
        factor.order.resize(static_cast<std::size_t>(extent));
        factor_entries_ += extent * extent;
        largest_extent_ = std::max(largest_extent_, extent);
        const double flops = 2 * static_cast<double>(block.size) * static_cast<double>(extent);
        factor_work_.push_back(flops);
        work += 2 * flops;
        block.factors.push_back(factors_.size());
        factors_.push_back(std::move(factor));
      }
    }
    if (!block.factors.empty()) with_basis_ += block.size;
    block_work_.push_back(work);
    blocks_.push_back(std::move(block));
  }
  if (precision_ == Precision::float32) {
    buffers_.emplace<Buffers<float>>();
  } else {
    buffers_.emplace<Buffers<double>>();
  }
}

/// Room, and the gradient and the bases in T.
template <class T>
void Soap::prepare(Buffers<T>& buffers, double gradient_norm) {
  const auto n = static_cast<std::size_t>(gradient_.size());
  const auto entries = static_cast<std::size_t>(factor_entries_);
  buffers.first.resize(n);
  buffers.second.resize(n);
  buffers.rotations.resize(entries);
  if constexpr (!std::is_same_v<T, double>) {
    buffers.gradient.resize(n);
    buffers.bases.resize(entries);
  }
  buffers.range = into_range<T>(gradient_norm);
  buffers.g = in_type(gradient_.size(), gradient_.data(), buffers.gradient.data(), buffers.range);
  buffers.Q = in_type(factor_entries_, bases_.data(), buffers.bases.data());
  buffers.workspaces.reserve([&](Workspace<T>& w) {
    const auto side = static_cast<std::size_t>(largest_extent_);
    for (std::vector<T>* square : {&w.A, &w.AQ, &w.next}) square->resize(side * side);
    w.values.resize(side);
    w.qr.reserve(largest_extent_);
  });
}

template <class T>
void Soap::accumulate(double beta, Buffers<T>& buffers) {
  for_each_item(factor_work_, [&](Index i) {
    const Factor& factor = factors_[static_cast<std::size_t>(i)];
    const Block& block = blocks_[factor.block];
    const T* G = buffers.g + block.offset;
    double* A = statistics_.data() + factor.offset;
    const double weight = (1 - options_.beta3) / (buffers.range * buffers.range);
    mode_gram(block.shape, factor.mode, G, weight, beta, A, buffers.rotations.data() + factor.offset);
  });
}

/// The eigenvectors of each A, greatest eigenvalue first.
void Soap::set_up_bases(WorkSharing* processes) {
  share_work(
      processes, std::ssize(factors_), [&](Index i) { return cubic(factors_[static_cast<std::size_t>(i)].extent, 10); },
      [&](Index i) {
        Factor& factor = factors_[static_cast<std::size_t>(i)];
        const Index n = factor.extent;
        Map Q(bases_.data() + factor.offset, n, n);
        Vector values;
        Matrix vectors;
        factor.failed = !symmetric_eigen(ConstMap(statistics_.data() + factor.offset, n, n), values, vectors);
        factor.stale = 0;
        factor.condition = 1;
        if (factor.failed) {
          Q.setIdentity();
        } else {
          Q = vectors.rowwise().reverse();
          factor.condition = condition_of<double>(values);
        }
      },
      [&](Index i, Results& results) {
        Factor& factor = factors_[static_cast<std::size_t>(i)];
        results.add(factor.failed);
        results.add(factor.stale);
        results.add(factor.condition);
        results.add(bases_.data() + factor.offset, factor.extent * factor.extent);
      });
}

template <class T>
void Soap::renew_all(Buffers<T>& buffers, WorkSharing* processes) {
  share_work(
      processes, std::ssize(factors_), [&](Index i) { return cubic(factors_[static_cast<std::size_t>(i)].extent, 9); },
      [&](Index i) { renew(factors_[static_cast<std::size_t>(i)], buffers); },
      [&](Index i, Results& results) {
        Factor& factor = factors_[static_cast<std::size_t>(i)];
        const Index entries = factor.extent * factor.extent;
        results.add(factor.renewed);
        results.add(factor.failed);
        results.add(factor.stale);
        results.add(factor.condition);
        results.add(factor.order.data(), factor.extent);
        results.add(bases_.data() + factor.offset, entries);
        results.add(buffers.rotations.data() + factor.offset, entries);
      });
}

/// One step of orthogonal iteration for one basis; what m and v have to follow is left in its order and rotation.
template <class T>
void Soap::renew(Factor& factor, Buffers<T>& buffers) {
  using MapT = Eigen::Map<Eigen::MatrixX<T>>;
  const Index n = factor.extent;
  factor.renewed = false;
  factor.failed = false;
  factor.stale = 0;
  factor.condition = 1;
  const ConstMap statistics(statistics_.data() + factor.offset, n, n);
  const double size = statistics.norm();
  if (!std::isfinite(size)) factor.failed = true;
  if (!std::isfinite(size) || size == 0) return;
  auto workspace = buffers.workspaces.lease();
  // Of norm 1, so that the range of T is no limit.
  MapT A(workspace->A.data(), n, n);
  A = (statistics / size).template cast<T>();
  const T* Q = buffers.Q + factor.offset;
  MapT AQ(workspace->AQ.data(), n, n);
  MapT next(workspace->next.data(), n, n);
  multiply(Transpose::no, Transpose::no, n, n, n, 1, A.data(), n, Q, n, 0, AQ.data(), n);
  multiply(Transpose::yes, Transpose::no, n, n, n, 1, Q, n, AQ.data(), n, 0, next.data(), n);
  Eigen::Map<Vector> estimates(workspace->values.data(), n);
  estimates = next.diagonal().template cast<double>();
  next.diagonal().setZero();
  factor.stale = static_cast<double>(next.norm());
  factor.condition = condition_of<T>(estimates);
  if (options_.staleness > 0 && factor.stale <= options_.staleness) return;
  std::iota(factor.order.begin(), factor.order.end(), Index{0});
  // Ties in the order that they have, as a stable sort would, which allocates.
  std::sort(factor.order.begin(), factor.order.end(),
            [&](Index i, Index j) { return estimates[i] > estimates[j] || (estimates[i] == estimates[j] && i < j); });
  for (Index j = 0; j < n; ++j) next.col(j) = AQ.col(factor.order[static_cast<std::size_t>(j)]);
  if (!orthonormalize(next, workspace->qr)) {
    factor.failed = true;
    return;
  }
  T* rotation = buffers.rotations.data() + factor.offset;
  multiply(Transpose::yes, Transpose::no, n, n, n, 1, next.data(), n, Q, n, 0, rotation, n);
  Map(bases_.data() + factor.offset, n, n) = next.template cast<double>();
  factor.renewed = true;
}

/// m and v in the new basis.
template <class T>
void Soap::follow_basis(const Block& block, Buffers<T>& buffers) {
  for (const std::size_t which : block.factors) {
    const Factor& factor = factors_[which];
    if (!factor.renewed) continue;
    double* m = m_.data() + block.offset;
    const T* old = in_type(block.size, m, buffers.first.data() + block.offset, buffers.range);
    T* rotated = buffers.second.data() + block.offset;
    mode_product(block.shape, factor.mode, old, Transpose::no, buffers.rotations.data() + factor.offset, rotated);
    convert(block.size, rotated, m, 1 / buffers.range);
    // Nobody needs the gradient any more.
    double* v = v_.data() + block.offset;
    double* permuted = gradient_.data() + block.offset;
    mode_permute(block.shape, factor.mode, v, factor.order.data(), permuted);
    convert(block.size, permuted, v);
  }
}

/// Into the basis (op: yes) or out of it, in turn from one of the buffers of the block into the other; returns the
/// last.
template <class T>
T* Soap::rotate(const Block& block, const T* from, Transpose op, Buffers<T>& buffers) const {
  T* to = buffers.first.data() + block.offset;
  T* spare = buffers.second.data() + block.offset;
  if (from == to) std::swap(to, spare);
  for (const std::size_t which : block.factors) {
    const Factor& factor = factors_[which];
    mode_product(block.shape, factor.mode, from, op, buffers.Q + factor.offset, to);
    from = to;
    std::swap(to, spare);
  }
  return spare;
}

/// The step of a block, and its square.
template <class T>
void Soap::step_block(Block& block, const SoapCoefficients& c, Vector& x, Buffers<T>& buffers) {
  const auto adam = [&](auto* d, double factor) {
    parallel_for(block_count(block.size, kUpdateBlock), [&](Index task) {
      const Range r = block_range(block.size, kUpdateBlock, task);
      adam_step(r.size(), d + r.begin, m_.data() + block.offset + r.begin, v_.data() + block.offset + r.begin, c,
                factor);
    });
  };
  const auto move = [&](const auto* d) {
    const double shrink = options_.lr * options_.weight_decay;
    block.squares = blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index size) {
      return descend(size, d + begin, x.data() + block.offset + begin, shrink);
    });
  };
  if (block.factors.empty()) {
    double* d = gradient_.data() + block.offset;
    adam(d, 1);
    move(d);
    return;
  }
  T* d = rotate(block, buffers.g + block.offset, Transpose::yes, buffers);
  adam(d, 1 / buffers.range);
  move(rotate(block, d, Transpose::no, buffers));
}

void Soap::note_figures() {
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    auto figures = figures_.col(static_cast<Index>(i));
    figures[kCondition] = factors_[i].condition;
    figures[kStaleness] = factors_[i].stale;
    figures[kFailed] = factors_[i].failed ? 1 : 0;
  }
}

template <class T>
void Soap::step_in(Buffers<T>& buffers, Vector& x, WorkSharing* processes, StepReport& report) {
  prepare(buffers, report.gradient_norm);
  ++t_;
  report.step_size = options_.lr;
  double renewed = 0;
  if (t_ == 1) {
    accumulate(0, buffers);
    set_up_bases(processes);
    note_figures();
    report.step_norm = 0;
    renewed = 1;
  } else {
    const auto t = static_cast<double>(t_ - 1);
    SoapCoefficients c{};
    c.beta1 = options_.beta1;
    c.beta2 = options_.beta2;
    c.rate = options_.lr / (1 - std::pow(options_.beta1, t));
    c.root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, t));
    c.eps = options_.eps;
    for_each_item(block_work_, [&](Index i) { step_block(blocks_[static_cast<std::size_t>(i)], c, x, buffers); });
    double squares = 0;
    for (const Block& block : blocks_) squares += block.squares;
    report.step_norm = std::sqrt(squares);
    accumulate(options_.beta3, buffers);
    if ((t_ - 1) % options_.period == 0) {
      renew_all(buffers, processes);
      for_each_item(block_work_, [&](Index i) { follow_basis(blocks_[static_cast<std::size_t>(i)], buffers); });
      note_figures();
      for (const Factor& factor : factors_) renewed += factor.renewed ? 1 : 0;
      renewed /= static_cast<double>(std::max<std::size_t>(1, factors_.size()));
    }
  }
  const bool any = !factors_.empty();
  report.tell("staleness", any ? figures_.row(kStaleness).maxCoeff() : 0.0);
  report.tell("condition", any ? figures_.row(kCondition).maxCoeff() : 0.0);
  report.tell("renewed", renewed);
  report.tell("basis_failures", figures_.row(kFailed).sum());
  report.tell("share_with_basis", static_cast<double>(with_basis_) / static_cast<double>(std::max<Index>(1, x.size())));
}

StepReport Soap::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (!same_blocks(planned_for_, f.layout()) || precision_ != f.precision()) plan(f);
  for (Vector* each : {&m_, &v_}) {
    if (each->size() != x.size()) *each = Vector::Zero(x.size());
  }
  for (Vector* each : {&statistics_, &bases_}) {
    if (each->size() != factor_entries_) *each = Vector::Zero(factor_entries_);
  }
  if (figures_.cols() != std::ssize(factors_)) {
    figures_ = Matrix::Zero(kPreconditionerFigures, std::ssize(factors_));
    figures_.row(kRootResidual).setConstant(StepReport::kUnknown);
    figures_.row(kFallback).setConstant(StepReport::kUnknown);
  }
  std::visit([&](auto& buffers) { step_in(buffers, x, find<WorkSharing>(f), report); }, buffers_);
  return report;
}

OptimizerEntry soap_entry() {
  return optimizer_entry<Soap, SoapOptions>("soap", "Adam in the eigenbasis of Shampoo's preconditioners",
                                            "Vyas et al. (2024), Algorithm 3");
}

}  // namespace hesse
