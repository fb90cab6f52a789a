/// \file
/// The Jacobian of residuals that come in blocks, each of a few blocks of variables: bundle adjustment, pose graphs,
/// calibration. Only the entries of such blocks are kept.
#pragma once

#include "hesse/core/types.h"

#include <span>
#include <vector>

namespace hesse {

/// Which block of residuals depends on which blocks of variables.
struct BlockStructure {
  std::vector<Index> variables;   ///< first variable of each block, and n
  std::vector<Index> residuals;   ///< first residual of each block, and m
  std::vector<Index> uses_begin;  ///< where the list of each residual block begins in `uses`, and its end
  std::vector<Index> uses;        ///< variable blocks that a residual block depends on, each once
  std::vector<Index> values;  ///< where the Jacobian of each residual block begins among the values, and their number
  /// The variable blocks from here on share no residual among each other, so that J'J is block diagonal there and they
  /// can be eliminated first; the number of variable blocks where there are none.
  Index eliminated = 0;

  Index size() const { return variables.back(); }
  Index residual_count() const { return residuals.back(); }
  Index variable_blocks() const { return static_cast<Index>(variables.size()) - 1; }
  Index residual_blocks() const { return static_cast<Index>(residuals.size()) - 1; }
  Index width(Index variable_block) const {
    const auto b = static_cast<std::size_t>(variable_block);
    return variables[b + 1] - variables[b];
  }
  Index first_variable(Index variable_block) const { return variables[static_cast<std::size_t>(variable_block)]; }
  Index first_residual(Index block) const { return residuals[static_cast<std::size_t>(block)]; }
  Index height(Index block) const {
    const auto b = static_cast<std::size_t>(block);
    return residuals[b + 1] - residuals[b];
  }
  std::span<const Index> uses_of(Index block) const {
    const auto b = static_cast<std::size_t>(block);
    return {uses.data() + uses_begin[b], static_cast<std::size_t>(uses_begin[b + 1] - uses_begin[b])};
  }

  /// Sets `values` from the rest. Throws Error where the lists do not describe blocks, where a block is empty or used
  /// twice by one residual block, or where two eliminated blocks share a residual.
  void finish();
  bool operator==(const BlockStructure&) const = default;
};

/// The entries: for each residual block its rows, one after the other, each with the columns of its variable blocks in
/// the order of `uses`.
class BlockJacobian {
 public:
  /// Entries of 0. The structure must outlive it.
  void bind(const BlockStructure& structure);
  const BlockStructure& structure() const { return *structure_; }

  /// Columns of a residual block, all its variable blocks together.
  Index width(Index block) const;
  double* rows(Index block) { return values_.data() + structure_->values[static_cast<std::size_t>(block)]; }
  const double* rows(Index block) const { return values_.data() + structure_->values[static_cast<std::size_t>(block)]; }
  std::span<const double> values() const { return values_; }

  /// Js <- J s. 2 operations an entry.
  void multiply(const Vector& s, Vector& Js) const;
  /// g <- J'u.
  void multiply_transposed(const Vector& u, Vector& g) const;
  /// Norms of the columns, also of such whose squares would leave the range of double.
  void column_norms(Vector& norms) const;

 private:
  /// Calls entry_of_column(entry, column) for each entry, row by row.
  template <class Visit>
  void visit(const Visit& entry_of_column) const;

  const BlockStructure* structure_ = nullptr;
  std::vector<double> values_;
};

}  // namespace hesse
