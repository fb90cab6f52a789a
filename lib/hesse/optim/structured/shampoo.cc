#include "hesse/optim/structured/shampoo.h"

#include "hesse/core/error.h"
#include "hesse/core/multiversion.h"
#include "hesse/linalg/products.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

using Map = Eigen::Map<Matrix>;
using ConstMap = Eigen::Map<const Matrix>;

HESSE_MULTIVERSION void mean_update(Index n, const double* __restrict g, double* __restrict m, double beta) {
  for (Index i = 0; i < n; ++i) m[i] = beta * m[i] + (1 - beta) * g[i];
}

/// v <- beta v + weight g^2, and out <- numerator scale / (sqrt(v) root_factor + eps).
HESSE_MULTIVERSION void graft_update(Index n, const double* __restrict g, const double* __restrict numerator,
                                     double scale, double* __restrict v, double beta, double weight, double root_factor,
                                     double eps, double* __restrict out) {
  for (Index i = 0; i < n; ++i) {
    v[i] = beta * v[i] + weight * g[i] * g[i];
    out[i] = scale * numerator[i] / (std::sqrt(v[i]) * root_factor + eps);
  }
}

/// u = ratio d, w <- mu w + u, x <- x - rate (w, or u + mu w) - shrink x; returns the square of the step.
HESSE_MULTIVERSION double descend_with_momentum(Index n, const double* __restrict d, double ratio, double* __restrict w,
                                                double mu, bool nesterov, double* __restrict x, double rate,
                                                double shrink) {
  const double own = nesterov ? 1 : 0;
  const double past = nesterov ? mu : 1;
  return update_entries(n, x, [&](Index i) {
    const double u = ratio * d[i];
    w[i] = mu * w[i] + u;
    return -rate * (own * u + past * w[i]) - shrink * x[i];
  });
}

HESSE_MULTIVERSION double descend(Index n, const double* __restrict d, double ratio, double* __restrict x, double rate,
                                  double shrink) {
  return update_entries(n, x, [&](Index i) { return -rate * (ratio * d[i]) - shrink * x[i]; });
}

/// Gram matrices of floats have eigenvalues as far below 0 as these are rounded, which a root by decomposition takes
/// for 0: its residual is held to that rounding, as roots of doubles are to theirs (linalg/inverse_root.h).
void allow_for_rounding(InverseRootReport& report) {
  constexpr double kRounding = 16 * static_cast<double>(std::numeric_limits<float>::epsilon());
  constexpr double kLoosest = 0.1;
  if (report.status != RootStatus::inaccurate || report.method != RootMethod::eigen) return;
  report.bound = std::max(report.bound, std::min(kLoosest, kRounding * report.condition));
  if (report.residual <= report.bound) report.status = RootStatus::ok;
}

/// The cuts of an extent into the fewest pieces of at most `block`, as equal as can be.
Index cut(Index extent, Index pieces, Index i) { return extent * i / pieces; }

}  // namespace

void visit_options(ShampooOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("beta1", o.beta1, Interval::half_open(0, 1), "decay of the mean of gradients that is preconditioned");
  v.option("beta2", o.beta2, Interval::half_open(0, 1), "decay of the statistics, where they are means");
  v.choice("accumulation", o.accumulation, {{"sum", Accumulation::sum}, {"mean", Accumulation::mean}},
           "statistics as sums or as decaying means");
  v.option("eps", o.eps, Interval::positive(), "ridge of the statistics");
  v.option("eps_relative", o.eps_relative, "the ridge is eps times the largest eigenvalue, else eps itself");
  v.option("exponent", o.exponent, Interval::closed(0, 2), "of the inverse powers; 0 stands for 1/(2k) at order k");
  v.option("block", o.block, Interval::closed(1, 16384), "longer extents are cut into pieces");
  v.option("merge", o.merge, Interval::at_least(1), "neighbouring extents are merged up to this product");
  v.option("max_dim", o.max_dim, Interval::closed(1, 16384), "longer extents of a piece have a diagonal");
  v.choice("vectors", o.vectors, {{"diagonal", VectorPreconditioner::diagonal}, {"full", VectorPreconditioner::full}},
           "preconditioner of vectors");
  v.option("period", o.period, Interval::closed(1, 1000000), "steps between roots");
  v.option("start", o.start, Interval::closed(1, 1000000), "first step that is preconditioned");
  v.choice("root", o.root, {{"eigen", RootMethod::eigen}, {"newton", RootMethod::newton}}, "how roots are computed");
  v.option("tolerance", o.tolerance, Interval::positive(), "on the residual of roots");
  v.option("staleness", o.staleness, Interval::half_open(0, 1), "off-diagonal share up to which a basis stays");
  v.choice("graft", o.graft,
           {{"none", Graft::none},
            {"sgd", Graft::sgd},
            {"adagrad", Graft::adagrad},
            {"rmsprop", Graft::rmsprop},
            {"adam", Graft::adam}},
           "method whose step length each block takes");
  v.option("graft_beta2", o.graft_beta2, Interval::half_open(0, 1), "of the graft's second moments");
  v.option("graft_eps", o.graft_eps, Interval::positive(), "added to the graft's roots");
  v.option("momentum", o.momentum, Interval::half_open(0, 1), "mu, outside of the graft");
  v.option("nesterov", o.nesterov, "Nesterov's form of it");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
}

Shampoo::Shampoo(const ShampooOptions& options) : options_(options) {
  if (options_.staleness > 0 && options_.root == RootMethod::newton) {
    fail("shampoo: staleness={} needs eigenbases, which Newton's method has not; take root=eigen or staleness=0",
         options_.staleness);
  }
  if (options_.nesterov && options_.momentum == 0) {
    fail("shampoo: nesterov=true has nothing to act on with momentum=0; give a momentum or leave it out");
  }
  if (options_.root == RootMethod::newton && options_.exponent > 0) {
    const double p = 1 / options_.exponent;
    if (p != std::floor(p)) {
      fail("shampoo: root=newton needs exponent=1/p with a whole p, not {}; take root=eigen", options_.exponent);
    }
  }
}

StateView Shampoo::state() {
  return {{"statistics", &statistics_},       {"roots", &roots_},       {"bases", &bases_},     {"mean", &mean_},
          {"graft_squares", &graft_squares_}, {"velocity", &velocity_}, {"figures", &figures_}, {"t", &t_}};
}

template <class T>
void Shampoo::Buffers<T>::resize(Index n, Index factor_entries) {
  gathered.resize(static_cast<std::size_t>(n));
  products.resize(static_cast<std::size_t>(n));
  if (!std::is_same_v<T, double>) squares.resize(static_cast<std::size_t>(factor_entries));
}

void Shampoo::plan(const Objective& f) {
  planned_for_ = f.layout().blocks();
  precision_ = f.precision();
  if (precision_ == Precision::float32) {
    buffers_.emplace<Buffers<float>>();
  } else {
    buffers_.emplace<Buffers<double>>();
  }
  pieces_.clear();
  factors_.clear();
  piece_work_.clear();
  factor_work_.clear();
  factor_entries_ = 0;
  largest_extent_ = 0;
  Index offset = 0;
  for (const ParameterBlock& from : planned_for_) {
    if (from.size == 0) continue;
    const TensorShape shape = merged_shape(from.shape, options_.merge);
    const std::size_t order = shape.size();
    std::vector<Index> strides(order, 1);
    for (std::size_t i = order; i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    std::vector<Index> pieces(order);
    const bool whole = order == 1 && options_.vectors == VectorPreconditioner::diagonal;
    Index count = 1;
    for (std::size_t i = 0; i < order; ++i) {
      pieces[i] = whole ? 1 : block_count(shape[i], options_.block);
      count *= pieces[i];
    }
    for (Index which = 0; which < count; ++which) {
      Piece piece;
      piece.first = from.offset;
      piece.strides = strides;
      piece.shape.resize(order);
      piece.size = 1;
      Index rest = which;
      for (std::size_t i = order; i-- > 0;) {
        const Index at = rest % pieces[i];
        rest /= pieces[i];
        const Index begin = cut(shape[i], pieces[i], at);
        piece.shape[i] = cut(shape[i], pieces[i], at + 1) - begin;
        piece.first += begin * strides[i];
        piece.size *= piece.shape[i];
      }
      piece.offset = offset;
      offset += piece.size;
      piece.first_factor = factors_.size();
      double work = 0;
      for (std::size_t i = 0; i < order; ++i) {
        Factor factor;
        factor.name =
            count == 1 ? fmt::format("{}:{}", from.name, i + 1) : fmt::format("{}[{}]:{}", from.name, which + 1, i + 1);
        factor.piece = pieces_.size();
        factor.mode = i;
        factor.extent = piece.shape[i];
        factor.diagonal = whole || factor.extent > options_.max_dim;
        factor.p = options_.exponent > 0 ? 1 / options_.exponent : 2 * static_cast<double>(order);
        factor.offset = factor_entries_;
        factor_entries_ += factor.entries();
        if (!factor.diagonal) largest_extent_ = std::max(largest_extent_, factor.extent);
        const double flops =
            2 * static_cast<double>(piece.size) * (factor.diagonal ? 1.0 : static_cast<double>(factor.extent));
        factor_work_.push_back(flops);
        work += flops;
        factors_.push_back(factor);
      }
      piece_work_.push_back(work);
      pieces_.push_back(std::move(piece));
    }
  }
  workspaces_.clear();
}

template <class T>
void Shampoo::gather(const Piece& piece, const double* from, T* to, double factor) const {
  const std::size_t order = piece.shape.size();
  const Index run = piece.shape[order - 1];
  for (Index row = 0; row < piece.size / run; ++row) {
    Index at = piece.first;
    Index rest = row;
    for (std::size_t i = order - 1; i-- > 0;) {
      at += rest % piece.shape[i] * piece.strides[i];
      rest /= piece.shape[i];
    }
    for (Index j = 0; j < run; ++j) to[row * run + j] = static_cast<T>(factor * from[at + j]);
  }
}

template <class T>
void Shampoo::scatter(const Piece& piece, const T* from, double* to, double factor) const {
  const std::size_t order = piece.shape.size();
  const Index run = piece.shape[order - 1];
  for (Index row = 0; row < piece.size / run; ++row) {
    Index at = piece.first;
    Index rest = row;
    for (std::size_t i = order - 1; i-- > 0;) {
      at += rest % piece.shape[i] * piece.strides[i];
      rest /= piece.shape[i];
    }
    for (Index j = 0; j < run; ++j) to[at + j] = factor * static_cast<double>(from[row * run + j]);
  }
}

double Shampoo::statistics_weight() const {
  // What the sum of the weights of all gradients so far is.
  return options_.accumulation == Accumulation::sum ? 1.0 : 1 - std::pow(options_.beta2, static_cast<double>(t_));
}

/// From gradients that were multiplied by `range`.
template <class T>
void Shampoo::accumulate(const Factor& factor, double range, Buffers<T>& buffers) {
  const Piece& piece = pieces_[factor.piece];
  const T* G = buffers.gathered.data() + piece.offset;
  double* A = statistics_.data() + factor.offset;
  const bool sum = options_.accumulation == Accumulation::sum;
  const double beta = sum ? 1 : options_.beta2;
  const double weight = (sum ? 1 : 1 - options_.beta2) / (range * range);
  if (factor.diagonal) {
    mode_squares(piece.shape, factor.mode, G, weight, beta, A);
  } else {
    mode_gram(piece.shape, factor.mode, G, weight, beta, A, buffers.square(factor));
  }
}

void Shampoo::renew_diagonal(Factor& factor) {
  const Index n = factor.extent;
  const Eigen::Map<const Vector> A(statistics_.data() + factor.offset, n);
  Eigen::Map<Vector> X(roots_.data() + factor.offset, n);
  const double scale = 1 / statistics_weight();
  const double largest = scale * A.maxCoeff();
  const double ridge = options_.eps_relative ? options_.eps * largest : options_.eps;
  factor.report = {};
  if (!(largest + ridge > 0) || !std::isfinite(largest)) {
    factor.report.status = largest + ridge == 0 ? RootStatus::zero : RootStatus::non_finite;
    return;
  }
  factor.report.condition = (largest + ridge) / (scale * A.minCoeff() + ridge);
  if (factor.p == 2) {
    for (Index i = 0; i < n; ++i) X[i] = 1 / std::sqrt(scale * A[i] + ridge);
  } else {
    for (Index i = 0; i < n; ++i) X[i] = std::pow(scale * A[i] + ridge, -1 / factor.p);
  }
}

void Shampoo::renew(Factor& factor) {
  factor.renewed = true;
  factor.stale = 0;
  if (factor.diagonal) {
    renew_diagonal(factor);
    return;
  }
  const Index n = factor.extent;
  const ConstMap A(statistics_.data() + factor.offset, n, n);
  Map X(roots_.data() + factor.offset, n, n);
  // The statistics are `weight` times a mean: (A / weight)^(-1/p) = weight^(1/p) A^(-1/p).
  const double weight = statistics_weight();
  const double ridge = options_.eps_relative ? options_.eps : options_.eps * weight;
  auto workspace = workspaces_.lease();
  const bool keeps_basis = options_.staleness > 0;
  double* kept = keeps_basis ? bases_.data() + factor.offset : nullptr;
  double* rotated = workspace->root.squares[0].data();
  double* product = workspace->root.squares[1].data();
  // A basis of zeros is none.
  if (keeps_basis && ConstMap(kept, n, n).col(0).squaredNorm() > 0.5) {
    multiply(Transpose::no, Transpose::no, n, n, n, 1, A.data(), n, kept, n, 0, product, n);
    multiply(Transpose::yes, Transpose::no, n, n, n, 1, kept, n, product, n, 0, rotated, n);
    Eigen::Map<Vector> values(workspace->root.values.data(), n);
    values = ConstMap(rotated, n, n).diagonal();
    Map(rotated, n, n).diagonal().setZero();
    const double size = A.norm();
    factor.stale = size > 0 ? ConstMap(rotated, n, n).norm() / size : 0.0;
    if (factor.stale <= options_.staleness && size > 0 && std::isfinite(size)) {
      factor.renewed = false;
      factor.report = {};
      factor.report.ridge = regularise(values, ridge, options_.eps_relative);
      factor.report.condition = values.maxCoeff() / values.minCoeff();
      compose_inverse_root(ConstMap(kept, n, n), values, factor.p, X, product);
      // Of a power that is not whole, |A Q - Q Lambda| / |A| is told, as of a decomposition.
      const bool whole = factor.p == std::floor(factor.p) && factor.p <= 64;
      factor.report.residual =
          whole ? inverse_root_residual(X, A, factor.report.ridge, static_cast<Index>(factor.p), workspace->root)
                : factor.stale;
      X *= std::pow(weight, 1 / factor.p);
      return;
    }
  }
  InverseRootOptions options;
  options.method = options_.root;
  options.ridge = ridge;
  options.relative_ridge = options_.eps_relative;
  options.tolerance = options_.tolerance;
  // Made beside the root in use, which stays where this one cannot be had.
  Map next(workspace->result.data(), n, n);
  factor.report = inverse_root(A, factor.p, options, next, workspace->root);
  if (factor.report.status == RootStatus::zero || factor.report.status == RootStatus::non_finite) return;
  if (precision_ == Precision::float32) allow_for_rounding(factor.report);
  X = next * std::pow(weight, 1 / factor.p);
  if (keeps_basis) std::copy_n(workspace->root.basis.data(), n * n, kept);
}

void Shampoo::renew_all(WorkSharing* processes) {
  share_work(
      processes, std::ssize(factors_),
      [&](Index i) {
        const Factor& factor = factors_[static_cast<std::size_t>(i)];
        return factor.diagonal ? static_cast<double>(factor.extent) : cubic(factor.extent, 20);
      },
      [&](Index i) { renew(factors_[static_cast<std::size_t>(i)]); },
      [&](Index i, Results& results) {
        Factor& factor = factors_[static_cast<std::size_t>(i)];
        results.add(factor.report);
        results.add(factor.stale);
        results.add(factor.renewed);
        results.add(roots_.data() + factor.offset, factor.entries());
        if (options_.staleness > 0) results.add(bases_.data() + factor.offset, factor.entries());
      });
}

/// direction_ = the piece of `from`, times its roots.
template <class T>
void Shampoo::precondition(const Piece& piece, const double* from, double range, Buffers<T>& buffers) {
  T* current = buffers.gathered.data() + piece.offset;
  T* next = buffers.products.data() + piece.offset;
  gather(piece, from, current, range);
  for (std::size_t mode = 0; mode < piece.shape.size(); ++mode) {
    const Factor& factor = factors_[piece.first_factor + mode];
    const double* X = roots_.data() + factor.offset;
    if (factor.diagonal) {
      mode_scale(piece.shape, mode, X, current);
      continue;
    }
    const T* root = in_type(factor.entries(), X, buffers.square(factor));
    mode_product(piece.shape, mode, current, Transpose::no, root, next);
    std::swap(current, next);
  }
  scatter(piece, current, direction_.data(), 1 / range);
}

/// graft_ = S, from the gradient and its mean.
void Shampoo::graft_step() {
  const Index n = gradient_.size();
  const auto t = static_cast<double>(t_);
  const bool filtered = options_.beta1 > 0;
  const double* numerator = filtered ? mean_.data() : gradient_.data();
  const double mean_factor = filtered ? 1 / (1 - std::pow(options_.beta1, t)) : 1.0;
  double beta = options_.graft_beta2;
  double weight = 1 - beta;
  double root_factor = 1;
  switch (options_.graft) {
    case Graft::none:
    case Graft::sgd: graft_ = mean_factor * Eigen::Map<const Vector>(numerator, n); return;
    case Graft::adagrad: beta = weight = 1; break;
    case Graft::rmsprop: break;
    case Graft::adam: root_factor = 1 / std::sqrt(1 - std::pow(beta, t)); break;
  }
  parallel_for(block_count(n, kUpdateBlock), [&](Index task) {
    const Range r = block_range(n, kUpdateBlock, task);
    graft_update(r.size(), gradient_.data() + r.begin, numerator + r.begin, mean_factor,
                 graft_squares_.data() + r.begin, beta, weight, root_factor, options_.graft_eps,
                 graft_.data() + r.begin);
  });
}

StepReport Shampoo::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const Index n = x.size();
  if (!same_blocks(planned_for_, f.layout()) || precision_ != f.precision()) plan(f);
  if (statistics_.size() != factor_entries_) statistics_ = Vector::Zero(factor_entries_);
  if (roots_.size() != factor_entries_) {
    roots_ = Vector::Zero(factor_entries_);
    for (const Factor& factor : factors_) {
      if (factor.diagonal) {
        roots_.segment(factor.offset, factor.extent).setOnes();
      } else {
        Map(roots_.data() + factor.offset, factor.extent, factor.extent).setIdentity();
      }
    }
  }
  if (options_.staleness > 0 && bases_.size() != factor_entries_) bases_ = Vector::Zero(factor_entries_);
  if (options_.beta1 > 0 && mean_.size() != n) mean_ = Vector::Zero(n);
  const bool has_squares =
      options_.graft == Graft::adagrad || options_.graft == Graft::rmsprop || options_.graft == Graft::adam;
  if (has_squares && graft_squares_.size() != n) graft_squares_ = Vector::Zero(n);
  if (options_.momentum > 0 && velocity_.size() != n) velocity_ = Vector::Zero(n);
  if (figures_.cols() != std::ssize(factors_)) {
    figures_ = Matrix::Zero(kPreconditionerFigures, std::ssize(factors_));
    figures_.row(kCondition).setOnes();  // of the identity, which they are at first
  }
  for (Vector* each : {&direction_, &graft_}) each->resize(n);
  std::visit([&](auto& buffers) { buffers.resize(n, factor_entries_); }, buffers_);
  workspaces_.reserve([&](Workspace& w) {
    w.root.reserve(largest_extent_, options_.root);
    w.result.resize(static_cast<std::size_t>(largest_extent_ * largest_extent_));
  });
  ++t_;

  if (options_.beta1 > 0) {
    parallel_for(block_count(n, kUpdateBlock), [&](Index task) {
      const Range r = block_range(n, kUpdateBlock, task);
      mean_update(r.size(), gradient_.data() + r.begin, mean_.data() + r.begin, options_.beta1);
    });
  }
  std::visit(
      [&]<class T>(Buffers<T>& buffers) {
        const double range = into_range<T>(report.gradient_norm);
        parallel_for(static_cast<Index>(pieces_.size()), [&](Index i) {
          const Piece& piece = pieces_[static_cast<std::size_t>(i)];
          gather(piece, gradient_.data(), buffers.gathered.data() + piece.offset, range);
        });
        for_each_item(factor_work_,
                      [&](Index i) { accumulate(factors_[static_cast<std::size_t>(i)], range, buffers); });
      },
      buffers_);
  graft_step();

  const bool preconditions = t_ >= options_.start;
  double renewed = 0;
  if (preconditions && (t_ - options_.start) % options_.period == 0) {
    renew_all(find<WorkSharing>(f));
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      const Factor& factor = factors_[i];
      const InverseRootReport& root = factor.report;
      auto figures = figures_.col(static_cast<Index>(i));
      figures[kRootResidual] = root.residual;
      figures[kCondition] = root.condition;
      figures[kStaleness] = factor.stale;
      figures[kFallback] = root.fallback ? 1 : 0;
      figures[kFailed] = root.status != RootStatus::ok && root.status != RootStatus::zero ? 1 : 0;
      renewed += factor.renewed ? 1 : 0;
    }
    renewed /= static_cast<double>(std::max<std::size_t>(1, factors_.size()));
  }

  if (preconditions) {
    const double* from = options_.beta1 > 0 ? mean_.data() : gradient_.data();
    std::visit(
        [&]<class T>(Buffers<T>& buffers) {
          const double range = into_range<T>(report.gradient_norm);
          for_each_item(piece_work_,
                        [&](Index i) { precondition(pieces_[static_cast<std::size_t>(i)], from, range, buffers); });
        },
        buffers_);
  }
  double squares = 0;
  double graft_total = 0;
  double direction_total = 0;
  const double unbiased = 1 / (1 - std::pow(options_.beta1, static_cast<double>(t_)));
  const double shrink = options_.lr * options_.weight_decay;
  for (const ParameterBlock& block : planned_for_) {
    if (block.size == 0) continue;
    const double graft_length = norm(graft_.segment(block.offset, block.size));
    const double length = preconditions ? unbiased * norm(direction_.segment(block.offset, block.size)) : 0.0;
    // Where there is no direction to speak of, the graft's own step is taken.
    const bool usable = length > 0 && std::isfinite(length);
    const double* d = (usable ? direction_ : graft_).data() + block.offset;
    const double ratio = !usable ? 1.0 : options_.graft == Graft::none ? unbiased : unbiased * graft_length / length;
    graft_total += graft_length * graft_length;
    direction_total += length * length;
    double* w = options_.momentum > 0 ? velocity_.data() + block.offset : nullptr;
    squares += blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index size) {
      double* weights = x.data() + block.offset + begin;
      return w == nullptr ? descend(size, d + begin, ratio, weights, options_.lr, shrink)
                          : descend_with_momentum(size, d + begin, ratio, w + begin, options_.momentum,
                                                  options_.nesterov, weights, options_.lr, shrink);
    });
  }
  report.step_size = options_.lr;
  report.step_norm = std::sqrt(squares);
  double residual = 0;
  double condition = 0;
  double stale = 0;
  for (Index i = 0; i < figures_.cols(); ++i) {
    // Where there is no root, there is no residual.
    if (std::isfinite(figures_(kRootResidual, i))) residual = std::max(residual, figures_(kRootResidual, i));
    condition = std::max(condition, figures_(kCondition, i));
    stale = std::max(stale, figures_(kStaleness, i));
  }
  report.tell("root_residual", residual);
  report.tell("condition", condition);
  report.tell("staleness", stale);
  report.tell("renewed", renewed);
  report.tell("root_fallbacks", figures_.row(kFallback).sum());
  report.tell("root_failures", figures_.row(kFailed).sum());
  report.tell("graft_ratio", direction_total > 0 ? std::sqrt(graft_total / direction_total) : 1.0);
  return report;
}

OptimizerEntry shampoo_entry() {
  return optimizer_entry<Shampoo, ShampooOptions>(
      "shampoo", "Inverse roots of second moments along each index of a block, with a grafted step length",
      "Gupta, Koren and Singer (2018); Anil et al. (2020); Shi et al. (2023)");
}

}  // namespace hesse
