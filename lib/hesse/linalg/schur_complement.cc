#include "hesse/linalg/schur_complement.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <algorithm>

namespace hesse {
namespace {

using Rows = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr Index kMostParts = 16;
constexpr Index kPartBytes = Index{256} << 20;  // of all parts together, but for the first

}  // namespace

void SchurComplement::bind(const BlockJacobian& J) {
  const BlockStructure& structure = J.structure();
  J_ = &J;
  if (structure == prepared_) return;
  prepared_ = {};
  if (structure.eliminated >= structure.variable_blocks()) {
    fail("schur: no block of variables is declared as one that shares no residual with its like; use solver=cg");
  }
  remaining_ = structure.first_variable(structure.eliminated);
  if (remaining_ > kMostRemaining) {
    fail(
        "schur: {} variables stay after elimination, a dense matrix of {:.1f} GiB; at most {} are possible, use "
        "solver=cg",
        remaining_, 8.0 * static_cast<double>(remaining_ * remaining_) / (1 << 30), kMostRemaining);
  }
  const Index eliminated = structure.variable_blocks() - structure.eliminated;
  std::vector<Index> of_block(static_cast<std::size_t>(structure.residual_blocks()), -1);
  seen_begin_.assign(static_cast<std::size_t>(eliminated) + 1, 0);
  for (Index k = 0; k < structure.residual_blocks(); ++k) {
    for (const Index block : structure.uses_of(k)) {
      if (block < structure.eliminated) continue;
      of_block[static_cast<std::size_t>(k)] = block - structure.eliminated;
      ++seen_begin_[static_cast<std::size_t>(block - structure.eliminated) + 1];
    }
  }
  for (std::size_t e = 1; e < seen_begin_.size(); ++e) seen_begin_[e] += seen_begin_[e - 1];
  seen_.resize(static_cast<std::size_t>(seen_begin_.back()));
  std::vector<Index> next(seen_begin_.begin(), seen_begin_.end() - 1);
  for (Index k = 0; k < structure.residual_blocks(); ++k) {
    const Index e = of_block[static_cast<std::size_t>(k)];
    if (e >= 0) seen_[static_cast<std::size_t>(next[static_cast<std::size_t>(e)]++)] = k;
  }
  const Index bytes = 8 * std::max<Index>(1, remaining_ * remaining_);
  parts_.resize(static_cast<std::size_t>(std::clamp<Index>(kPartBytes / bytes, 1, std::min(kMostParts, eliminated))));
  factor_begin_.assign(1, 0);
  Index widest = 0;
  Index highest = 0;
  Index most_entries = 0;
  for (Index e = 0; e < eliminated; ++e) {
    const Index width = structure.width(structure.eliminated + e);
    factor_begin_.push_back(factor_begin_.back() + width * width);
    widest = std::max(widest, width);
    Index columns = 0;
    for (Index i = seen_begin_[static_cast<std::size_t>(e)]; i < seen_begin_[static_cast<std::size_t>(e) + 1]; ++i) {
      const Index k = seen_[static_cast<std::size_t>(i)];
      columns += columns_of(k).remaining;
      highest = std::max(highest, structure.height(k));
    }
    most_entries = std::max(most_entries, width * columns);
  }
  factors_.resize(factor_begin_.back());
  for (Part& part : parts_) {
    part.Y.resize(most_entries);
    part.y.resize(widest);
    part.residual.resize(highest);
  }
  prepared_ = structure;
}

SchurComplement::Columns SchurComplement::columns_of(Index block) const {
  Columns columns;
  Index at = 0;
  const BlockStructure& structure = J_->structure();
  for (const Index use : structure.uses_of(block)) {
    if (use >= structure.eliminated) {
      columns.eliminated = at;
    } else {
      columns.remaining += structure.width(use);
    }
    at += structure.width(use);
  }
  return columns;
}

void SchurComplement::eliminate(Part& part, Index begin, Index end, const Vector& r, double lambda,
                                const Vector& scale) {
  const BlockStructure& structure = J_->structure();
  part.S.setZero(remaining_, remaining_);
  part.b.setZero(remaining_);
  part.definite = true;
  for (Index e = begin; e < end; ++e) {
    const Index variable_block = structure.eliminated + e;
    const Index first = structure.first_variable(variable_block);
    const Index width = structure.width(variable_block);
    const std::span<const Index> seen(seen_.data() + seen_begin_[static_cast<std::size_t>(e)],
                                      static_cast<std::size_t>(seen_begin_[static_cast<std::size_t>(e) + 1] -
                                                               seen_begin_[static_cast<std::size_t>(e)]));
    Eigen::Map<Matrix> V(factors_.data() + factor_begin_[static_cast<std::size_t>(e)], width, width);
    auto g = part.y.head(width);
    V.setZero();
    V.diagonal() = lambda * scale.segment(first, width).array().square();
    g.setZero();
    Index columns = 0;
    for (const Index k : seen) {
      const Rows J(J_->rows(k), structure.height(k), J_->width(k));
      const Columns at = columns_of(k);
      const auto E = J.middleCols(at.eliminated, width);
      V += E.transpose().lazyProduct(E);
      g += E.transpose().lazyProduct(r.segment(structure.first_residual(k), structure.height(k)));
      columns += at.remaining;
    }
    Eigen::Ref<Matrix> in_place(V);
    if (const Eigen::LLT<Eigen::Ref<Matrix>> cholesky(in_place); cholesky.info() != Eigen::Success) {
      part.definite = false;
      return;
    }
    const auto L = V.triangularView<Eigen::Lower>();
    L.solveInPlace(g);
    // Y = L^-1 E'C, the columns of C that are not zero.
    Eigen::Map<Matrix> Y(part.Y.data(), width, columns);
    columns = 0;
    for (const Index k : seen) {
      const Rows J(J_->rows(k), structure.height(k), J_->width(k));
      const auto E = J.middleCols(columns_of(k).eliminated, width);
      Index at = 0;
      for (const Index use : structure.uses_of(k)) {
        const Index w = structure.width(use);
        if (use < structure.eliminated) {
          Y.middleCols(columns, w) = E.transpose().lazyProduct(J.middleCols(at, w));
          columns += w;
        }
        at += w;
      }
    }
    L.solveInPlace(Y);
    // S -= Y'Y and b -= Y'y, block by block; the lower triangle alone.
    Index left = 0;
    for (const Index k : seen) {
      for (const Index use : structure.uses_of(k)) {
        if (use >= structure.eliminated) continue;
        const Index row = structure.first_variable(use);
        const Index w = structure.width(use);
        const auto Yk = Y.middleCols(left, w);
        part.b.segment(row, w) -= Yk.transpose().lazyProduct(g);
        Index right = 0;
        for (const Index l : seen) {
          for (const Index other : structure.uses_of(l)) {
            if (other >= structure.eliminated) continue;
            const Index v = structure.width(other);
            if (other <= use) {
              part.S.block(row, structure.first_variable(other), w, v).noalias() -=
                  Yk.transpose().lazyProduct(Y.middleCols(right, v));
            }
            right += v;
          }
        }
        left += w;
      }
    }
  }
}

bool SchurComplement::solve(const Vector& r, double lambda, const Vector& scale, Vector& s) {
  const BlockStructure& structure = J_->structure();
  const Index eliminated = structure.variable_blocks() - structure.eliminated;
  const auto parts = static_cast<Index>(parts_.size());
  parallel_for(parts, [&](Index p) {
    eliminate(parts_[static_cast<std::size_t>(p)], p * eliminated / parts, (p + 1) * eliminated / parts, r, lambda,
              scale);
  });
  // C'C + lambda D^2 and C'r, to which the parts are added in order.
  S_.setZero(remaining_, remaining_);
  S_.diagonal() = lambda * scale.head(remaining_).array().square();
  b_.setZero(remaining_);
  for (Index k = 0; k < structure.residual_blocks(); ++k) {
    const Rows J(J_->rows(k), structure.height(k), J_->width(k));
    const auto rk = r.segment(structure.first_residual(k), structure.height(k));
    Index at = 0;
    for (const Index use : structure.uses_of(k)) {
      const Index w = structure.width(use);
      if (use < structure.eliminated) {
        const Index row = structure.first_variable(use);
        const auto C = J.middleCols(at, w);
        b_.segment(row, w) += C.transpose().lazyProduct(rk);
        Index beside = 0;
        for (const Index other : structure.uses_of(k)) {
          const Index v = structure.width(other);
          if (other <= use) {
            S_.block(row, structure.first_variable(other), w, v).noalias() +=
                C.transpose().lazyProduct(J.middleCols(beside, v));
          }
          beside += v;
        }
      }
      at += w;
    }
  }
  for (const Part& part : parts_) {
    if (!part.definite) return false;
    S_ += part.S;
    b_ += part.b;
  }
  cholesky_.compute(S_);
  if (cholesky_.info() != Eigen::Success) return false;
  c_ = -b_;
  cholesky_.solveInPlace(c_);

  s.resize(structure.size());
  s.head(remaining_) = c_;
  parallel_for(parts, [&](Index p) {
    for (Index e = p * eliminated / parts; e < (p + 1) * eliminated / parts; ++e) {
      const Index variable_block = structure.eliminated + e;
      const Index first = structure.first_variable(variable_block);
      const Index width = structure.width(variable_block);
      auto to = s.segment(first, width);
      to.setZero();
      for (Index i = seen_begin_[static_cast<std::size_t>(e)]; i < seen_begin_[static_cast<std::size_t>(e) + 1]; ++i) {
        const Index k = seen_[static_cast<std::size_t>(i)];
        const Rows J(J_->rows(k), structure.height(k), J_->width(k));
        auto residual = parts_[static_cast<std::size_t>(p)].residual.head(structure.height(k));
        residual = r.segment(structure.first_residual(k), structure.height(k));
        Index at = 0;
        Index own = 0;
        for (const Index use : structure.uses_of(k)) {
          const Index w = structure.width(use);
          if (use < structure.eliminated) {
            residual += J.middleCols(at, w).lazyProduct(c_.segment(structure.first_variable(use), w));
          } else {
            own = at;
          }
          at += w;
        }
        to -= J.middleCols(own, width).transpose().lazyProduct(residual);
      }
      const Eigen::Map<const Matrix> factor(factors_.data() + factor_begin_[static_cast<std::size_t>(e)], width, width);
      const auto L = factor.triangularView<Eigen::Lower>();
      L.solveInPlace(to);
      L.adjoint().solveInPlace(to);
    }
  });
  return s.allFinite();
}

}  // namespace hesse
