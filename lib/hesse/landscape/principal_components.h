/// \file
/// The plane in which a trajectory moves most, and a trajectory seen in a plane.
#pragma once

#include "hesse/core/types.h"

namespace hesse {

/// Directions u_1, u_2, ... along which points lie farthest from a reference, and what each holds of all of it.
struct PrincipalComponents {
  Matrix directions;  ///< n x k, orthonormal; k is less than asked for where the points span less
  Vector shares;      ///< of sum |d_i|^2 in each component, descending: of all there are, so that they add up to 1
};

/// Of the differences d_i = x_i - x_end to the last point, the columns of an n x m matrix (Li et al. 2018,
/// section 7.2). They are not centred, so that the plane goes through x_end and a share is of what the trajectory is
/// away from it. By the eigenpairs of the m x m Gram matrix D'D, which is all of n that is squared: n m^2 flops.
/// Components whose share is below m eps are rounding, and are left out of the directions; those with a share s are off
/// by about eps / s. No directions and no shares where all differences are 0 or one is not finite. Throws Error when k
/// < 1.
PrincipalComponents principal_components(const Matrix& differences, Index k);

/// Points in the plane (or on the line) through x along `directions`.
struct ProjectedPoints {
  Matrix coordinates;  ///< k x m: the nearest point of the plane to each, in multiples of the directions
  Vector distances;    ///< from the plane, one for each point
};

/// The least-squares projection, for directions of any lengths and angle. Throws Error on sizes that do not fit and on
/// directions that are parallel to rounding.
ProjectedPoints project(const Matrix& directions, const Matrix& differences);

}  // namespace hesse
