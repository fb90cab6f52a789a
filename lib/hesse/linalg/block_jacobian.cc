#include "hesse/linalg/block_jacobian.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void BlockStructure::finish() {
  for (const auto* starts : {&variables, &residuals, &uses_begin}) {
    if (starts->size() < 2 || starts->front() != 0 || !std::is_sorted(starts->begin(), starts->end())) {
      fail("block structure: a list of {} starts does not begin with 0, ascend and end", starts->size());
    }
  }
  if (uses_begin.size() != residuals.size() || uses_begin.back() != static_cast<Index>(uses.size())) {
    fail("block structure: the uses of {} residual blocks are given for {}", residual_blocks(), uses_begin.size() - 1);
  }
  if (eliminated < 0 || eliminated > variable_blocks()) {
    fail("block structure: variable block {} cannot be the first eliminated one of {}", eliminated, variable_blocks());
  }
  for (Index block = 0; block < variable_blocks(); ++block) {
    if (width(block) == 0) fail("block structure: variable block {} (from 0) has no variables", block);
  }
  values.assign(1, 0);
  for (Index k = 0; k < residual_blocks(); ++k) {
    if (height(k) == 0) fail("block structure: residual block {} (from 0) has no residuals", k);
    Index columns = 0;
    Index eliminated_here = 0;
    const std::span<const Index> all = uses_of(k);
    for (auto use = all.begin(); use != all.end(); ++use) {
      const Index block = *use;
      if (block < 0 || block >= variable_blocks()) {
        fail("block structure: residual block {} uses variable block {} of {} (from 0)", k, block, variable_blocks());
      }
      if (std::find(all.begin(), use, block) != use) {
        fail("block structure: residual block {} uses variable block {} twice (from 0)", k, block);
      }
      columns += width(block);
      eliminated_here += block >= eliminated ? 1 : 0;
    }
    if (eliminated_here > 1) {
      fail("block structure: residual block {} uses {} of the variable blocks from {} on, which are to be independent",
           k, eliminated_here, eliminated);
    }
    values.push_back(values.back() + height(k) * columns);
  }
}

void BlockJacobian::bind(const BlockStructure& structure) {
  structure_ = &structure;
  values_.assign(static_cast<std::size_t>(structure.values.back()), 0);
}

Index BlockJacobian::width(Index block) const {
  const auto b = static_cast<std::size_t>(block);
  return (structure_->values[b + 1] - structure_->values[b]) / structure_->height(block);
}

void BlockJacobian::multiply(const Vector& s, Vector& Js) const {
  Js.resize(structure_->residual_count());
  for (Index k = 0; k < structure_->residual_blocks(); ++k) {
    const double* row = rows(k);
    const Index columns = width(k);
    for (Index i = 0; i < structure_->height(k); ++i, row += columns) {
      double sum = 0;
      const double* entry = row;
      for (const Index block : structure_->uses_of(k)) {
        const double* const part = s.data() + structure_->first_variable(block);
        for (Index j = 0; j < structure_->width(block); ++j) sum += *entry++ * part[j];
      }
      Js[structure_->first_residual(k) + i] = sum;
    }
  }
}

void BlockJacobian::multiply_transposed(const Vector& u, Vector& g) const {
  g.setZero(structure_->size());
  for (Index k = 0; k < structure_->residual_blocks(); ++k) {
    const double* entry = rows(k);
    for (Index i = 0; i < structure_->height(k); ++i) {
      const double weight = u[structure_->first_residual(k) + i];
      for (const Index block : structure_->uses_of(k)) {
        double* const part = g.data() + structure_->first_variable(block);
        for (Index j = 0; j < structure_->width(block); ++j) part[j] += weight * *entry++;
      }
    }
  }
}

template <class Visit>
void BlockJacobian::visit(const Visit& entry_of_column) const {
  for (Index k = 0; k < structure_->residual_blocks(); ++k) {
    const double* entry = rows(k);
    for (Index i = 0; i < structure_->height(k); ++i) {
      for (const Index block : structure_->uses_of(k)) {
        const Index first = structure_->first_variable(block);
        for (Index j = 0; j < structure_->width(block); ++j) entry_of_column(*entry++, first + j);
      }
    }
  }
}

void BlockJacobian::column_norms(Vector& norms) const {
  norms.setZero(structure_->size());
  visit([&](double entry, Index column) { norms[column] += entry * entry; });
  const auto out_of_range = [](double square) { return !(square > 1e-290 && square < 1e300); };
  if (std::none_of(norms.begin(), norms.end(), out_of_range)) {
    norms = norms.cwiseSqrt();
    return;
  }
  Vector largest = Vector::Zero(norms.size());
  visit([&](double entry, Index column) {
    double& most = largest[column];
    if (!std::isnan(most) && !(std::abs(entry) <= most)) most = std::abs(entry);
  });
  norms.setZero();
  visit([&](double entry, Index column) {
    const double most = largest[column];
    if (most > 0 && std::isfinite(most)) norms[column] += std::pow(entry / most, 2);
  });
  for (Index j = 0; j < norms.size(); ++j) norms[j] = norms[j] > 0 ? largest[j] * std::sqrt(norms[j]) : largest[j];
}

}  // namespace hesse
