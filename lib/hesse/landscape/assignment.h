/// \file
/// The linear assignment problem: one column for each row, none twice, of the largest sum.
#pragma once

#include "hesse/core/types.h"

#include <vector>

namespace hesse {

/// The columns c(0), ..., c(n-1), a permutation, that maximise sum_i S(i, c(i)) over all n! of them; by shortest
/// augmenting paths with dual prices (Kuhn 1955; Jonker and Volgenant 1987, without their initialisation): one row
/// after the other is added, at O(n^2) each, O(n^3) in all. The sum is the largest up to rounding, n eps max |S|; where
/// several attain it, which one is returned is a function of S alone. Throws Error unless S is square and finite.
std::vector<Index> largest_assignment(const Matrix& S);

}  // namespace hesse
