/// \file
/// Elementary functions of whole arrays, vectorised, in float and in double.
///
/// Each is a plain loop over a polynomial, so the compiler vectorises it for the machine
/// (core/multiversion.h). Relative errors, measured against long double over the whole range, are
/// below 2 units in the last place, near 0 as well (vector_normal: below 4); exponentials below
/// exp(-708) in double and exp(-87) in float are flushed to 0. NaN stays NaN. `x` and `y` may be the same array.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// y = exp(x).
void vector_exp(Index n, const float* x, float* y);
void vector_exp(Index n, const double* x, double* y);

/// y = tanh(x).
void vector_tanh(Index n, const float* x, float* y);
void vector_tanh(Index n, const double* x, double* y);

/// y = 1 / (1 + exp(-x)).
void vector_sigmoid(Index n, const float* x, float* y);
void vector_sigmoid(Index n, const double* x, double* y);

/// y = log(1 + exp(x)).
void vector_softplus(Index n, const float* x, float* y);
void vector_softplus(Index n, const double* x, double* y);

/// Distribution and density of the standard normal distribution, P(X <= x) and exp(-x^2/2) / sqrt(2 pi).
/// The three arrays must not overlap.
void vector_normal(Index n, const float* x, float* distribution, float* density);
void vector_normal(Index n, const double* x, double* distribution, double* density);

}  // namespace hesse
