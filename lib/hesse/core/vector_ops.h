/// \file
/// Sums over long vectors, by fixed blocks added in order: the bits depend on the length alone, never
/// on the number of threads. Nothing is allocated.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// a'b.
double dot(ConstVectorView a, ConstVectorView b);
/// |a|_2.
double norm(ConstVectorView a);
/// |a - b|_2.
double distance(ConstVectorView a, ConstVectorView b);
/// True when no entry is NaN or infinite.
bool all_finite(ConstVectorView a);

}  // namespace hesse
