/// \file
/// Directions in which a landscape is cut.
///
/// A picture shows what its directions show. Where a layer's weights can be scaled without changing the network, a
/// random direction of one length looks flat beside large weights and sharp beside small ones; filter normalisation
/// (Li, Xu, Taylor, Studer and Goldstein 2018, section 4) takes that away by giving each filter of the direction the
/// norm of the same filter of the weights.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

/// Directions as columns, with what a person calls them.
struct Directions {
  Matrix vectors;                   ///< n x k, k at most what was asked for
  std::vector<std::string> labels;  ///< one for each column
  std::string message;              ///< why there are fewer, or how far they can be trusted; empty when all is well
};

/// Direction number `which` of a seed: N(0, I), scaled to length 1. Directions of different numbers are independent and
/// are not made orthogonal; in R^n their cosine is about n^-1/2.
Vector random_direction(Index n, std::uint64_t seed, std::uint64_t which);

/// What becomes of blocks with fewer than two dimensions (biases, the gains and biases of normalisations), which have
/// no filters.
enum class VectorBlocks {
  zero,           ///< the direction is 0 there: they keep their values
  as_parameters,  ///< the direction is x there (both are choices of the authors' code)
};

/// d with each filter scaled to the norm of the same filter of x: d_i |x_i| / |d_i|. A filter is what belongs to one
/// first index of a block of two or more dimensions: a row of a weight matrix (the inputs of one unit), an output
/// channel of a convolution. A filter of x or of d that is 0 becomes 0. Such directions are not orthonormal, and making
/// them so would take from the filters the norms that they were given. Throws Error on sizes that differ.
Vector filter_normalised(const ParameterLayout& layout, const Vector& x, const Vector& d,
                         VectorBlocks rest = VectorBlocks::zero);

/// Orthonormal: -g / |g|, and, where two are asked for, the part of H g that is orthogonal to g. In their plane lies
/// the path of steepest descent through x up to second order, since x'(t) = -g and x''(t) = H g. None where g is 0 or
/// not finite, one where g is an eigenvector to rounding; the message then says so. A gradient, and a product for the
/// second. Throws Error unless count is 1 or 2.
Directions gradient_directions(Objective& f, const Vector& x, Index count);

/// Which eigenvectors of the Hessian.
enum class EigenvectorChoice {
  largest,  ///< of the largest eigenvalues
  ends,     ///< of the largest and of the smallest eigenvalue: the way up and, at a saddle, the way down
};

/// Orthonormal eigenvectors of the Hessian at x by extreme_eigenpairs, whose residuals, which bound
/// the errors of the eigenvalues, stand in the labels;
/// `tolerance` and `seed` are those of EigenOptions. None where a product is not finite, or where products are less
/// symmetric than max(1e-6, 100 value_noise()), as those in float may be where all curvature is small; the message then
/// says so. Throws Error unless 1 <= count <= min(n, 2).
Directions eigenvector_directions(Objective& f, const Vector& x, Index count, EigenvectorChoice choice,
                                  double tolerance = 1e-6, std::uint64_t seed = 0);

}  // namespace hesse
