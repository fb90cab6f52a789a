/// \file
/// In what a network computes its matrix products. Whatever is summed over samples is summed in
/// double, and every public vector is double, in either case.
#pragma once

namespace hesse {

enum class Precision { float32, float64 };

inline const char* to_string(Precision precision) { return precision == Precision::float32 ? "float" : "double"; }

}  // namespace hesse
