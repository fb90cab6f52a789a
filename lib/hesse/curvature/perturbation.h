/// \file
/// The units in which a neighbourhood of x is measured: perturbations e = T u with T = diag(t) and u in a ball of the
/// Euclidean norm, or normal.
///
///     plain         t_i = 1
///     elementwise   t_i = |x_i| + eta             (Kwon, Kim, Park and Choi 2021, section 3)
///     filterwise    t_i = |row of x_i|_2 + eta
///
/// The row of x_i is that of its matrix, or the filter of its convolution; for biases and gains it is x_i alone.
///
/// A loss that does not change under x -> D x, D diagonal, has the same values over the neighbourhood of x and of D x
/// where T(D x) = D T(x). With eta = 0 that is so for every D with `elementwise`, and with `filterwise` for a D that
/// scales rows as a whole: every measure over such a neighbourhood is invariant to the rescaling of layers (Dinh,
/// Pascanu, Bengio and Bengio 2017). With eta > 0, which training wants so that no weight is stuck at 0, it is not.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/core/types.h"
#include "hesse/linalg/operators.h"

namespace hesse {

enum class Units { plain, elementwise, filterwise };
/// "plain", "elementwise", "filterwise".
const char* to_string(Units units);

/// t at x. Throws Error when x is not of the layout's size or eta < 0.
Vector unit_scale(const ParameterLayout& layout, const Vector& x, Units units, double eta = 0);

/// T A T: curvature in those units. Throws Error when sizes differ.
OperatorPtr in_units(OperatorPtr A, Vector t);

}  // namespace hesse
