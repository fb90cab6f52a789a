#include "hesse/optim/structured/psgd.h"

#include "hesse/core/multiversion.h"
#include "hesse/core/random.h"
#include "hesse/linalg/products.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

using Map = Eigen::Map<Matrix>;

/// Steps between the rescalings of the Q_i of a block to equal size: only their product matters, and without it one may
/// leave the range of doubles while another goes to 0.
constexpr std::int64_t kBalancePeriod = 100;

HESSE_MULTIVERSION void mean_update(Index n, const double* __restrict g, double* __restrict m, double beta) {
  for (Index i = 0; i < n; ++i) m[i] = beta * m[i] + (1 - beta) * g[i];
}

HESSE_MULTIVERSION double move(Index n, const double* __restrict d, double* __restrict x, double rate, double shrink) {
  return update_entries(n, x, [&](Index i) { return -rate * d[i] - shrink * x[i]; });
}

/// The largest eigenvalue of the semidefinite S from below, by three products from its longest column: within some ten
/// percent, where a factor of 1 / mu would still be stable.
double norm_from_below(Index n, const double* S, double* scratch) {
  const Eigen::Map<const Matrix> M(S, n, n);
  Index longest = 0;
  M.diagonal().maxCoeff(&longest);
  Eigen::Map<Vector> v(scratch, n);
  Eigen::Map<Vector> Mv(scratch + n, n);
  v = M.col(longest);
  double estimate = v.norm();
  for (int i = 0; i < 3; ++i) {
    const double length = v.norm();
    if (!(length > 0)) return 0;
    v /= length;
    Mv.noalias() = M * v;
    estimate = Mv.norm();
    v = Mv;
  }
  return estimate;
}

}  // namespace

void visit_options(PsgdOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("momentum", o.momentum, Interval::half_open(0, 1), "decay of the mean of gradients");
  v.option("preconditioner_lr", o.preconditioner_lr, Interval::open(0, 1), "mu, relative step of the factors");
  v.option("period", o.period, Interval::closed(1, 1000000), "steps between updates of the factors");
  v.option("max_dim", o.max_dim, Interval::closed(1, 16384), "longer extents have a diagonal");
  v.option("merge", o.merge, Interval::at_least(1), "neighbouring extents are merged up to this product");
  v.option("damping", o.damping, Interval::non_negative(), "noise added to the gradient, over its root mean square");
  v.option("clip", o.clip, Interval::positive(), "greatest root mean square of a block's direction");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
}

void Psgd::plan(const ParameterLayout& layout) {
  planned_for_ = layout.blocks();
  blocks_.clear();
  work_.clear();
  q_entries_ = 0;
  for (const ParameterBlock& from : planned_for_) {
    if (from.size == 0) continue;
    Block block;
    block.shape = merged_shape(from.shape, options_.merge);
    block.offset = from.offset;
    block.size = from.size;
    Index widest = 1;
    double work = 0;
    for (const Index extent : block.shape) {
      Factor factor;
      factor.extent = extent;
      factor.diagonal = block.shape.size() == 1 || extent > options_.max_dim;
      factor.offset = q_entries_;
      q_entries_ += factor.entries();
      widest = std::max(widest, factor.entries());
      work += 16 * static_cast<double>(block.size) * (factor.diagonal ? 1.0 : static_cast<double>(extent));
      block.factors.push_back(factor);
    }
    const auto room = static_cast<std::size_t>(widest);
    block.first_gram.resize(room);
    block.second_gram.resize(room);
    block.product.resize(std::max<std::size_t>(room, 4));
    work_.push_back(work);
    blocks_.push_back(std::move(block));
  }
}

/// Sets Q up at the first gradient that is not 0; false before.
bool Psgd::initialise(Block& block) {
  if (q_[block.factors.front().offset] != 0) return true;
  const auto g = gradient_.segment(block.offset, block.size);
  const double largest = g.cwiseAbs().maxCoeff();
  if (!(largest > 0)) return false;
  // Between 1 / the root mean square and 1 / the largest entry, as the fourth moment is.
  const double fourth = largest * std::pow((g / largest).array().pow(4).mean(), 0.25);
  const double scale = std::pow(fourth, -0.5 / static_cast<double>(block.factors.size()));
  for (const Factor& factor : block.factors) {
    if (factor.diagonal) {
      q_.segment(factor.offset, factor.extent).setConstant(scale);
    } else {
      Map(q_.data() + factor.offset, factor.extent, factor.extent).diagonal().setConstant(scale);
    }
  }
  return true;
}

void Psgd::update_factors(Block& block) {
  const Index n = block.size;
  double* V = second_.data() + block.offset;
  double* A = first_.data() + block.offset;
  double* spare = spare_.data() + block.offset;
  const RandomStream stream(seed_, Purpose::probe, static_cast<std::uint64_t>(t_));
  const auto g = gradient_.segment(block.offset, n);
  const double noise = options_.damping * norm(g) / std::sqrt(static_cast<double>(n));
  parallel_for(block_count(n, kUpdateBlock), [&](Index task) {
    const Range r = block_range(n, kUpdateBlock, task);
    Eigen::Map<Vector> signs(V + r.begin, r.size());
    stream.fill_rademacher(signs, static_cast<std::uint64_t>(block.offset + r.begin));
    Eigen::Map<Vector>(A + r.begin, r.size()) = g.segment(r.begin, r.size()) + noise * signs;
  });
  for (std::size_t mode = 0; mode < block.factors.size(); ++mode) {
    const Factor& factor = block.factors[mode];
    const double* Q = q_.data() + factor.offset;
    if (factor.diagonal) {
      mode_scale(block.shape, mode, Q, A);
      double* inverse = block.product.data();
      for (Index i = 0; i < factor.extent; ++i) inverse[i] = 1 / Q[i];
      mode_scale(block.shape, mode, inverse, V);
    } else {
      mode_product(block.shape, mode, A, Transpose::no, Q, spare);
      std::copy_n(spare, n, A);
      mode_solve_transposed(block.shape, mode, Q, V);
    }
  }
  block.whiteness = 0;
  for (std::size_t mode = 0; mode < block.factors.size(); ++mode) {
    const Factor& factor = block.factors[mode];
    const Index d = factor.extent;
    double* Q = q_.data() + factor.offset;
    double* first = block.first_gram.data();
    double* second = block.second_gram.data();
    const Index entries = factor.entries();
    if (factor.diagonal) {
      mode_squares(block.shape, mode, A, 1, 0, first);
      mode_squares(block.shape, mode, V, 1, 0, second);
    } else {
      mode_gram(block.shape, mode, A, 1, 0, first);
      mode_gram(block.shape, mode, V, 1, 0, second);
    }
    Eigen::Map<Vector> sum(second, entries);
    Eigen::Map<Vector> difference(first, entries);
    sum += difference;
    difference = 2 * difference - sum;
    block.whiteness += difference.norm() / sum.norm();
    const double size = factor.diagonal ? sum.maxCoeff() : norm_from_below(d, second, block.product.data());
    if (!(size > 0) || !std::isfinite(size) || !difference.allFinite()) continue;
    const double mu = options_.preconditioner_lr / size;
    if (factor.diagonal) {
      for (Index i = 0; i < d; ++i) Q[i] -= mu * first[i] * Q[i];
    } else {
      Map D(first, d, d);
      for (Index j = 0; j < d; ++j) D.col(j).tail(d - 1 - j).setZero();
      multiply(Transpose::no, Transpose::no, d, d, d, 1, first, d, Q, d, 0, block.product.data(), d);
      for (Index j = 0; j < d; ++j) {
        for (Index i = 0; i <= j; ++i) Q[i + j * d] -= mu * block.product[static_cast<std::size_t>(i + j * d)];
      }
    }
  }
  if (t_ % kBalancePeriod != 0 || block.factors.size() < 2) return;
  double logarithms = 0;
  for (const Factor& f : block.factors) logarithms += std::log(q_.segment(f.offset, f.entries()).cwiseAbs().maxCoeff());
  const double mean = logarithms / static_cast<double>(block.factors.size());
  for (const Factor& f : block.factors) {
    auto entries = q_.segment(f.offset, f.entries());
    entries *= std::exp(mean) / entries.cwiseAbs().maxCoeff();
  }
}

/// x <- x - lr c Q'Q m^ - lr lambda x in one block.
void Psgd::descend(Block& block, Vector& x) {
  const Index n = block.size;
  double* current = first_.data() + block.offset;
  double* next = spare_.data() + block.offset;
  std::copy_n(m_.data() + block.offset, n, current);
  for (std::size_t mode = 0; mode < block.factors.size(); ++mode) {
    const Factor& factor = block.factors[mode];
    const double* Q = q_.data() + factor.offset;
    for (const Transpose op : {Transpose::no, Transpose::yes}) {
      if (factor.diagonal) {
        mode_scale(block.shape, mode, Q, current);
      } else {
        mode_product(block.shape, mode, current, op, Q, next);
        std::swap(current, next);
      }
    }
  }
  const double unbiased = 1 / (1 - std::pow(options_.momentum, static_cast<double>(t_)));
  const double size = unbiased * norm(Eigen::Map<const Vector>(current, n)) / std::sqrt(static_cast<double>(n));
  block.mean_square = size * size;
  block.clipped = size > options_.clip;
  // Where the direction left the range of doubles there is none.
  const double rate = std::isfinite(size) ? options_.lr * unbiased * (block.clipped ? options_.clip / size : 1.0) : 0.0;
  if (rate == 0) std::fill_n(current, n, 0.0);
  block.squares = blocked_sum(n, kUpdateBlock, [&](Index begin, Index count) {
    return move(count, current + begin, x.data() + block.offset + begin, rate, options_.lr * options_.weight_decay);
  });
}

StepReport Psgd::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (!same_blocks(planned_for_, f.layout())) plan(f.layout());
  const Index n = x.size();
  if (m_.size() != n) m_ = Vector::Zero(n);
  if (q_.size() != q_entries_) q_ = Vector::Zero(q_entries_);
  for (Vector* each : {&first_, &second_, &spare_}) each->resize(n);
  ++t_;
  const bool updates = (t_ - 1) % options_.period == 0;
  for_each_item(work_, [&](Index which) {
    Block& block = blocks_[static_cast<std::size_t>(which)];
    parallel_for(block_count(block.size, kUpdateBlock), [&](Index task) {
      const Range r = block_range(block.size, kUpdateBlock, task);
      const Index begin = block.offset + r.begin;
      mean_update(r.size(), gradient_.data() + begin, m_.data() + begin, options_.momentum);
    });
    const bool ready = initialise(block);
    block.whiteness = 0;
    if (ready && updates) update_factors(block);
    descend(block, x);
  });
  double squares = 0;
  double mean_squares = 0;
  double clipped = 0;
  double whiteness = 0;
  Index factors = 0;
  for (const Block& block : blocks_) {
    squares += block.squares;
    mean_squares += block.mean_square * static_cast<double>(block.size);
    clipped += block.clipped ? 1 : 0;
    whiteness += block.whiteness;
    factors += static_cast<Index>(block.factors.size());
  }
  if (updates) whiteness_ = whiteness / static_cast<double>(std::max<Index>(1, factors));
  report.step_size = options_.lr;
  report.step_norm = std::sqrt(squares);
  report.tell("whiteness", whiteness_);
  report.tell("direction_rms", std::sqrt(mean_squares / static_cast<double>(std::max<Index>(1, n))));
  report.tell("clipped", clipped / static_cast<double>(std::max<std::size_t>(1, blocks_.size())));
  return report;
}

OptimizerEntry psgd_entry() {
  return registry_entry<PsgdOptions, std::unique_ptr<Optimizer>, const OptimizerContext&>(
      "psgd", "Kronecker-factored preconditioner that whitens gradients, fitted on triangular matrices",
      "Li (2018), section III; Pooladzandi and Li (2024)",
      [](const PsgdOptions& options, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
        return std::make_unique<Psgd>(options, context.seed);
      });
}

}  // namespace hesse
