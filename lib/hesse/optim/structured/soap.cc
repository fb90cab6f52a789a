#include "hesse/optim/structured/soap.h"

#include "hesse/core/multiversion.h"
#include "hesse/linalg/products.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hesse {
namespace {

using Map = Eigen::Map<Matrix>;
using ConstMap = Eigen::Map<const Matrix>;

enum LastRenewal { kStaleness, kCondition, kFailures, kFigures };

struct Coefficients {
  double beta1;
  double beta2;
  double rate;         // lr / (1 - beta1^t)
  double root_factor;  // 1 / sqrt(1 - beta2^t)
  double eps;
};

/// d <- Adam's step for the gradient d. The expressions are those of Adam, which the same compiler rounds alike.
HESSE_MULTIVERSION void adam_step(Index n, double* __restrict d, double* __restrict m, double* __restrict v,
                                  const Coefficients& coefficients) {
  const Coefficients c = coefficients;
  for (Index i = 0; i < n; ++i) {
    const double g = d[i];
    m[i] = c.beta1 * m[i] + (1 - c.beta1) * g;
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g * g;
    d[i] = -c.rate * m[i] / (std::sqrt(v[i]) * c.root_factor + c.eps);
  }
}

HESSE_MULTIVERSION double descend(Index n, const double* __restrict d, double* __restrict x, double shrink) {
  return update_entries(n, x, [&](Index i) { return d[i] - shrink * x[i]; });
}

}  // namespace

void visit_options(SoapOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive(), "learning rate");
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

void Soap::plan(const ParameterLayout& layout) {
  planned_for_ = layout.blocks();
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
  workspaces_.clear();
}

void Soap::accumulate(double beta) {
  for_each_item(factor_work_, [&](Index i) {
    const Factor& factor = factors_[static_cast<std::size_t>(i)];
    const Block& block = blocks_[factor.block];
    mode_gram(block.shape, factor.mode, gradient_.data() + block.offset, 1 - options_.beta3, beta,
              statistics_.data() + factor.offset);
  });
}

/// The eigenvectors of A, greatest eigenvalue first.
void Soap::initialise(Factor& factor) {
  const Index n = factor.extent;
  auto workspace = workspaces_.lease();
  Map Q(bases_.data() + factor.offset, n, n);
  Map A(workspace->product.data(), n, n);
  A = ConstMap(statistics_.data() + factor.offset, n, n);
  Eigen::Map<Vector> values(workspace->values.data(), n);
  factor.failed = !symmetric_eigen_in_place(A, values, workspace->eigen);
  if (factor.failed) {
    Q.setIdentity();
    return;
  }
  for (Index j = 0; j < n; ++j) Q.col(j) = A.col(n - 1 - j);
}

/// One step of orthogonal iteration for one basis; what m and v have to follow is left in its order and rotation.
void Soap::renew(Factor& factor) {
  const Index n = factor.extent;
  factor.renewed = false;
  factor.failed = false;
  auto workspace = workspaces_.lease();
  const double* A = statistics_.data() + factor.offset;
  Map Q(bases_.data() + factor.offset, n, n);
  Map AQ(workspace->product.data(), n, n);
  Map next(workspace->rotated.data(), n, n);
  multiply(Transpose::no, Transpose::no, n, n, n, 1, A, n, Q.data(), n, 0, AQ.data(), n);
  multiply(Transpose::yes, Transpose::no, n, n, n, 1, Q.data(), n, AQ.data(), n, 0, next.data(), n);
  Eigen::Map<Vector> estimates(workspace->values.data(), n);
  estimates = next.diagonal();
  next.diagonal().setZero();
  const double size = ConstMap(A, n, n).norm();
  factor.stale = size > 0 ? next.norm() / size : 0.0;
  const double greatest = estimates.maxCoeff();
  factor.condition = greatest > 0 ? greatest / std::max(estimates.minCoeff(), 1e-16 * greatest) : 1.0;
  if (!std::isfinite(factor.stale) || !std::isfinite(size)) {
    factor.failed = true;
    factor.stale = 0;
    factor.condition = 1;
    return;
  }
  if (size == 0 || (options_.staleness > 0 && factor.stale <= options_.staleness)) return;
  std::iota(factor.order.begin(), factor.order.end(), Index{0});
  // Ties in the order that they have, as a stable sort would, which allocates.
  std::sort(factor.order.begin(), factor.order.end(),
            [&](Index i, Index j) { return estimates[i] > estimates[j] || (estimates[i] == estimates[j] && i < j); });
  for (Index j = 0; j < n; ++j) next.col(j) = AQ.col(factor.order[static_cast<std::size_t>(j)]);
  if (!orthonormalize(next, workspace->qr)) {
    factor.failed = true;
    return;
  }
  multiply(Transpose::yes, Transpose::no, n, n, n, 1, next.data(), n, Q.data(), n, 0, rotations_.data() + factor.offset,
           n);
  Q = next;
  factor.renewed = true;
}

/// m and v in the new basis.
void Soap::follow_basis(Block& block) {
  for (const std::size_t which : block.factors) {
    const Factor& factor = factors_[which];
    if (!factor.renewed) continue;
    double* scratch = scratch_.data() + block.offset;
    double* m = m_.data() + block.offset;
    double* v = v_.data() + block.offset;
    mode_product(block.shape, factor.mode, m, Transpose::no, rotations_.data() + factor.offset, scratch);
    std::copy_n(scratch, block.size, m);
    mode_permute(block.shape, factor.mode, v, factor.order.data(), scratch);
    std::copy_n(scratch, block.size, v);
  }
}

/// Into the basis (op: yes) or out of it; returns which of the two buffers holds the result.
double* Soap::rotate(const Block& block, double* from, double* spare, Transpose op) const {
  for (const std::size_t which : block.factors) {
    const Factor& factor = factors_[which];
    mode_product(block.shape, factor.mode, from, op, bases_.data() + factor.offset, spare);
    std::swap(from, spare);
  }
  return from;
}

StepReport Soap::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  if (!same_blocks(planned_for_, f.layout())) plan(f.layout());
  for (Vector* each : {&m_, &v_}) {
    if (each->size() != n) *each = Vector::Zero(n);
  }
  for (Vector* each : {&statistics_, &bases_}) {
    if (each->size() != factor_entries_) *each = Vector::Zero(factor_entries_);
  }
  if (last_.size() != kFigures) last_ = Vector::Zero(kFigures);
  rotated_.resize(n);
  scratch_.resize(n);
  rotations_.resize(factor_entries_);
  workspaces_.reserve([&](Workspace& w) {
    const auto side = static_cast<std::size_t>(largest_extent_);
    w.product.resize(side * side);
    w.rotated.resize(side * side);
    w.values.resize(side);
    w.eigen.reserve(largest_extent_);
    w.qr.reserve(largest_extent_);
  });
  ++t_;
  report.step_size = options_.lr;
  double renewed = 0;
  if (t_ == 1) {
    accumulate(0);
    parallel_for(static_cast<Index>(factors_.size()),
                 [&](Index i) { initialise(factors_[static_cast<std::size_t>(i)]); });
    report.step_norm = 0;
    renewed = 1;
  } else {
    const auto t = static_cast<double>(t_ - 1);
    Coefficients c{};
    c.beta1 = options_.beta1;
    c.beta2 = options_.beta2;
    c.rate = options_.lr / (1 - std::pow(options_.beta1, t));
    c.root_factor = 1 / std::sqrt(1 - std::pow(options_.beta2, t));
    c.eps = options_.eps;
    const double shrink = options_.lr * options_.weight_decay;
    for_each_item(block_work_, [&](Index which) {
      Block& block = blocks_[static_cast<std::size_t>(which)];
      double* first = rotated_.data() + block.offset;
      double* second = scratch_.data() + block.offset;
      std::copy_n(gradient_.data() + block.offset, block.size, first);
      double* d = rotate(block, first, second, Transpose::yes);
      parallel_for(block_count(block.size, kUpdateBlock), [&](Index task) {
        const Range r = block_range(block.size, kUpdateBlock, task);
        adam_step(r.size(), d + r.begin, m_.data() + block.offset + r.begin, v_.data() + block.offset + r.begin, c);
      });
      d = rotate(block, d, d == first ? second : first, Transpose::no);
      block.squares = blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index size) {
        return descend(size, d + begin, x.data() + block.offset + begin, shrink);
      });
    });
    double squares = 0;
    for (const Block& block : blocks_) squares += block.squares;
    report.step_norm = std::sqrt(squares);
    accumulate(options_.beta3);
    if ((t_ - 1) % options_.period == 0) {
      parallel_for(static_cast<Index>(factors_.size()), [&](Index i) { renew(factors_[static_cast<std::size_t>(i)]); });
      for_each_item(block_work_, [&](Index i) { follow_basis(blocks_[static_cast<std::size_t>(i)]); });
      last_.setZero();
      for (const Factor& factor : factors_) {
        last_[kStaleness] = std::max(last_[kStaleness], factor.stale);
        last_[kCondition] = std::max(last_[kCondition], factor.condition);
        last_[kFailures] += factor.failed ? 1 : 0;
        renewed += factor.renewed ? 1 : 0;
      }
      renewed /= static_cast<double>(std::max<std::size_t>(1, factors_.size()));
    }
  }
  report.tell("staleness", last_[kStaleness]);
  report.tell("condition", last_[kCondition]);
  report.tell("renewed", renewed);
  report.tell("basis_failures", last_[kFailures]);
  report.tell("share_with_basis", static_cast<double>(with_basis_) / static_cast<double>(std::max<Index>(1, n)));
  return report;
}

OptimizerEntry soap_entry() {
  return optimizer_entry<Soap, SoapOptions>("soap", "Adam in the eigenbasis of Shampoo's preconditioners",
                                            "Vyas et al. (2024), Algorithm 3");
}

}  // namespace hesse
